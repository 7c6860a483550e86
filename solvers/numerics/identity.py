"""Names of compiled functions by what they hold, so that equal names mean equal machine code.

Numba tells functions of one name apart by a number that counts within one process. Cache files written by different
processes can therefore carry one symbol for two different closures, and the linker takes whichever was loaded first:
wrong numbers, or a crash (numba #10486). Here a digest of a function's content (its byte code, its constants, and the
values its closure holds) becomes part of its name. For the functions of this package and of users' models that happens
where they are declared (`named_by_content`); for the functions that Numba itself compiles into them (`numpy.sum`,
array expressions), where Numba makes their identity, by the hook that this module installs. Nothing but names of
symbols changes by it.
"""

from __future__ import annotations

import functools
import hashlib
import types
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba.core.bytecode import FunctionIdentity
from numba.core.dispatcher import Dispatcher

SEPARATOR = "_content_"
_NUMBERS = (bool, int, float, complex, np.generic)
_PLAIN = (str, bytes, type(None), type(Ellipsis))
# Functions of these modules get their names in the hook: they are compiled into ours, but are not declared by us.
_NOT_OURS = ("numba", "<dynamic>", "builtins")


class NoIdentity(TypeError):
    """A value has no content that could be named."""


def named_by_content(function: Callable[..., Any], options: object = "") -> types.FunctionType:
    """A copy of a function whose `__qualname__` ends in a digest of its content and of how it will be compiled.

    Raises TypeError where the closure holds what cannot be told apart by content (numbers, strings, arrays, tuples,
    functions, classes and modules can).
    """
    if not isinstance(function, types.FunctionType):
        raise TypeError(f"a kernel is made from a Python function, not from {function!r}")
    try:
        digest = content_digest(function, str(options))
    except NoIdentity as error:
        raise TypeError(
            f"{function.__module__}.{function.__qualname__} cannot be compiled: {error}; a kernel's closure may hold "
            "numbers, strings, arrays, tuples of these, functions, classes and modules"
        ) from None
    copy = types.FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    functools.update_wrapper(copy, function)
    del copy.__dict__["__wrapped__"]
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__qualname__ = f"{function.__qualname__}{SEPARATOR}{digest}"
    return copy


def content_digest(function: types.FunctionType, *more: str) -> str:
    """Hex digest of a function's place, byte code, constants, default values and closure."""
    hasher = hashlib.blake2b(digest_size=12)
    for text in (*_describe_function(function, ()), *more):
        hasher.update(f"{len(text)}:{text}".encode())
    return hasher.hexdigest()


def _describe_function(function: types.FunctionType, inside: tuple[int, ...]) -> list[str]:
    if id(function) in inside:  # a recursive function holds itself
        return ["itself", str(inside.index(id(function)))]
    inside = (*inside, id(function))
    qualname = function.__qualname__
    described = ["function", str(function.__module__), qualname]
    if SEPARATOR in qualname:  # the name already says all of it
        return described
    described += _describe_code(function.__code__)
    described += _describe((function.__defaults__, function.__kwdefaults__), inside)
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        described += [name, *_describe(cell.cell_contents, inside)]
    return described


def _describe_code(code: types.CodeType) -> list[str]:
    described = [code.co_code.hex(), *code.co_names, *code.co_varnames, str(code.co_flags)]
    for constant in code.co_consts:
        described += _describe_code(constant) if isinstance(constant, types.CodeType) else _describe(constant, ())
    return described


def _describe(value: Any, inside: tuple[int, ...]) -> list[str]:
    """What a value holds, as texts that are equal only for equal content."""
    if isinstance(value, Dispatcher):
        return ["compiled", *_describe_function(value.py_func, inside)]
    if isinstance(value, types.FunctionType):
        return _describe_function(value, inside)
    if isinstance(value, types.BuiltinFunctionType | np.ufunc | type):
        return ["named", str(getattr(value, "__module__", "")), getattr(value, "__qualname__", repr(value))]
    if isinstance(value, types.ModuleType):
        return ["module", value.__name__]
    if isinstance(value, _NUMBERS):
        return [type(value).__name__, np.asarray(value).dtype.str, np.asarray(value).tobytes().hex(), repr(value)]
    if isinstance(value, _PLAIN):
        return [type(value).__name__, repr(value)]
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return ["array", str(value.dtype.descr), str(value.shape), value.tobytes().hex()]
    if isinstance(value, tuple | list | frozenset | dict):
        return _describe_collection(value, inside)
    if isinstance(value, numba.types.Type | np.dtype):
        return ["type", str(value)]
    raise NoIdentity(f"it holds a {type(value).__module__}.{type(value).__qualname__}")


def _describe_collection(value: Any, inside: tuple[int, ...]) -> list[str]:
    described = [type(value).__module__, type(value).__qualname__, str(len(value))]
    entries = value.items() if isinstance(value, dict) else value
    if isinstance(value, frozenset):
        return [*described, *sorted(text for entry in value for text in _describe(entry, inside))]
    for entry in entries:
        described += _describe(entry, inside)
    return described


def _with_content(identity: Any) -> Any:
    """Numba's own functions, named by content as well; where that cannot be told, as Numba names them."""
    if identity.modname.split(".")[0] in _NOT_OURS and SEPARATOR not in identity.func_qualname:
        try:
            digest = content_digest(identity.func)
        except (NoIdentity, ValueError, AttributeError):  # an empty cell, an object of Numba's own
            return identity
        identity.func_qualname += f"{SEPARATOR}{digest}"
        identity.unique_name = f"{identity.func_qualname}${identity.unique_id}"
    return identity


def install() -> None:
    """Make Numba name its own functions by content; once per process."""
    original = FunctionIdentity.from_function
    if not getattr(original, "by_content", False):

        def from_function(cls: type[FunctionIdentity], pyfunc: Any) -> Any:
            return _with_content(original.__func__(cls, pyfunc))

        from_function.by_content = True  # type: ignore[attr-defined]
        FunctionIdentity.from_function = classmethod(from_function)


install()
