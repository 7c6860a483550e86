"""A disk in memory that forgets at a power cut what was not synced, and on which every operation can go wrong."""

from __future__ import annotations

import errno
import itertools
import os
from pathlib import Path


class Killed(BaseException):
    """The process that asked is no more."""


class File:
    """Its content, and what of it would outlive a power cut."""

    def __init__(self):
        self.data = b""
        self.kept = None

    def after_power_cut(self, rng):
        if self.kept != self.data:
            old = self.kept or b""
            safe = old if self.data.startswith(old) else b""
            torn = self.data[: rng.randint(len(safe), len(self.data))]
            self.data = rng.choice([old, self.data, torn, torn.ljust(len(self.data), b"\0")])
        self.kept = self.data


class Folder:
    """Its number, its names, those that would outlive a power cut, and the changes in between, in their order."""

    numbers = itertools.count()

    def __init__(self):
        self.number = next(self.numbers)
        self.now = {}
        self.kept = {}
        self.log = []

    def change(self, *changes):
        for name, node in changes:
            if node is None:
                self.now.pop(name, None)
            else:
                self.now[name] = node
        self.log.append(changes)

    def sync(self):
        self.kept = dict(self.now)
        self.log.clear()

    def sync_all(self):
        self.sync()
        for node in self.now.values():
            if isinstance(node, Folder):
                node.sync_all()
            else:
                node.kept = node.data

    def after_power_cut(self, rng):
        names = dict(self.kept)
        for changes in self.log[: rng.randint(0, len(self.log))]:
            for name, node in changes:
                if node is None:
                    names.pop(name, None)
                else:
                    names[name] = node
        self.now = names
        self.sync()
        for node in names.values():
            node.after_power_cut(rng)


class SimulatedDisk:
    """The disk itself: a tree. Processes see it through a `View`."""

    def __init__(self, local=True):
        self.root = Folder()
        self.local = local

    def find(self, path):
        node = self.root
        for part in Path(path).parts[1:]:
            if not isinstance(node, Folder):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
            if part not in node.now:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
            node = node.now[part]
        return node

    def file(self, path):
        node = self.find(path)
        if isinstance(node, Folder):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        return node

    def there(self, path):
        try:
            return self.find(path)
        except OSError:
            return None


class View:
    """A disk as one process sees it. `before` is told of every operation and may raise, or have a part of it done."""

    safe_when_written = False

    def __init__(self, disk, before=lambda view, what, path: None):
        self.disk = disk
        self.before = before
        self.told = lambda path, file: None

    def _do(self, what, path):
        return self.before(self, what, path)

    def read(self, path):
        self._do("read", path)
        return self.disk.file(path).data

    def read_part(self, path, start, end):
        return self.read(path)[start:end]

    def tail(self, path, count):
        return self.read(path)[-count:]

    def size(self, path):
        self._do("read", path)
        return len(self.disk.file(path).data)

    def is_file(self, path):
        self._do("read", path)
        return isinstance(self.disk.there(path), File)

    def names(self, folder):
        self._do("read", folder)
        return sorted(self.disk.find(folder).now)

    def walk(self, folder, ending=""):
        self._do("read", folder)
        node = self.disk.there(folder)
        if isinstance(node, Folder):
            yield from list(_below(node, Path(folder), ending))

    def write(self, path, data):
        part = self._do("write", path)
        folder = self.disk.find(path.parent)
        file = folder.now.get(path.name)
        if file is None:
            file = File()
            folder.change((path.name, file))
        file.data = data if part is None else data[: int(part * len(data))]
        self._after(part)

    def append(self, path, data):
        part = self._do("append", path)
        folder = self.disk.find(path.parent)
        if path.name not in folder.now:
            folder.change((path.name, File()))
        folder.now[path.name].data += data if part is None else data[: int(part * len(data))]
        self._after(part)

    def appender(self, path):
        self._do("open", path)
        folder = self.disk.find(path.parent)
        if path.name not in folder.now:
            folder.change((path.name, File()))
        return Appender(self, path, folder.now[path.name])

    def _after(self, part):
        if part is not None:
            self.before(self, "broken off", None)

    def version(self, path):
        return ""

    def rename(self, path, to, over=""):
        self._do("rename", path)
        assert path.parent == to.parent, "never across folders"
        folder, node = self.disk.find(path.parent), self.disk.find(path)
        there = folder.now.get(to.name)
        if isinstance(there, Folder) and there.now:
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), str(to))
        folder.change((path.name, None), (to.name, node))

    def link(self, path, to):
        self._do("link", path)
        folder = self.disk.find(to.parent)
        if to.name in folder.now:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(to))
        folder.change((to.name, self.disk.file(path)))

    def remove(self, path):
        self._do("remove", path)
        self.disk.file(path)
        self.disk.find(path.parent).change((path.name, None))

    def remove_tree(self, folder):
        self._do("remove", folder)
        if self.disk.there(folder) is not None:
            self.disk.find(folder.parent).change((folder.name, None))

    def make_folder(self, folder):
        self._do("make", folder)
        node = self.disk.root
        for part in folder.parts[1:]:
            if part not in node.now:
                node.change((part, Folder()))
            node = node.now[part]

    def sync(self, path):
        self._do("sync", path)
        node = self.disk.find(path)
        if isinstance(node, Folder):
            node.sync()
        else:
            node.kept = node.data

    def sync_all(self, path):
        self._do("sync", path)
        self.disk.find(path)
        self.disk.root.sync_all()

    def map(self, do, things):
        return [do(thing) for thing in things]

    def identity(self, folder):
        node = self.disk.there(folder)
        return "" if node is None else str(node.number)

    def shared_with(self, path):
        return "one file system" if self.disk.local else ""


class Appender:
    """The end of a file, whatever its name is by now."""

    def __init__(self, view, path, file):
        self.view, self.path, self.file = view, path, file

    def append(self, data):
        part = self.view._do("append", self.path)
        self.view.told(self.path, self.file)
        self.file.data += data if part is None else data[: int(part * len(data))]
        self.view._after(part)

    def sync(self):
        self.view._do("sync", self.path)
        self.file.kept = self.file.data

    def named(self):
        self.view._do("read", self.path)
        return self.view.disk.there(self.path) is self.file

    def close(self):
        pass


def _below(folder, path, ending):
    for name, node in folder.now.items():
        if isinstance(node, Folder):
            yield from _below(node, path / name, ending)
        elif name.endswith(ending):
            yield path / name
