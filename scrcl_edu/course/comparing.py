"""Compare what a learner's function gave with what was expected, and say the difference in words."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import scipy.sparse as sp

TOLERANCE = 1e-6  # relative to the largest expected number; ten times as much in single precision


def _is_tensor(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def kind(value: Any) -> str:
    """Name the kind of a value, as a learner would."""
    if value is None:
        return "None"
    if _is_tensor(value):
        return "a torch tensor"
    if sp.issparse(value):
        return "a sparse matrix"
    if isinstance(value, bool | int | float | np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return "a number"
    if isinstance(value, np.ndarray):
        return "a NumPy array"
    names: dict[type, str] = {dict: "a dictionary", list: "a list", tuple: "a tuple", str: "a string"}
    return names.get(type(value), f"an object of type {type(value).__name__}")


def numbers(value: Any) -> np.ndarray:
    """Give tensors, sparse matrices, arrays and numbers as one dense array."""
    if _is_tensor(value):
        value = value.detach()
        return (value.to_dense() if "sparse" in str(value.layout) else value).cpu().numpy()
    return value.toarray() if sp.issparse(value) else np.asarray(value)


def _category(value: Any) -> str:
    dtype = value.dtype if hasattr(value, "dtype") else np.asarray(value).dtype
    name = str(dtype).removeprefix("torch.")
    if name == "bool":
        return "true/false values"
    if name.startswith(("int", "uint")):
        return "whole numbers"
    return name if "16" in name or "complex" in name else "floating-point numbers"


def _shape(value: Any) -> str:
    return " x ".join(map(str, value.shape)) if value.shape else "one value"


def difference(got: Any, expected: Any, *, where: str = "") -> str | None:
    """Say how `got` differs from `expected`, or give None when they agree.

    Parameters
    ----------
    got, expected
        Numbers, arrays, tensors, sparse matrices, strings, or lists, tuples and dictionaries of them.
    where
        Name of the part that is compared; empty for the result itself.

    Returns
    -------
    One sentence, or None. Numbers agree within 1e-6, relative to the largest expected one; within 1e-5 where one of the
    two is in single precision, which is no mistake.
    """
    text, leaves = parts(got, expected, where)
    return text or next((said for leaf in leaves if (said := _leaf_difference(*leaf))), None)


def parts(got: Any, expected: Any, where: str = "") -> tuple[str, list[tuple[Any, Any, str]]]:
    """Take lists, tuples and dictionaries apart side by side.

    Returns
    -------
    What is wrong with how they are built (empty when nothing is), and the pairs of parts with their names.
    """
    name = where or "the result"
    if isinstance(expected, dict) and isinstance(got, dict):
        if set(got) != set(expected):
            return f"{name} has the keys {sorted(map(str, got))} and should have {sorted(map(str, expected))}.", []
        inner = [(got[key], expected[key], f"the entry {key!r}") for key in expected]
    elif isinstance(expected, list | tuple) and isinstance(got, list | tuple):
        if len(got) != len(expected):
            return f"{name} has {len(got)} parts and should have {len(expected)}.", []
        inner = [(a, b, f"part {i + 1}") for i, (a, b) in enumerate(zip(got, expected, strict=True))]
    else:
        return "", [(got, expected, name)]
    taken = [parts(*one) for one in inner]
    return next((text for text, _ in taken if text), ""), [leaf for _, leaves in taken for leaf in leaves]


def _leaf_difference(got: Any, expected: Any, name: str) -> str | None:
    if kind(got) != kind(expected):
        advice = _sum_or_mean(got, expected) or _advice(got, expected)
        return f"{name} is {kind(got)} and should be {kind(expected)}.{advice}"
    if kind(expected).startswith(("a string", "an object", "None")):
        return None if _same_object(got, expected) else f"{name} is {got!r}."
    return _array_difference(got, expected, name)


def _same_object(got: Any, expected: Any) -> bool:
    try:
        return type(got) is type(expected) and bool(got == expected)
    except (ValueError, RuntimeError):  # arrays inside have no single truth value
        return repr(got) == repr(expected)


def _advice(got: Any, expected: Any) -> str:
    if isinstance(got, list | tuple | dict | str):
        return f" The docstring says what to hand back: {kind(expected)}, by itself."
    if isinstance(expected, list | tuple):
        return f" Hand back {len(expected)} values with a comma between them."
    if _is_tensor(expected) and not _is_tensor(got):
        return " Stay with torch functions from beginning to end: the gradient stops where a tensor is left."
    if _is_tensor(got) and kind(expected) == "a number":
        return " Use .item() to get the number out of a tensor; it also lets go of the gradient's history."
    if kind(expected) == "a sparse matrix":
        return " A dense matrix of cells by cells does not fit in memory for many cells."
    return ""


def _array_difference(got: Any, expected: Any, name: str) -> str | None:
    if _is_tensor(expected) and got.device != expected.device:
        return f"{name} is on the device {got.device} and should be on {expected.device}, where the input is."
    if hasattr(expected, "shape") and tuple(np.shape(got)) != tuple(expected.shape):
        turned = " It is the transpose of what was expected." if _transposed(got, expected) else ""
        advice = turned or _sum_or_mean(got, expected)
        return f"{name} has shape {_shape(got)} and should have {_shape(expected)}.{advice}"
    whole = not _is_tensor(got) and (_category(got), _category(expected)) == ("whole numbers", "floating-point numbers")
    if _category(got) != _category(expected) and not whole and kind(expected) in ("a torch tensor", "a NumPy array"):
        return f"{name} holds {_category(got)} and should hold {_category(expected)}."
    a, b = np.asarray(numbers(got)), np.asarray(numbers(expected))
    if a.dtype.kind in "OUS" or b.dtype.kind in "OUS":
        return None if np.array_equal(a, b) else f"{name} holds other values than expected."
    if a.dtype.kind == b.dtype.kind == "b":
        return None if np.array_equal(a, b) else f"{name} differs at {(a != b).sum()} of {b.size} entries."
    if _agree(a.astype(float), b.astype(float), single=_single(got) or _single(expected)):
        return None
    return f"{name} has other values{_where(a.astype(float), b.astype(float))}."


def distance(got: Any, expected: Any) -> float:
    """How far apart two values are, relative to the size of the second: 0 when equal, infinite when not alike.

    Of numbers the mean absolute difference counts, of true/false values and whole numbers the share that differs.
    """
    text, leaves = parts(got, expected)
    if text or not all(comparable(a, b) and np.shape(a) == np.shape(b) for a, b, _ in leaves):
        return math.inf
    total = 0.0
    for one in leaves:
        a, b = numbers(one[0]), numbers(one[1])
        if {a.dtype.kind, b.dtype.kind} - set("biuf"):
            return math.inf
        if b.dtype.kind == "f":
            gap, size = np.abs(a - b).mean(), max(np.abs(b).mean(), 1e-300)
            total += float(gap / size) if np.isfinite(gap) else math.inf
        else:
            total += float((a != b).mean())
    return total


_ARRAYS = {"a number", "a NumPy array", "a torch tensor", "a sparse matrix"}


def comparable(got: Any, expected: Any) -> bool:
    """Whether two values are numbers of one kind, so that a relation between them may be looked for."""
    kinds = {kind(got), kind(expected)}
    if len(kinds) > 1 and not ("a number" in kinds and kinds <= _ARRAYS):
        return False
    if any(_is_tensor(value) and value.device.type == "meta" for value in (got, expected)):
        return False
    return not any("16" in str(getattr(value, "dtype", "")).replace("int16", "") for value in (got, expected))


def _single(value: Any) -> bool:
    return str(getattr(value, "dtype", "")).endswith("float32")


def _agree(a: np.ndarray, b: np.ndarray, *, single: bool) -> bool:
    tolerance = 10 * TOLERANCE if single else TOLERANCE
    scale = np.abs(b[np.isfinite(b)]).max(initial=0.0)
    return bool(np.allclose(a, b, rtol=tolerance, atol=tolerance * max(scale, 1e-6), equal_nan=True))


def rounded(got: Any, expected: Any) -> str:
    """A remark on a right result in single precision where double was expected; empty when there is none."""
    if _single(got) and str(getattr(expected, "dtype", "")).endswith("float64"):
        return "your result is in single precision (float32): seven digits, which are enough here"
    return ""


def _sum_or_mean(got: Any, expected: Any) -> str:
    one = kind(expected) == "a number" or getattr(expected, "shape", None) == ()
    if not one or not getattr(got, "shape", ()):
        return ""
    values, wanted = numbers(got), float(numbers(expected))
    if values.dtype.kind not in "biuf" or not values.size:
        return ""
    for word in ("sum", "mean", "max", "min"):
        total = getattr(values, word)()
        if np.isclose(total, wanted, rtol=1e-5):
            return f" Its {word} is the expected number: only the {word} is missing."
    return ""


def _transposed(got: Any, expected: Any) -> bool:
    a, b = numbers(got), numbers(expected)
    return a.ndim == 2 and a.T.shape == b.shape and np.allclose(a.T, b, rtol=TOLERANCE, atol=TOLERANCE)


def _where(a: np.ndarray, b: np.ndarray) -> str:
    wrong = ~np.isclose(a, b, rtol=1e-5, atol=1e-8, equal_nan=True)
    if a.ndim == 0 or wrong.all():
        return ""
    place = ", ".join(map(str, np.argwhere(wrong)[0]))
    return f" at {wrong.sum()} of {wrong.size} places, first at [{place}]"


def describe(value: Any, *, brief: bool = False) -> str:
    """Write a value in a few short lines; `brief` leaves the numbers of anything but the smallest away."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {describe(item, brief=brief)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "(" + ", ".join(describe(item, brief=brief) for item in value) + ")"
    what = kind(value)
    if what in ("None", "a string"):
        return repr(value)
    if what == "a number":
        return (
            f"{np.asarray(value).item():.4g}" if np.asarray(value).dtype.kind == "f" else str(np.asarray(value).item())
        )
    if what.startswith("an object") and hasattr(value, "shape"):
        return f"{type(value).__name__} {_shape(value)}"
    if what.startswith("an object"):
        return type(value).__name__
    head = f"{what.removeprefix('a ')} {_shape(value)}"
    if _is_tensor(value) and value.device.type != "cpu":
        return f"{head} on {value.device}"
    array = numbers(value)
    if brief or array.size > 64:
        return head
    if array.dtype.kind == "f":
        array = np.round(array, 3) + 0.0
    body = np.array2string(array, precision=3, suppress_small=True, max_line_width=76)
    return f"{head}: {body}" if array.ndim < 2 else f"{head}\n{body}"
