"""mpirun on several hosts that are one machine: only their names differ. What goes between them takes Open MPI's TCP over the
loopback; shared memory is within a host alone, by Open MPI's own rules. Needs no root. For real networks it is no measure."""

from pathlib import Path


def mpirun(folder, library, ranks):
    """The words of mpirun for ranks[NAME] ranks on each host; `library` is the one made of fake_host.c."""
    hosts = Path(folder) / "hosts"
    hosts.write_text("".join(f"{name} slots={count}\n" for name, count in ranks.items()), encoding="utf-8")
    agent = Path(folder) / "agent"  # in the place of ssh: HOST COMMAND...
    agent.write_text(f'#!/bin/sh\nhost=$1\nshift\nLD_PRELOAD={library} FAKE_HOST=$host exec sh -c "$*"\n', encoding="utf-8")
    agent.chmod(0o755)
    settings = {"plm_rsh_agent": agent, "btl": "self,vader,tcp", "btl_tcp_if_include": "lo", "oob_tcp_if_include": "lo"}
    words = ["mpirun", "--hostfile", str(hosts), "-n", str(sum(ranks.values()))]
    for name, value in settings.items():
        words += ["--mca", name, str(value)]
    return words
