"""Relations between two results by their places: turned, moved, masked, right only in a part."""

from __future__ import annotations

import numpy as np

from scrcl_edu.course.related_values import close

AXES = {0: "rows", 1: "columns"}


def positions(got: np.ndarray, expected: np.ndarray) -> str | None:
    if expected.dtype.kind != "b" or got.dtype.kind not in "iu" or got.ndim != 1:
        return None
    found = np.flatnonzero(expected)
    if np.array_equal(np.sort(got), found):
        return "holds the positions of what is True; a mask is asked for"
    if len(np.unique(got)) < len(got) or got.min(initial=0) < 0 or got.max(initial=0) >= expected.size:
        return None
    return "holds positions, and not the right ones; a mask is asked for, True or False for each place"


def mask(got: np.ndarray, expected: np.ndarray) -> str | None:
    if got.dtype.kind != "b" or expected.dtype.kind not in "iu" or expected.ndim != 1:
        return None
    found = np.flatnonzero(got)
    return (
        "is a mask; the positions of what is True are asked for" if np.array_equal(found, np.sort(expected)) else None
    )


def flat(got: np.ndarray, expected: np.ndarray) -> str | None:
    if got.shape == expected.shape or got.size != expected.size or not close(got.ravel(), expected.ravel()):
        return None
    shape = " x ".join(map(str, expected.shape)) or "a single number"
    return f"has the right numbers in another shape; {shape} is asked for"


def selected(got: np.ndarray, expected: np.ndarray) -> str | None:
    """The same matrix with too few rows or columns, or with too many."""
    if got.ndim != 2 or expected.ndim != 2:
        return None
    for axis, line in AXES.items():
        a, b = (np.moveaxis(x, axis, 0) for x in (got, expected))
        if a.shape[1] != b.shape[1] or len(a) == len(b) or min(len(a), len(b)) == 0:
            continue
        few, many = (a, b) if len(a) < len(b) else (b, a)
        places, start = [], 0
        for row in few:
            start = next((i + 1 for i in range(start, len(many)) if close(row, many[i])), 0)
            places.append(start)
            if not start:
                break
        if all(places):
            gap = len(many) - len(few)
            some = line if gap > 1 else line[:-1]
            if few is a:
                return (
                    f"has {gap} {some} too few, and the others are right: a condition is too strong, or asked too often"
                )
            return f"has {gap} {some} too many, and the others are right: a condition is too weak or missing"
    return None


def transposed(got: np.ndarray, expected: np.ndarray) -> str | None:
    return "is the transpose of the expected one" if got.ndim == 2 and close(got.T, expected) else None


def not_summed(got: np.ndarray, expected: np.ndarray) -> str | None:
    """An axis is left that should have been summed or averaged over."""
    if got.ndim <= expected.ndim or got.size <= expected.size:
        return None
    axes = [*range(got.ndim), *([None] if expected.ndim == 0 else [])]
    for word in ("sum", "mean", "max", "min"):
        for axis in axes:
            if close(getattr(got, word)(axis=axis), expected):
                where = "" if axis is None or got.ndim == 1 else f" over its {AXES.get(axis, f'axis {axis}')}"
                over = {0: " over axis 0", 1: " over axis 1"}.get(axis, "") if got.ndim == 2 else where
                return f"is not reduced: its {word}{over} is the expected one"
    return None


def summed_up(got: np.ndarray, expected: np.ndarray) -> str | None:
    """An axis is gone that should have been kept."""
    if got.ndim >= expected.ndim or expected.size < 2:
        return None
    for word in ("sum", "mean", "max", "min"):
        for axis in [None, *range(expected.ndim)]:
            if close(getattr(1.0 * expected, word)(axis=axis), got):
                over = "" if axis is None else f" over axis {axis}"
                return f"is reduced too far: it is the {word}{over} of the expected one"
    return None


def reversed_order(got: np.ndarray, expected: np.ndarray) -> str | None:
    for axis in range(expected.ndim):
        if expected.shape[axis] > 1 and close(np.flip(got, axis) if got.ndim > axis else got, expected):
            what = AXES[axis] if expected.ndim == 2 else "entries"
            return f"has the right {what} in reverse order"
    return None


