"""Records: frozen dataclasses that cross a file or a process as JSON, and check what they read.

class Holder(Record):
    FIX = "remove the file"
    host: str
    pid: int = -1

A key that a record does not know is passed over, so that a newer version may add some; one with a default may be absent.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

from sweep.errors import RunError

Json = Mapping[str, Any]
"""A JSON object or a TOML table, as the standard library reads it."""
_Reader = Callable[[Any], Any]


class _Wrong(Exception):
    """A value is not what its field holds; carries what that would be, and the way to it inside the field."""

    def __init__(self, wanted: str, given: object, inside: str = "") -> None:
        super().__init__(wanted)
        self.wanted, self.given, self.inside = wanted, given, inside


class Record:
    """Base of the records; a subclass is a frozen dataclass of numbers, texts, tuples, mappings and other records."""

    FIX: ClassVar[str] = "restore it from a copy, or start a new run in another folder"
    """What a user can do about a malformed one."""

    def to_json(self) -> Json:
        """As plain JSON values."""
        return {field.name: _plain(getattr(self, field.name)) for field in dataclasses.fields(self)}  # type: ignore[arg-type]

    @classmethod
    def from_json(cls, value: object, where: object) -> Self:
        """Check plain JSON values and make a record of them.

        RunError names `where` they are from, the field, what it holds, what was given, and the cure.
        """
        try:
            return cls._read(value)
        except _Wrong as wrong:
            field = f"{wrong.inside.lstrip('.')} " if wrong.inside else ""
            given = "nothing" if wrong.given is _MISSING else f"{wrong.given!r:.80}"
            raise RunError(f"{where}: {field}must be {wrong.wanted}; given was {given}; {cls.FIX}") from None

    @classmethod
    def _read(cls, value: object) -> Self:
        if not isinstance(value, Mapping):
            raise _Wrong("a JSON object", value)
        found = {}
        for name, (read, wanted, optional) in _FIELDS.of(cls).items():
            if name in value:
                try:
                    found[name] = read(value[name])
                except _Wrong as wrong:
                    wrong.inside = f".{name}{wrong.inside}"
                    raise
            elif not optional:
                raise _Wrong(wanted, _MISSING, f".{name}")
        return cls(**found)


_MISSING = object()


class _Fields:
    """How the fields of each kind of record are read, found out once: name -> (reader, in words, may be absent)."""

    def __init__(self) -> None:
        self._known: dict[type[Record], Mapping[str, tuple[_Reader, str, bool]]] = {}

    def of(self, cls: type[Record]) -> Mapping[str, tuple[_Reader, str, bool]]:
        if cls not in self._known:
            self._known[cls] = _fields(cls)
        return self._known[cls]


_FIELDS = _Fields()


def _fields(cls: type[Record]) -> Mapping[str, tuple[_Reader, str, bool]]:
    hints = typing.get_type_hints(cls)
    found = {}
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        optional = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        found[field.name] = (*_reader(hints[field.name]), optional)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.to_json()
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, tuple | list) else value


def _reader(hint: Any) -> tuple[_Reader, str]:
    """What reads a value of this type, and the type in words."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return lambda value: value, "a value"
    if hint in _SIMPLE:
        accepts, wanted = _SIMPLE[hint]
        return functools.partial(_simple, hint, accepts, wanted), wanted
    if origin in (typing.Union, types.UnionType):
        (inner,) = (a for a in arguments if a is not type(None))
        read, wanted = _reader(inner)
        return lambda value: None if value is None else read(value), f"{wanted} or null"
    if origin is tuple and arguments[1:] == (...,):
        read, wanted = _reader(arguments[0])
        return functools.partial(_many, read), f"a list, each {wanted}"
    if origin is tuple:
        readers = [_reader(a) for a in arguments]
        return functools.partial(_row, [read for read, _ in readers]), f"a list of {len(readers)}"
    if origin is Mapping or (isinstance(origin, type) and issubclass(origin, Mapping)):
        read, wanted = _reader(arguments[1])
        return functools.partial(_mapping, read), f"an object, each entry {wanted}"
    if isinstance(hint, type) and issubclass(hint, Record):
        return hint._read, "an object"
    raise TypeError(f"{hint} has no place in a record")


_SIMPLE: dict[Any, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((float, int), "a number"),
    str: ((str,), "a text"),
}


def _simple(hint: type, accepts: tuple[type, ...], wanted: str, value: Any) -> Any:
    if not isinstance(value, accepts) or (isinstance(value, bool) and hint is not bool):
        raise _Wrong(wanted, value)
    return hint(value)


def _many(read: _Reader, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise _Wrong("a list", value)
    return tuple(_at(f"[{k}]", read, entry) for k, entry in enumerate(value))


def _row(readers: list[_Reader], value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple) or len(value) != len(readers):
        raise _Wrong(f"a list of {len(readers)}", value)
    return tuple(_at(f"[{k}]", read, entry) for k, (read, entry) in enumerate(zip(readers, value, strict=True)))


def _mapping(read: _Reader, value: Any) -> Json:
    if not isinstance(value, Mapping):
        raise _Wrong("an object", value)
    return {str(key): _at(f".{key}", read, entry) for key, entry in value.items()}


def _at(place: str, read: _Reader, value: Any) -> Any:
    try:
        return read(value)
    except _Wrong as wrong:
        wrong.inside = place + wrong.inside
        raise
