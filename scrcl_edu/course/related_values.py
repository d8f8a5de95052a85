"""Relations between two results by their values: factors, offsets, powers, logarithms, normalization."""

from __future__ import annotations

import numpy as np


def close(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays agree to five digits of the largest entry."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    if a.shape != b.shape or not np.isfinite(a).all() or not np.isfinite(b).all():
        return False
    return bool(np.allclose(a, b, rtol=1e-5, atol=1e-6 * np.abs(b).max(initial=0)))


def ratio_of(got: np.ndarray, expected: np.ndarray) -> float | None:
    """The one factor between two arrays, or None."""
    if got.shape != expected.shape or not expected.any() or not got.any():
        return None
    big = np.unravel_index(np.abs(expected).argmax(), expected.shape)
    ratio = float(got[big]) / float(expected[big])
    return ratio if close(got, ratio * np.asarray(expected, float)) else None


def _numbers(expected: np.ndarray) -> bool:
    return expected.size > 1 and np.unique(expected).size > 1


def not_finite(got: np.ndarray, expected: np.ndarray) -> str | None:
    if got.shape != expected.shape or got.dtype.kind != "f":
        return None
    bad = ~np.isfinite(got) & np.isfinite(expected)
    if not bad.any():
        return None
    word = "NaN" if np.isnan(got[bad]).any() else "infinite"
    where = "" if bad.all() else f" at {bad.sum()} of {bad.size} places"
    return f"is {word}{where}: something is divided by zero there, or a root or logarithm is taken of zero or less"


def constant(got: np.ndarray, expected: np.ndarray) -> str | None:
    if not _numbers(expected) or got.size < 2 or np.ptp(got.astype(float)) > 0:
        return None
    return f"is {got.flat[0]:.4g} everywhere. Which argument is not used?"


_LOGARITHMS = {
    1 / np.log(2): "uses the logarithm to base 2; the natural one is asked for",
    1 / np.log(10): "uses the logarithm to base 10; the natural one is asked for",
    np.log(2): "uses the natural logarithm; the one to base 2 is asked for",
    np.log(10): "uses the natural logarithm; the one to base 10 is asked for",
}


def sign(got: np.ndarray, expected: np.ndarray) -> str | None:
    return "has its sign flipped" if _numbers(expected) and close(got, -1.0 * expected) else None


def other_base(got: np.ndarray, expected: np.ndarray) -> str | None:
    ratio = ratio_of(got, expected) if _numbers(expected) else None
    return next((text for base, text in _LOGARITHMS.items() if ratio and np.isclose(ratio, base, rtol=1e-5)), None)


def factor(got: np.ndarray, expected: np.ndarray) -> str | None:
    ratio = ratio_of(got, expected) if _numbers(expected) else None
    if ratio is None or np.isclose(ratio, 1):
        return None
    simple = next((n for n in range(2, 21) if np.isclose(ratio * n, 1, rtol=1e-5)), None)
    times = f"1/{simple} of" if simple else f"{ratio:.4g} times"
    return f"is {times} the expected one: one factor is wrong, the rest is right"


def complement(got: np.ndarray, expected: np.ndarray) -> str | None:
    if expected.dtype.kind == "b":
        opposite = got.dtype.kind == "b" and got.shape == expected.shape and bool((got == ~expected).all())
        return "is True where it should be False, and the other way round" if opposite else None
    return "is one minus the expected one" if _numbers(expected) and close(got, 1.0 - expected) else None


def offset(got: np.ndarray, expected: np.ndarray) -> str | None:
    if not _numbers(expected) or got.shape != expected.shape:
        return None
    shift = float(np.mean(got.astype(float) - expected))
    if not shift or not close(got - shift, expected):
        return None
    return f"is the expected one {'plus' if shift > 0 else 'minus'} {abs(shift):.4g}, in every entry"


def square(got: np.ndarray, expected: np.ndarray) -> str | None:
    return "is the square of the expected one" if _numbers(expected) and close(got, 1.0 * expected**2) else None


def root(got: np.ndarray, expected: np.ndarray) -> str | None:
    ok = _numbers(expected) and (expected >= 0).all() and close(got, np.sqrt(expected))
    return "is the square root of the expected one" if ok else None


def squares_root(got: np.ndarray, expected: np.ndarray) -> str | None:
    return "has the right size without its sign" if _numbers(expected) and close(got, np.abs(expected)) else None


def reciprocal(got: np.ndarray, expected: np.ndarray) -> str | None:
    ok = _numbers(expected) and (expected != 0).all() and close(got, 1 / expected)
    return "is one divided by the expected one: a quotient is turned round" if ok else None


def reciprocal_where(got: np.ndarray, expected: np.ndarray) -> str | None:
    used = expected != 0
    if not _numbers(expected) or used.all() or used.sum() < 2 or got.shape != expected.shape or got[~used].any():
        return None
    return "has one divided by the expected entries" if close(got[used], 1 / expected[used]) else None


def logarithm(got: np.ndarray, expected: np.ndarray) -> str | None:
    ok = _numbers(expected) and (expected > 0).all() and close(got, np.log(expected))
    return "is the logarithm of the expected one: that step is one too many" if ok else None


def exponential(got: np.ndarray, expected: np.ndarray) -> str | None:
    ok = _numbers(expected) and close(got, np.exp(1.0 * expected))
    return "is exp of the expected one: the logarithm is missing" if ok else None


def without_one(got: np.ndarray, expected: np.ndarray) -> str | None:
    """log x where log(1 + x) was asked for."""
    inner = np.expm1(1.0 * expected)
    kept = inner > 1e-12
    if got.shape != expected.shape or not _numbers(expected) or kept.sum() < 2:
        return None
    return "is log x where log(1 + x) is asked for" if close(got[kept], np.log(inner[kept])) else None


def linear_before_log(got: np.ndarray, expected: np.ndarray) -> str | None:
    if not _numbers(expected) or not close(got, np.expm1(1.0 * expected)):
        return None
    return "is x where log(1 + x) is asked for: the logarithm is missing"


def before_the_log(got: np.ndarray, expected: np.ndarray) -> str | None:
    """A factor that was wrong before log(1 + x) was taken: one for all entries, each row or each column."""
    if not _numbers(expected) or (expected < 0).any() or (got < 0).any() or not got.any() or got.max() > 50:
        return None
    a, b = np.expm1(1.0 * got), np.expm1(1.0 * expected)
    found = factor(a, b) or row_scale(a, b) or column_scale(a, b)
    return f"was wrong before log(1 + x) was taken: there it {found}" if found else None


def rounded_off(got: np.ndarray, expected: np.ndarray) -> str | None:
    if got.shape != expected.shape or not _numbers(expected) or expected.dtype.kind != "f":
        return None
    whole = np.floor(expected), np.round(expected), np.trunc(expected)
    if any(np.array_equal(got, one) for one in whole):
        return "is the expected one without its decimals: whole numbers were divided, or stored as such"
    digits = next(
        (d for d in range(1, 5) if _has_digits(got, d) and np.abs(got - expected).max() <= 0.501 / 10**d), None
    )
    return f"is rounded to {digits} digits" if digits else None


def _has_digits(x: np.ndarray, digits: int) -> bool:
    return bool(np.allclose(x, np.round(x, digits), rtol=0, atol=1e-9))


def cut_off(got: np.ndarray, expected: np.ndarray) -> str | None:
    if got.shape != expected.shape or not _numbers(expected) or not np.ptp(got.astype(float)):
        return None
    low, high = float(got.min()), float(got.max())
    if close(got, np.maximum(expected, low)) and (got == low).sum() > 1:
        return f"is cut off at {low:.4g} from below"
    if close(got, np.minimum(expected, high)) and (got == high).sum() > 1:
        return f"is cut off at {high:.4g} from above"
    return None


def not_cut_off(got: np.ndarray, expected: np.ndarray) -> str | None:
    if got.shape != expected.shape or not _numbers(expected) or np.isin(expected, [0, 1]).all():
        return None
    low, high = float(expected.min()), float(expected.max())
    if close(expected, np.maximum(got, low)) and (expected == low).sum() > 1:
        return f"goes below {low:.4g}, where the expected one is cut off"
    if close(expected, np.minimum(got, high)) and (expected == high).sum() > 1:
        return f"goes above {high:.4g}, where the expected one is cut off"
    return None


def binary(got: np.ndarray, expected: np.ndarray) -> str | None:
    if np.isin(expected, [0, 1]).all() or not close(got, 1.0 * (expected != 0)):
        return None
    return "has only zeros and ones, at the right places: the weights are lost"


def weighted(got: np.ndarray, expected: np.ndarray) -> str | None:
    if not _numbers(expected) or got.shape != expected.shape or not np.isin(expected, [0, 1]).all():
        return None
    return (
        "has its entries at the right places, but they are not 1" if np.array_equal(got != 0, expected != 0) else None
    )


def row_scale(got: np.ndarray, expected: np.ndarray) -> str | None:
    return _scaled_along(got, expected, axis=1)


def column_scale(got: np.ndarray, expected: np.ndarray) -> str | None:
    return _scaled_along(got, expected, axis=0)


def _scaled_along(got: np.ndarray, expected: np.ndarray, axis: int) -> str | None:
    """One factor for each row (axis 1) or column (axis 0)."""
    if got.ndim != 2 or got.shape != expected.shape or min(got.shape) < 2 or not got.any():
        return None
    a, b = (np.asarray(x, float) if axis == 1 else np.asarray(x, float).T for x in (got, expected))
    by = (a * b).sum(1, keepdims=True) / np.maximum((b * b).sum(1, keepdims=True), 1e-300)
    if not close(a, by * b) or (np.count_nonzero(b, axis=1) < 2).all():
        return None
    line = "row" if axis == 1 else "column"
    return f"has a wrong factor for each {line}{_length(a, line)}; inside a {line} all is right"


def _length(lines: np.ndarray, line: str) -> str:
    if np.allclose(lines.sum(1), 1, rtol=1e-5):
        return f" (your {line}s sum to 1)"
    if np.allclose(np.linalg.norm(lines, axis=1), 1, rtol=1e-5):
        return f" (your {line}s have length 1)"
    return f" (your {line}s have the maximum 1)" if np.allclose(lines.max(1), 1, rtol=1e-5) else ""


def row_offset(got: np.ndarray, expected: np.ndarray) -> str | None:
    return _shifted_along(got, expected, axis=1)


def column_offset(got: np.ndarray, expected: np.ndarray) -> str | None:
    return _shifted_along(got, expected, axis=0)


def _shifted_along(got: np.ndarray, expected: np.ndarray, axis: int) -> str | None:
    if got.ndim != 2 or got.shape != expected.shape or min(got.shape) < 2:
        return None
    gap = np.asarray(got, float) - expected
    shift = gap.mean(axis, keepdims=True)
    if not close(got - shift, expected):
        return None
    line = "row" if axis == 1 else "column"
    centered = np.allclose(got.mean(axis), 0, atol=1e-6)
    return f"is off by one number in each {line}{f' (your {line}s have mean 0)' if centered else ''}"


def centered(got: np.ndarray, expected: np.ndarray) -> str | None:
    """The mean of each row or column taken off, or of everything."""
    if got.shape != expected.shape or got.ndim == 0 or not _numbers(expected):
        return None
    for axis, what in ((0, "each column" if got.ndim > 1 else "all"), (1, "each row"), (None, "all")):
        if axis == 1 and got.ndim < 2:
            continue
        mean = expected.astype(float).mean(axis, keepdims=True)
        if expected.shape[axis or 0] > 1 and not np.allclose(mean, 0) and close(got, expected - mean):
            return f"is the expected one with the mean of {what} taken off"
        mean = got.astype(float).mean(axis, keepdims=True)
        if got.shape[axis or 0] > 1 and not np.allclose(mean, 0) and close(got - mean, expected):
            return f"still has the mean of {what} in it, which the expected one has not"
    return None


def softmax_elsewhere(got: np.ndarray, expected: np.ndarray) -> str | None:
    """A softmax, or its logarithm, over another axis or over everything: one factor for each row and column."""
    if got.ndim != 2 or got.shape != expected.shape or min(got.shape) < 2:
        return None
    for a, b, what in (
        (got, expected, "softmax"),
        (np.exp(1.0 * got), np.exp(1.0 * expected), "logarithm of a softmax"),
    ):
        if not (a > 0).all() or not (b > 0).all():
            continue
        gap = np.log(a) - np.log(b)
        if not close(gap, gap.mean(1, keepdims=True) + gap.mean(0, keepdims=True) - gap.mean()):
            continue
        axes = {"its rows": 1, "its columns": 0, "all entries": None}
        ours, theirs = (
            next((name for name, axis in axes.items() if np.allclose(x.sum(axis), 1, rtol=1e-4)), None) for x in (a, b)
        )
        if ours and theirs and ours != theirs:
            return f"is the {what} over {ours}; over {theirs} it is asked for"
    return None


def affine(got: np.ndarray, expected: np.ndarray) -> str | None:
    if np.unique(expected).size < 4 or got.shape != expected.shape:
        return None
    slope, shift = np.polyfit(expected.ravel().astype(float), got.ravel().astype(float), 1)
    if not slope or not close(got, slope * expected + shift):
        return None
    return f"is {slope:.4g} times the expected one {'plus' if shift > 0 else 'minus'} {abs(shift):.4g}"


def power(got: np.ndarray, expected: np.ndarray) -> str | None:
    if np.unique(expected).size < 3 or not (expected > 0).all() or not (got > 0).all():
        return None
    exponent, shift = np.polyfit(np.log(expected).ravel(), np.log(got).ravel(), 1)
    if abs(shift) > 1e-6 or abs(exponent) < 1e-6 or not close(got, expected**exponent):
        return None
    return f"is the expected one to the power {exponent:.3g}: an exponent is wrong"


def row_and_column_scale(got: np.ndarray, expected: np.ndarray) -> str | None:
    kept = expected != 0
    if got.ndim != 2 or got.shape != expected.shape or not np.array_equal(kept, got != 0) or (got * expected < 0).any():
        return None
    n, m = got.shape
    rows, columns = np.nonzero(kept)
    if len(rows) < n + m + 2:
        return None
    design = np.zeros((len(rows), n + m))
    design[np.arange(len(rows)), rows] = design[np.arange(len(rows)), n + columns] = 1
    gap = np.log(np.abs(got[kept] / expected[kept]))
    fitted = design @ np.linalg.lstsq(design, gap, rcond=None)[0]
    if not np.allclose(fitted, gap, atol=1e-5):
        return None
    return "is the expected one but for one factor for each row and one for each column"


def not_symmetric(got: np.ndarray, expected: np.ndarray) -> str | None:
    if got.ndim != 2 or got.shape != expected.shape or len(got) != len(got.T) or not np.ptp(expected.astype(float)):
        return None
    one_way = close(expected, expected.T) and not close(got, got.T)
    return "is not symmetric, and the expected one is: rows and columns are not treated alike" if one_way else None


def values_only(got: np.ndarray, expected: np.ndarray) -> str | None:
    used = expected != 0
    if got.shape != expected.shape or used.all() or not used.any() or not np.array_equal(got != 0, used):
        return None
    return "has its entries at the right places, and their values are wrong"


def same_order(got: np.ndarray, expected: np.ndarray) -> str | None:
    if got.shape != expected.shape or np.unique(expected).size < 5 or np.unique(got).size < 5:
        return None
    order = np.argsort(expected, axis=None, kind="stable")
    steps = np.diff(got.ravel()[order]), np.diff(expected.ravel()[order])
    if (steps[0] >= 0).all():
        return "grows where the expected one grows, and its values are wrong"
    return "grows where the expected one falls, and its values are wrong" if (steps[0] <= 0).all() else None


VALUES = {
    "not finite": not_finite,
    "constant": constant,
    "sign": sign,
    "other base": other_base,
    "centered": centered,
    "factor": factor,
    "complement": complement,
    "offset": offset,
    "square": square,
    "root": root,
    "absolute value": squares_root,
    "reciprocal": reciprocal,
    "logarithm": logarithm,
    "exponential": exponential,
    "without one": without_one,
    "no logarithm": linear_before_log,
    "rounded": rounded_off,
    "cut off": cut_off,
    "not cut off": not_cut_off,
    "power": power,
    "affine": affine,
}
SCALED = {
    "softmax over another axis": softmax_elsewhere,
    "factor per row": row_scale,
    "factor per column": column_scale,
    "offset per row": row_offset,
    "offset per column": column_offset,
    "binary": binary,
    "weighted": weighted,
    "reciprocal where not zero": reciprocal_where,
    "factor per row and column": row_and_column_scale,
    "before the log": before_the_log,
    "not symmetric": not_symmetric,
    "values only": values_only,
    "same order": same_order,
}