def moved(got: np.ndarray, expected: np.ndarray) -> str | None:
    """Rows or entries that stand one or two places off, with anything in the places that became free."""
    if got.shape != expected.shape or got.ndim == 0 or got.size == 1:
        return None
    for axis in range(min(got.ndim, 2)):
        n = got.shape[axis]
        for step in (1, 2):
            if n - step < 3:
                continue
            a, b = np.moveaxis(got, axis, 0), np.moveaxis(expected, axis, 0)
            what = {0: "row", 1: "column"}[axis] if got.ndim > 1 else "place"
            for early, late, word in ((a, b, "early"), (b, a, "late")):
                if close(early[: n - step], late[step:]):
                    return f"is {step} {what}{'s' if step > 1 else ''} too {word}, and right otherwise"
    return None


def rows_in_another_order(got: np.ndarray, expected: np.ndarray) -> str | None:
    return _permuted(got, expected, 0)


def columns_in_another_order(got: np.ndarray, expected: np.ndarray) -> str | None:
    return _permuted(got, expected, 1)


def _permuted(got: np.ndarray, expected: np.ndarray, axis: int) -> str | None:
    if got.shape != expected.shape or got.ndim != 2 or got.shape[axis] < 2 or got.shape[1 - axis] < 2:
        return None
    a, b = (np.asarray(x, float) if axis == 0 else np.asarray(x, float).T for x in (got, expected))
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return None
    free = list(range(len(b)))
    for row in a:
        match = next((i for i in free if close(row, b[i])), None)
        if match is None:
            return None
        free.remove(match)
    return f"has the right {AXES[axis]} in another order"


def shifted_positions(got: np.ndarray, expected: np.ndarray) -> str | None:
    """Positions counted among what is left after something was taken out."""
    if got.shape != expected.shape or got.dtype.kind not in "iu" or expected.dtype.kind not in "iu" or got.size < 4:
        return None
    gap = expected.astype(int) - got
    if np.isin(expected, [0, 1]).all() or set(np.unique(gap)) != {0, 1} or gap.sum() < 2:
        return None
    if gap[expected == expected.min()].any():  # nothing stands before the first
        return None
    return (
        f"is one too small at {gap.sum()} of {gap.size} places and right at the others, as positions are that were "
        "counted after something had been taken out before them"
    )


def entries_in_another_order(got: np.ndarray, expected: np.ndarray) -> str | None:
    if got.shape != expected.shape or got.size < 3 or np.unique(expected).size < 3:
        return None
    return "has the right entries in another order" if close(np.sort(got, None), np.sort(expected, None)) else None


def diagonal(got: np.ndarray, expected: np.ndarray) -> str | None:
    if not _square(got, expected):
        return None
    own = np.eye(len(got), dtype=bool)
    if close(got[~own], expected[~own]):
        return f"is right but for the diagonal{_all_of(got.diagonal())}"
    return "is right on the diagonal only" if close(got[own], expected[own]) and expected[own].any() else None


def _all_of(own: np.ndarray) -> str:
    """What stands on a wrong diagonal, when it is the same everywhere."""
    if np.ptp(own.astype(float)) > 0:
        return ""
    guess = {0.0: ". Is the identity missing?", 1.0: ". Was the identity added too early or too late?"}
    return f", where yours is {own[0]:.4g} everywhere{guess.get(float(own[0]), '')}"


def triangle(got: np.ndarray, expected: np.ndarray) -> str | None:
    if not _square(got, expected):
        return None
    for half, word in ((np.triu, "above"), (np.tril, "below")):
        part = half(np.ones(got.shape, bool), 1 if half is np.triu else -1)
        if expected[part].any() and close(got[part], expected[part]) and not got[part.T].any():
            return f"is right {word} the diagonal and empty on the other side: each pair stands there once, not twice"
    return None


def symmetrized(got: np.ndarray, expected: np.ndarray) -> str | None:
    if not _square(got, expected):
        return None
    both = (expected + expected.T) / 2
    if close(got, both) or close(got, 2 * both) or close(got, np.maximum(expected, expected.T)):
        return "is made symmetric; the expected one has a direction"
    if close((got + got.T) / 2, expected) or close(np.maximum(got, got.T), expected):
        return "is not symmetric; the expected one is"
    return None


