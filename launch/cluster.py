"""Several hosts on one machine: each with a name, a network card, /dev/shm and process-wide mounts of its own, joined by a
switch whose every link has a rate. Needs root and iproute2.

Usage: cluster.py --hosts N [--ranks R,R,...] [--by-node] [--rate RATE] [--mca KEY VALUE]... [--traffic] -- PROGRAM ARGUMENT...
       cluster.py --hosts N [--ranks R,R,...] [--rate RATE] [--traffic] --each -- PROGRAM ARGUMENT...

  --ranks R,R,...   ranks of each host; default 1 on each
  --by-node         ranks are dealt round over the hosts, as by mpirun --map-by node; else host by host
  --rate RATE       of each link, both ways, as tc writes it ("1gbit", "100mbit"), or "none"; default 1gbit
  --mca KEY VALUE   one more setting of Open MPI
  --traffic         at the end, the bytes that each host sent and received, on stderr
  --each            no mpirun: the command as often as there are ranks, with RANK, WORLD_SIZE and LOCAL_RANK

Every rank has MASTER_ADDR, MASTER_PORT and GLOO_SOCKET_IFNAME. The exit code is that of mpirun, or the first that is not 0, or
77 where there can be no cluster. USR1 goes to mpirun; TERM and INT end all.

All processes of a cluster are in one process namespace, whose first one dies with the process that made it. So nothing can
be left, however that ends; of one that was killed an empty folder stays in /tmp, which the next one removes.
"""

import argparse
import atexit
import collections
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

INTERFACE = "eth0"
NOT_RUN = 77  # ctest lists the test as skipped
PREFIX = "lockstep-cluster-"
TOOLS = ("ip", "tc", "unshare", "nsenter", "setpriv", "hostname", "mount", "mpirun")
Traffic = collections.namedtuple("Traffic", ["sent", "received"])  # bytes

# The first process of the cluster is in the switch. Each host makes its card, whose other end it puts there. A packet that
# is larger than the burst is cut up; the queue is longer than TCP's windows, for a lost packet would ruin all timing.
SWITCH = r"""
set -eu
count=$1 rate=$2 scratch=$3
shape="root tbf rate $rate burst 128kb limit 64mb"
if [ "$rate" = none ]; then shape="root pfifo limit 10000"; fi
export shape scratch
ip link add switch type bridge
ip link set switch up
for i in $(seq "$count"); do
  unshare --net --uts --mount sh -euc '
    hostname "host$1"
    mount -t tmpfs tmpfs /dev/shm
    mount -t tmpfs tmpfs "$scratch/local"
    mount --bind "$scratch/hosts" /etc/hosts
    ip link set lo up
    ip link add eth0 type veth peer name "port$1" netns 1
    ip link set eth0 addrgenmode none
    ip address add "10.0.0.$1/24" dev eth0
    tc qdisc add dev eth0 $shape
    ip link set eth0 up
    nsenter --target 1 --net sh -euc "
      ip link set port$1 addrgenmode none
      ip link set port$1 master switch
      tc qdisc add dev port$1 $shape
      ip link set port$1 up"
    echo $$ >"$scratch/host$1"
    exec sleep infinity' sh "$i" >/dev/null &
  until [ -s "$scratch/host$i" ]; do
    kill -0 $! || exit 1
    sleep 0.01
  done
done
echo ready
exec env --ignore-signal=CHLD sleep infinity >/dev/null 2>&1 # ignored: the orphans that come to it are not left as zombies
"""

# As ssh does, it runs the words as one line of a shell.
ENTER = r"""#!/bin/sh
host=$1
shift
exec nsenter --target "$(cat {scratch}/"$host")" --net --uts --mount -- sh -c "$*"
"""


