"""Files that grow by lines, in a bucket: one object per append, numbered from 0, each made only where there is none.

Two writers that are at the same place cannot both go on: the number is taken for one of them. Nothing needs a list of the
bucket, for the first number that is not there is the end. Every 256 objects are copied into one, so that a long file is
read in few requests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from sweep.folder.objects import Objects

BLOCK = 256
_FIRST_READ, _LARGEST_READ = 2, 64
Map = Callable[[Callable[[int], bytes | None], Iterable[int]], list[bytes | None]]


class Segments:
    """One such file; `do_all` calls a function for many numbers, at once."""

    def __init__(self, objects: Objects, key: str, do_all: Map) -> None:
        self._objects = objects
        self._key = key
        self._do_all = do_all

    def read(self) -> list[bytes]:
        """All that was appended; empty where there is no such file."""
        return [content for _, content in self._from(0)]

    def end(self, at_least: int = 0) -> int:
        """The number that is next; `at_least` so many are known to be there."""
        found = at_least
        for number, _ in self._from(at_least):
            found = number
        return found

    def put(self, number: int, data: bytes) -> bool:
        """Append as this number; False where that is taken."""
        try:
            self._objects.create(self._name(number), data)
        except FileExistsError:
            return False
        if (number + 1) % BLOCK == 0:
            block = number // BLOCK
            parts = self._do_all(self._segment, range(block * BLOCK, number + 1))
            self._objects.put(self._block_name(block), b"".join(part for part in parts if part is not None))
        return True

    def append(self, data: bytes, at_least: int = 0) -> int:
        """Append wherever the end is; returns the number that is next."""
        number = self.end(at_least)
        while not self.put(number, data):
            number = self.end(number)
        return number + 1

    def _from(self, number: int) -> Iterator[tuple[int, bytes]]:
        """What there is from a number on, each with the number that is next after it: blocks, then what follows them."""
        if number % BLOCK == 0:
            for block, content in self._run(self._block, number // BLOCK):
                number = (block + 1) * BLOCK
                yield number, content
        for at, content in self._run(self._segment, number):
            yield at + 1, content

    def _run(self, read: Callable[[int], bytes | None], number: int) -> Iterator[tuple[int, bytes]]:
        """Numbers and contents up to the first that is not there; more at a time the longer it goes on."""
        count = _FIRST_READ
        while True:
            for content in self._do_all(read, range(number, number + count)):
                if content is None:
                    return
                yield number, content
                number += 1
            count = min(2 * count, _LARGEST_READ)

    def _segment(self, number: int) -> bytes | None:
        return self._get(self._name(number))

    def _block(self, number: int) -> bytes | None:
        return self._get(self._block_name(number))

    def _get(self, key: str) -> bytes | None:
        try:
            return self._objects.get(key)
        except FileNotFoundError:
            return None

    def _name(self, number: int) -> str:
        return f"{self._key}/{number:010d}"

    def _block_name(self, block: int) -> str:
        return f"{self._key}/block-{block:07d}"
