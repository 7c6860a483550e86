"""Two hosts on one machine: network namespaces with a cable between them that can be pulled."""

import contextlib
import os
import shutil
import subprocess

FIRST, SECOND = "10.77.31.1", "10.77.31.2"


def missing():
    """Why this machine cannot have them; empty where it can."""
    if shutil.which("ip") is None:
        return "Debian package iproute2 is not installed: apt-get install iproute2"
    if os.geteuid() != 0:
        return "network namespaces need root"
    name = f"try{os.getpid()}"
    done = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if done.returncode:
        return f"this machine has no network namespaces: {done.stderr.strip()}"
    subprocess.run(["ip", "netns", "del", name], check=False)
    return ""


class Hosts:
    """`first` and `second` are words that a command begins with to run on that host."""

    def __init__(self, tag):
        self._names = [f"one{tag}", f"two{tag}"]
        self.first, self.second = (["ip", "netns", "exec", name] for name in self._names)

    def _ip(self, *words):
        subprocess.run(["ip", *words], check=True, capture_output=True)

    def _inside(self, name, *words):
        self._ip("-n", name, *words)

    def connect(self):
        for name in self._names:
            self._ip("netns", "add", name)
            self._inside(name, "link", "set", "lo", "up")
        one, two = self._names
        self._ip("link", "add", "cable", "netns", one, "type", "veth", "peer", "name", "cable", "netns", two)
        for name, address in zip(self._names, (FIRST, SECOND), strict=True):
            self._inside(name, "addr", "add", f"{address}/24", "dev", "cable")
            self._inside(name, "link", "set", "cable", "up")

    def pull_the_cable(self):
        """The first host still believes in its connections; the second sees its end of the cable dead."""
        self._inside(self._names[1], "link", "set", "cable", "down")

    def mend_the_cable(self):
        self._inside(self._names[1], "link", "set", "cable", "up")

    def remove(self):
        for name in self._names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@contextlib.contextmanager
def two_hosts():
    hosts = Hosts(os.getpid())
    try:
        hosts.connect()
        yield hosts
    finally:
        hosts.remove()