class Cluster:
    """Hosts host1, host2, ... of one network, which are gone after close(), or at the end of the `with`. They see the file
    systems of this machine, but /dev/shm and `local` are of each host alone. To be made in the main thread: the end of the
    thread that makes it is its end."""

    def __init__(self, hosts=2, rate="1gbit"):
        remove_stale()
        self.hosts = [f"host{i + 1}" for i in range(hosts)]
        self.addresses = [f"10.0.0.{i + 1}" for i in range(hosts)]
        self.scratch = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
        self.local = self.scratch / "local"
        self.local.mkdir()
        self._first = self._holder = None
        names = "".join(f"{address} {name}\n" for name, address in zip(self.hosts, self.addresses))
        (self.scratch / "hosts").write_text("127.0.0.1 localhost\n" + names, encoding="utf-8")
        self._enter = self.scratch / "enter"
        self._enter.write_text(ENTER.format(scratch=self.scratch), encoding="utf-8")
        self._enter.chmod(0o755)
        command = ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--uts", "--mount", "--pid", "--fork", "--kill-child=KILL",
                   "--mount-proc", "sh", "-c", SWITCH, "sh", str(hosts), str(rate), str(self.scratch)]
        atexit.register(self.close)
        with open(self.scratch / "errors", "w+", encoding="utf-8") as errors:
            try:
                self._holder = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True)
            except OSError as error:
                self.close()
                raise OSError(f"no cluster: {error}") from error
            ready = self._holder.stdout.readline().strip() == "ready"
            self._first = child_of(self._holder.pid)
            if not ready:
                errors.seek(0)
                told = errors.read().strip()
                self.close()
                raise OSError(f"no cluster: {told}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends every process of the cluster, and with them its networks and mounts."""
        if self._first:
            os.kill(self._first, signal.SIGKILL)  # and so, by the kernel, all others before it
            self._first = None
        if self._holder:
            self._holder.wait()
            self._holder.stdout.close()
            self._holder = None
        shutil.rmtree(self.scratch, ignore_errors=True)
        atexit.unregister(self.close)

    def enter(self, host, *words, cwd=None):
        """The command that runs `words` on a host (0, 1, ...), here or in the folder `cwd`."""
        line = "cd " + shlex.quote(str(cwd or os.getcwd())) + " && exec " + shlex.join(str(word) for word in words)
        return ["nsenter", "--target", str(self._first), "--pid", "--mount", "--net", "--", str(self._enter), self.hosts[host], line]

    def on(self, host, *words, cwd=None, **options):
        """The finished command on one host."""
        return subprocess.run(self.enter(host, *words, cwd=cwd), **{"stdin": subprocess.DEVNULL, "check": True, **options})

    def mpirun(self, ranks, *words, by_node=False, mca=None, cwd=None):
        """The command that runs `words` on ranks[i] ranks of host i, started by mpirun on the first host."""
        if len(ranks) != len(self.hosts):
            raise ValueError(f"expected the ranks of {len(self.hosts)} hosts, found {ranks}")
        placement = self.scratch / ("slots-" + "-".join(map(str, ranks)))
        placement.write_text("".join(f"{name} slots={count}\n" for name, count in zip(self.hosts, ranks) if count), encoding="utf-8")
        settings = {"plm_rsh_agent": self._enter, "plm_rsh_no_tree_spawn": 1, "pml": "ob1", "btl": "tcp,vader,self",
                    "btl_tcp_if_include": INTERFACE, "oob_tcp_if_include": INTERFACE, "orte_tmpdir_base": self.local,
                    "mpi_yield_when_idle": 1, "hwloc_base_binding_policy": "none", "rmaps_base_oversubscribe": 1, **(mca or {})}
        pairs = [word for key, value in settings.items() for word in ("--mca", key, value)]
        mapping = ["--map-by", "node"] if by_node else []
        return self.enter(0, "mpirun", "--hostfile", placement, "-n", sum(ranks), *mapping, *pairs, *words, cwd=cwd)

    def environment(self, more=None):
        return {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
                "MASTER_ADDR": self.addresses[0], "MASTER_PORT": "29500", "GLOO_SOCKET_IFNAME": INTERFACE, **(more or {})}

    def start(self, ranks, *words, by_node=False, mca=None, environment=None, cwd=None, **options):
        """mpirun, running. signal_launcher() sends it a signal."""
        return subprocess.Popen(self.mpirun(ranks, *words, by_node=by_node, mca=mca, cwd=cwd), env=self.environment(environment),
                                **{"stdin": subprocess.DEVNULL, **options})

    def run(self, ranks, *words, by_node=False, mca=None, environment=None, cwd=None, timeout=120, **options):
        """The finished mpirun."""
        options = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "check": False, **options}
        return subprocess.run(self.mpirun(ranks, *words, by_node=by_node, mca=mca, cwd=cwd), env=self.environment(environment),
                              timeout=timeout, **options)

    def each(self, ranks, *words, environment=None, cwd=None, **options):
        """The running commands, a rank each, without mpirun."""
        places = [(host, local) for host, count in enumerate(ranks) for local in range(count)]
        return [subprocess.Popen(self.enter(host, *words, cwd=cwd), **{"stdin": subprocess.DEVNULL, **options}, env=self.environment(
                    {"RANK": str(rank), "WORLD_SIZE": str(len(places)), "LOCAL_RANK": str(local), **(environment or {})}))
                for rank, (host, local) in enumerate(places)]

    def processes(self, host=None):
        """The commands that run on one host or on all, each behind its number there."""
        proc = Path(f"/proc/{self._first}/root/proc")
        own = [(self.scratch / name).read_text(encoding="utf-8").strip() for name in self.hosts]
        found = []
        for process in proc.iterdir():
            if not process.name.isdigit() or process.name in ("1", *own):
                continue
            try:
                words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                # A zombie has no words.
                if words and (host is None or os.readlink(process / "ns/uts") == os.readlink(proc / own[host] / "ns/uts")):
                    found.append(f"{process.name} {words}")
            except OSError:
                pass  # it has ended
        return found

    def kill(self, host):
        """All that runs on a host, as where its power fails."""
        numbers = [text.split()[0] for text in self.processes(host)]
        self.on(host, "sh", "-c", f"kill -KILL {' '.join(numbers)}")

    def wait_for_processes(self, seconds=20):
        """Until no command runs on the hosts: the daemons of mpirun end a little after it. Returns those that are left."""
        deadline = time.monotonic() + seconds
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return left

    def traffic(self, host):
        """The bytes that the card of a host has sent and received so far, headers and all."""
        inner = (self.scratch / self.hosts[host]).read_text(encoding="utf-8").strip()
        table = Path(f"/proc/{self._first}/root/proc/{inner}/net/dev").read_text(encoding="utf-8")
        numbers = re.search(rf"^\s*{INTERFACE}:(.*)$", table, re.MULTILINE).group(1).split()
        return Traffic(sent=int(numbers[8]), received=int(numbers[0]))


