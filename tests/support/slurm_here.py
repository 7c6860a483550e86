"""A real SLURM of one node on this machine: controller and node daemon as root, in a folder of its own."""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from support.watching import wait_for

NEEDS = {"slurmctld": "slurm-wlm", "slurmd": "slurm-wlm", "sbatch": "slurm-wlm", "munged": "munge"}
"""Program -> Debian's package."""
PATH = f"{os.environ['PATH']}:/usr/sbin"
CPUS = 4

CONF = """
ClusterName=here
SlurmctldHost={host}(127.0.0.1)
AuthType=auth/munge
SlurmUser=root
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
ReturnToService=2
MpiDefault=none
KillWait=5
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=16000
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def missing():
    """What cannot be run here, and why; empty where all is there."""
    packages = sorted({package for program, package in NEEDS.items() if shutil.which(program, path=PATH) is None})
    if packages:
        return f"Debian package {' and '.join(packages)} is not installed: apt-get install {' '.join(packages)}"
    return "" if os.geteuid() == 0 else "a SLURM of one's own can only be started by root"


def free_ports(count):
    """Ports below those that the kernel gives to connections, which could take one between now and its use."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    found = []
    for port in random.sample(range(min(10_000, first // 2), first), 1000):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            break
    return found


def _start_munge():
    run = Path("/run/munge")
    run.mkdir(exist_ok=True)
    shutil.chown(run, "munge", "munge")
    if subprocess.run(["munge", "-n"], capture_output=True, check=False).returncode:
        subprocess.run(["runuser", "-u", "munge", "--", "/usr/sbin/munged"], check=True)


@contextlib.contextmanager
def slurm(folder):
    """SLURM for the time of a `with` block; gives the environment in which its commands work."""
    _start_munge()
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    conf = folder / "slurm.conf"
    conf.write_text(CONF.format(host=socket.gethostname(), folder=folder, ports=free_ports(2), cpus=CPUS))
    environment = {**os.environ, "SLURM_CONF": str(conf), "PATH": PATH}
    try:
        for daemon in ("slurmctld", "slurmd"):
            subprocess.run([daemon, "-f", str(conf)], env=environment, check=True, capture_output=True, text=True)
        state = ("sinfo", "-h", "-o", "%T")
        wait_for(
            lambda: _command(environment, *state).strip() == "idle", f"an idle node; {folder}/slurmctld.log says more"
        )
        yield environment
    finally:
        _command(environment, "scancel", "--me")
        for name in ("slurmd", "slurmctld"):
            with contextlib.suppress(OSError, ValueError):
                os.kill(int((folder / f"{name}.pid").read_text()), signal.SIGTERM)


def _command(environment, *words):
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=False).stdout


def jobs(environment):
    """Job -> state of those that have not ended."""
    return dict(line.split() for line in _command(environment, "squeue", "-h", "-o", "%A %T").splitlines())


def cancel(environment, job):
    subprocess.run(["scancel", job], env=environment, check=True)