def twice(got: np.ndarray, expected: np.ndarray) -> str | None:
    if not _square(got, expected) or not np.any(expected):
        return None
    if close(got, expected @ expected):
        return "is the expected one times itself: it is applied once too often"
    return "times itself is the expected one: it is applied once too few" if close(got @ got, expected) else None


def added_up(got: np.ndarray, expected: np.ndarray) -> str | None:
    if got.shape != expected.shape or got.ndim == 0 or got.size < 3:
        return None
    if any(close(got, np.cumsum(expected, axis)) for axis in range(got.ndim)):
        return "adds up along the way: each entry is the sum of the expected ones so far"
    return None


def one_end(got: np.ndarray, expected: np.ndarray) -> str | None:
    """Right but for the first or the last row, column or entry."""
    if got.shape != expected.shape or got.ndim == 0 or got.size < 3:
        return None
    for axis in range(min(got.ndim, 2)):
        a, b = np.moveaxis(got, axis, 0), np.moveaxis(expected, axis, 0)
        what = ("row", "column")[axis] if got.ndim > 1 else "entry"
        if len(a) < 3:
            continue
        for inner, word in ((slice(1, None), "first"), (slice(0, -1), "last")):
            if close(a[inner], b[inner]):
                return f"is right but for the {word} {what}: does something begin or end there?"
    return None


def where_zero(got: np.ndarray, expected: np.ndarray) -> str | None:
    if (
        got.shape != expected.shape
        or expected.dtype.kind == "b"
        or got.size < 4
        or expected.all()
        or not expected.any()
    ):
        return None
    used = expected != 0
    if close(got[used], expected[used]):
        return "is right where the expected one is not zero, and wrong where it is"
    if not got[~used].any() and not got[used].all() and close(got[used & (got != 0)], expected[used & (got != 0)]):
        n = int((used & (got == 0)).sum())
        return (
            f"is right where it is not zero; at {n} of {used.sum()} places something is missing" if got.any() else None
        )
    return None


def few_rows(got: np.ndarray, expected: np.ndarray) -> str | None:
    """Right but for some rows, or some entries of a vector, fewer than half."""
    if got.shape != expected.shape or got.ndim == 0 or len(got) < 3:
        return None
    scale = 1e-6 * np.abs(np.where(np.isfinite(expected), expected, 0)).max(initial=0)
    wrong = ~np.isclose(got, expected, rtol=1e-5, atol=scale, equal_nan=True)
    lines = wrong.reshape(len(got), -1).any(1)
    if 0 < lines.sum() <= len(got) / 2:
        what = "row" if got.ndim > 1 else "entry"
        named = ", ".join(map(str, np.flatnonzero(lines)[:5]))
        only = f"the {what}" if lines.sum() == 1 else {"row": "the rows", "entry": "the entries"}[what]
        return f"is right but for {only} {named}. What is special there?"
    return None


def mask_difference(got: np.ndarray, expected: np.ndarray) -> str | None:
    if got.dtype.kind != "b" or expected.dtype.kind != "b" or got.shape != expected.shape:
        return None
    extra, missing = int((got & ~expected).sum()), int((expected & ~got).sum())
    if extra and missing:
        return None
    if extra:
        return f"is True at all the right places and at {extra} more: a condition is too weak or missing"
    return f"is True only at right places, but at {missing} too few: a condition is too strong"


def _square(got: np.ndarray, expected: np.ndarray) -> bool:
    return got.ndim == 2 and got.shape == expected.shape and got.shape[0] == got.shape[1] > 1


PLACES = {
    "positions": positions,
    "mask": mask,
    "transposed": transposed,
    "shape": flat,
    "rows or columns left out": selected,
    "not reduced": not_summed,
    "reduced too far": summed_up,
    "reversed": reversed_order,
    "rows in another order": rows_in_another_order,
    "columns in another order": columns_in_another_order,
    "moved": moved,
    "shifted positions": shifted_positions,
    "entries in another order": entries_in_another_order,
    "triangle": triangle,
    "symmetry": symmetrized,
    "diagonal": diagonal,
    "applied twice": twice,
    "added up": added_up,
    "one end": one_end,
    "where zero": where_zero,
    "too many or too few": mask_difference,
    "few rows": few_rows,
}