def child_of(pid):
    """The first child of a process, or nothing."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    except OSError:
        return None
    return int(children[0]) if children else None


def signal_launcher(process, number):
    """A signal for the mpirun that start() has started: what stands between the two does not pass signals on."""
    if child := child_of(process.pid):
        os.kill(child, number)


def remove_stale():
    """Folders of clusters whose process is gone."""
    for folder in Path(tempfile.gettempdir()).glob(PREFIX + "*"):
        owner = folder.name[len(PREFIX):].split("-")[0]
        if owner.isdigit() and not Path("/proc", owner).exists():
            shutil.rmtree(folder, ignore_errors=True)


def reason_not_to_run():
    """Why there can be no cluster here, or nothing."""
    if os.geteuid() != 0:
        return "this is not root"
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        return f"not found: {', '.join(missing)}"
    try:
        Cluster(2).close()
    except OSError as error:
        return str(error)
    return ""


def not_run_unless_possible(script, what):
    """Where there can be no cluster, ends this process with NOT_RUN, loudly."""
    if reason := reason_not_to_run():
        for line in (script, f"{what} cannot be tested here, for hosts cannot be made.", reason,
                     "run it as root, with iproute2, in a container with --cap-add SYS_ADMIN --cap-add NET_ADMIN"):
            print("NOT RUN:", line, flush=True)
        sys.exit(NOT_RUN)


def main():
    parser = argparse.ArgumentParser(usage=__doc__[__doc__.index("Usage: ") + len("Usage: "):])
    parser.add_argument("--hosts", type=int, required=True)
    parser.add_argument("--ranks")
    parser.add_argument("--by-node", action="store_true")
    parser.add_argument("--rate", default="1gbit")
    parser.add_argument("--mca", nargs=2, action="append", default=[])
    parser.add_argument("--traffic", action="store_true")
    parser.add_argument("--each", action="store_true")
    parser.add_argument("command", nargs="+")
    args = parser.parse_args()
    ranks = [int(text) for text in args.ranks.split(",")] if args.ranks else [1] * args.hosts
    if len(ranks) != args.hosts:
        parser.error(f"--ranks: expected {args.hosts} numbers, found {args.ranks}")

    not_run_unless_possible(__file__, shlex.join(args.command))

    def end(number, _):
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    with Cluster(args.hosts, args.rate) as cluster:
        before = [cluster.traffic(host) for host in range(args.hosts)]
        if args.each:
            running = cluster.each(ranks, *args.command)
        else:
            running = [cluster.start(ranks, *args.command, by_node=args.by_node, mca=dict(args.mca))]
        signal.signal(signal.SIGUSR1, lambda number, _: [signal_launcher(process, number) for process in running])
        code = next((code for code in [process.wait() for process in running] if code), 0)
        if args.traffic:
            for host, start in enumerate(before):
                now = cluster.traffic(host)
                print(f"{cluster.hosts[host]}: sent {now.sent - start.sent} bytes, received {now.received - start.received}",
                      file=sys.stderr)
    sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
