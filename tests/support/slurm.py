"""A Slurm of one's own on this machine: munged, slurmctld and slurmd in a folder, on free ports, without systemd.

It must be root. All of it runs in a process namespace, see enter(), so that nothing is left when the test ends, however.
"""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

NEEDED = ("munged", "munge", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "squeue", "scancel", "unshare")
INSIDE = "LOCKSTEP_TEST_IN_NAMESPACE"
NODE = "node01"
TASKS = 8  # that the node takes at once; it need not have as many cores

# cred_expire is also how long a requeued job waits. KillWait: from TERM to KILL.
CONF = """
ClusterName=lockstep
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={daemon}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=6
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=bf_interval=1,sched_interval=2
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=10
MpiDefault=none
NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 CPUs={tasks} State=UNKNOWN
PartitionName=main Nodes={node} Default=YES MaxTime=INFINITE State=UP
"""


def reason_not_to_run():
    """Why there can be no Slurm here, or nothing."""
    if os.geteuid() != 0:
        return "it needs root"
    if missing := [name for name in NEEDED if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") is None]:
        return f"not found: {', '.join(missing)} (launch/packages.sh lists the packages)"
    done = subprocess.run([*NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", "/dev/shm"], capture_output=True, text=True, check=False)
    return f"{' '.join(NAMESPACE)}: {done.stderr.strip()}" if done.returncode != 0 else ""


NAMESPACE = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")


def enter(words):
    """Starts `words`, which are to be this script, in a namespace of processes, with shared memory of its own; returns only
    there. Nothing of it outlives its first process, a shell, which also buries what was left without a parent: Slurm waits
    for that."""
    if not os.environ.get(INSIDE):
        os.environ[INSIDE] = "1"
        first = 'mount -t tmpfs tmpfs /dev/shm && "$@"; exit $?'
        os.execvp(NAMESPACE[0], [*NAMESPACE, "bash", "-c", first, "bash", *words])


def free_ports(count):
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


UNDER_WAY = ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "REQUEUED")


class Slurm:
    """Started by the constructor; stop() ends it."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.daemons = []
        os.environ["PATH"] += ":/usr/sbin"
        for name in ("munge", "state", "spool"):
            (self.folder / name).mkdir()
        controller, daemon = free_ports(2)
        conf = self.folder / "slurm.conf"
        conf.write_text(CONF.format(folder=self.folder, host=socket.gethostname().split(".")[0], node=NODE, tasks=TASKS,
                                    controller=controller, daemon=daemon), encoding="utf-8")
        os.environ["SLURM_CONF"] = str(conf)
        munge = self.folder / "munge"
        key = munge / "key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        self.start("munged", "--foreground", "--force", f"--key-file={key}", f"--socket={munge}/socket",
                   f"--pid-file={munge}/pid", f"--log-file={munge}/log", f"--seed-file={munge}/seed")
        self.wait_for("munged", lambda: self.succeeds("munge", "-n", f"--socket={munge}/socket"))
        self.start("slurmctld", "-D", "-i", "-f", str(conf))
        self.start("slurmd", "-D", "-N", NODE, "-f", str(conf))
        self.wait_for("the node to be idle", lambda: self.ask("sinfo", "-h", "-o", "%T") == "idle")

    @staticmethod
    def succeeds(*command):
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    @staticmethod
    def ask(*command):
        """What a command of Slurm prints; nothing where it fails."""
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    def start(self, *command):
        with (self.folder / f"{command[0]}.out").open("w", encoding="utf-8") as out:
            self.daemons.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out))

    def wait_for(self, what, condition, seconds=20):
        """The first answer of `condition` that is true."""
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {seconds} s for {what}\n{self.logs()}")
            time.sleep(0.1)
        return found

    def logs(self):
        return "\n".join(f"== {path.name}\n{path.read_text(encoding='utf-8', errors='replace')[-6000:]}"
                         for path in (*self.folder.glob("*.log"), *self.folder.glob("*.out")))

    def field(self, number, name):
        """What Slurm knows of a job."""
        for line in self.ask("scontrol", "show", "job", number).splitlines():
            for word in line.split():
                if word.startswith(f"{name}="):
                    return word.split("=", 1)[1]
        return ""

    def state(self, number):
        return self.field(number, "JobState")

    def stop(self):
        for daemon in reversed(self.daemons):
            daemon.terminate()
            try:
                daemon.wait(timeout=10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
