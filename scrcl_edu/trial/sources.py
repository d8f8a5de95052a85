"""From a learner's functions to text: a part goes to its trial as source, so that it takes no data with it."""

from __future__ import annotations

import ast
import inspect
import textwrap
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scrcl_edu.errors import InputFileError, ScrclError
from scrcl_edu.parts import SIGNATURES, PartError

LONGEST_CONSTANT = 200  # characters; longer ones might hold labels


class TrialRefused(ScrclError, ValueError):
    """A part looked for something that it must not see."""


def from_file(path: str | Path) -> tuple[str, dict[str, str]]:
    """Read a file whose functions are called as the parts that they stand for.

    Returns
    -------
    The source, and for each part the name of its function.

    Raises
    ------
    InputFileError, PartError
        When the file cannot be read, is no Python, or defines no part.
    """
    try:
        source = Path(path).read_text(encoding="utf-8")
        tree = ast.parse(source)
    except (OSError, UnicodeDecodeError) as error:
        raise InputFileError(f"{path} cannot be read: {error}") from error
    except SyntaxError as error:
        raise InputFileError(f"{path} is no Python: line {error.lineno}: {error.msg}") from error
    found = [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in SIGNATURES]
    if not found:
        signatures = "; ".join(f"{name}({arguments})" for name, arguments in SIGNATURES.items())
        raise PartError(f"{path} defines no part; define one of these functions: {signatures}")
    return source, {name: name for name in found}


def from_functions(functions: dict[str, Callable[..., Any]]) -> tuple[str, dict[str, str]]:
    """Write out functions with their helpers, the modules they import and their small constants.

    Returns
    -------
    As :func:`from_file`.

    Raises
    ------
    PartError
        When a function has no source.
    TrialRefused
        When it uses data that it is not given.
    """
    lines: dict[str, str] = {}
    for function in functions.values():
        _write_out(function, lines)
    source = "\n\n".join(["from __future__ import annotations", *lines.values()])
    return source, {part: function.__name__ for part, function in functions.items()}


def _write_out(function: Callable[..., Any], lines: dict[str, str]) -> None:
    if not inspect.isfunction(function) or function.__name__ == "<lambda>":
        raise PartError(f"{function!r} has no source that can be sent to the trial; define it with def")
    name = function.__name__
    if name in lines:
        return
    if function.__closure__ or (function.__defaults__ and not all(map(_is_small, function.__defaults__))):
        raise TrialRefused(f"{name} carries values with it, which could be labels; give it arguments or constants")
    try:
        text = textwrap.dedent(inspect.getsource(function))
    except OSError as error:
        raise PartError(f"the source of {name} cannot be found; write it into a file or a cell") from error
    lines[name] = ""  # keeps the place, and ends a circle of helpers
    for used in sorted(_names(function.__code__)):
        if used in function.__globals__:
            _carry(function, used, lines)
    del lines[name]
    lines[name] = text


def _carry(function: Callable[..., Any], name: str, lines: dict[str, str]) -> None:
    """What a function may take with it: modules, what modules define, helpers, and small constants."""
    value = function.__globals__[name]
    if isinstance(value, types.ModuleType):
        lines.setdefault(name, f"import {value.__name__} as {name}")
    elif _is_small(value):
        lines.setdefault(name, f"{name} = {value!r}")
    elif inspect.isfunction(value) and value.__globals__ is function.__globals__:
        _write_out(value, lines)
    elif callable(value) and getattr(value, "__module__", None) and hasattr(value, "__qualname__"):
        if value.__module__ == "__main__":
            raise PartError(f"{function.__name__} uses {name}, which the trial cannot write out; use functions only")
        lines.setdefault(name, f"from {value.__module__} import {value.__qualname__.split('.')[0]} as {name}")
    else:
        raise TrialRefused(
            f"{function.__name__} uses {name}, {type(value).__name__} that it is not given; a part sees its arguments "
            "alone, so compute it from them"
        )


def _is_small(value: Any) -> bool:
    plain = isinstance(value, bool | int | float | str | tuple | types.NoneType)
    return plain and len(repr(value)) <= LONGEST_CONSTANT


def _names(code: types.CodeType) -> set[str]:
    inner = [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return set(code.co_names).union(*(_names(one) for one in inner))
