"""Plain facts about a result: what the expected one has and it has not, or the other way round."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def _near(a: np.ndarray, value: float) -> bool:
    return a.size > 0 and bool(np.allclose(a, value, rtol=1e-4, atol=1e-6))


def _square(x: np.ndarray) -> bool:
    return x.ndim == 2 and x.shape[0] == x.shape[1] > 1


# In words that go on after "your result" or "the expected one"; each needs at least two rows or columns to mean much.
FACTS: dict[str, Callable[[np.ndarray], bool]] = {
    "has rows of length 1": lambda x: x.ndim == 2 and _near(np.linalg.norm(x, axis=1), 1),
    "has columns of length 1": lambda x: x.ndim == 2 and _near(np.linalg.norm(x, axis=0), 1),
    "has rows that sum to 1": lambda x: x.ndim == 2 and _near(x.sum(1), 1),
    "has columns that sum to 1": lambda x: x.ndim == 2 and _near(x.sum(0), 1),
    "has entries that sum to 1": lambda x: x.size > 1 and _near(x.sum(keepdims=True), 1),
    "has rows of mean 0": lambda x: x.ndim == 2 and _near(x.mean(1), 0),
    "has columns of mean 0": lambda x: x.ndim == 2 and _near(x.mean(0), 0),
    "has rows whose largest entry is 1": lambda x: x.ndim == 2 and _near(x.max(1), 1),
    "has columns whose largest entry is 1": lambda x: x.ndim == 2 and _near(x.max(0), 1),
    "has rows of exponentials that sum to 1": lambda x: (
        x.ndim == 2 and bool((x < 0).any()) and _near(np.exp(x).sum(1), 1)
    ),
    "is symmetric": lambda x: _square(x) and bool(np.allclose(x, x.T)),
    "has an empty diagonal": lambda x: _square(x) and not x.diagonal().any(),
    "holds zeros and ones only": lambda x: x.size > 1 and bool(np.isin(x, [0, 1]).all()),
    "has no negative entry": lambda x: x.size > 1 and bool((x >= 0).all()),
}


def told_apart(pairs: list[tuple[np.ndarray, np.ndarray]]) -> str:
    """The first fact in which all results and all expected results differ; empty when there is none.

    Parameters
    ----------
    pairs
        What came out and what was expected, for each input that came out wrong.
    """
    arrays = [(np.asarray(a), np.asarray(b)) for a, b in pairs]
    usable = (x.size and x.dtype.kind in "iuf" and np.isfinite(x).all() for pair in arrays for x in pair)
    if not arrays or not all(usable):
        return ""
    for words, holds in FACTS.items():
        ours, theirs = [holds(a.astype(float)) for a, _ in arrays], [holds(b.astype(float)) for _, b in arrays]
        if all(theirs) and not any(ours):
            return f"does not fit: the expected one {words}, and yours does not"
        if all(ours) and not any(theirs):
            return f"{words}, and the expected one does not"
    return ""
