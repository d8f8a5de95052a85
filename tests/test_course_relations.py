"""A relation that is applied to a reference is found again and called by its name."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrcl_edu.course.related_places import PLACES
from scrcl_edu.course.related_values import SCALED, VALUES
from scrcl_edu.course.relations import RELATIONS, relation, relation_over_inputs


def softmax(x, axis):
    exponential = np.exp(x - x.max())
    return exponential / exponential.sum(axis, keepdims=True)


def positive(rng):
    return rng.uniform(0.2, 3, (5, 4))


def signed(rng):
    return rng.normal(size=(5, 4))


def no_mean(rng):
    x = signed(rng)
    return x - x.mean(0)


def square_matrix(rng):
    return rng.normal(size=(5, 5))


def symmetric(rng):
    x = rng.normal(size=(5, 5))
    return x + x.T


def sparse_like(rng):
    return positive(rng) * (rng.random((5, 4)) < np.array([[0.9, 0.3, 0.5, 0.9]])) + np.eye(5, 4)


def binary(rng):
    x = np.triu(rng.random((6, 6)) < 0.5, 1)
    x[0, 1:3] = True
    return (x | x.T).astype(float)


def mask(rng):
    return np.array([True, False, *(rng.random(6) < 0.5)])


def edge_rows(x):
    x = x.copy()
    x[0] += 1 + np.arange(x.shape[1])
    return x


def but_diagonal(x):
    return x + np.diag(1.0 + np.arange(len(x)))


def weaker(x):
    x = x.copy()
    x[1] = True
    return x


def two_rows(x):
    x = x.copy()
    x[[1, 3]] += [1, 2, 5, 3]
    return x


def undefined(x):
    x = x.copy()
    x[2, 1] = np.nan
    return x


def missing(x):
    x = x.copy()
    np.fill_diagonal(x, 0)
    return x


def extra(x):
    return np.where(x == 0, 0.7, x)


def one_way(x):
    i, j = np.indices(x.shape)
    return np.where((i + j) % 2, np.tril(x), np.triu(x))


ROWS = np.array([[2.0, 3, 0.5, 4, 7]]).T
COLUMNS = np.array([2.0, 3, 0.5, 4])

# The name of a relation, what it is applied to, and how.
APPLIED = [
    ("not finite", signed, undefined),
    ("constant", signed, lambda x: np.full_like(x, 2.0)),
    ("sign", signed, lambda x: -x),
    ("other base", positive, lambda x: x / np.log(2)),
    ("other base", positive, lambda x: x / np.log(10)),
    ("factor", signed, lambda x: 3 * x),
    ("factor", signed, lambda x: x / 7),
    ("centered", signed, lambda x: x - x.mean(0)),
    ("centered", signed, lambda x: x - x.mean(1, keepdims=True)),
    ("centered", lambda rng: signed(rng) - 3, lambda x: x - x.mean()),
    ("centered", no_mean, lambda x: x + COLUMNS),
    ("complement", positive, lambda x: 1 - x),
    ("complement", mask, lambda x: ~x),
    ("offset", signed, lambda x: x + 2),
    ("square", positive, lambda x: x**2),
    ("root", positive, np.sqrt),
    ("absolute value", signed, np.abs),
    ("reciprocal", positive, lambda x: 1 / x),
    ("logarithm", positive, np.log),
    ("exponential", signed, np.exp),
    ("without one", lambda rng: np.log1p(positive(rng)), lambda x: np.log(np.expm1(x))),
    ("no logarithm", lambda rng: np.log1p(positive(rng)), np.expm1),
    ("before the log", lambda rng: np.log1p(positive(rng)), lambda x: np.log1p(100 * np.expm1(x))),
    ("before the log", lambda rng: np.log1p(positive(rng)), lambda x: np.log1p(ROWS * np.expm1(x))),
    ("rounded", lambda rng: 10 * positive(rng), np.floor),
    ("rounded", positive, lambda x: x.round(2)),
    ("cut off", signed, lambda x: np.maximum(x, 0)),
    ("cut off", signed, lambda x: np.minimum(x, 0.1)),
    ("not cut off", lambda rng: np.maximum(signed(rng), 0), lambda x: np.where(x == 0, -1.5 - np.arange(4), x)),
    ("power", positive, lambda x: x**-0.5),
    ("affine", signed, lambda x: 2 * x + 1),
    ("positions", mask, np.flatnonzero),
    ("mask", lambda rng: np.flatnonzero(mask(rng)), lambda x: np.isin(np.arange(9), x)),
    ("transposed", signed, lambda x: x.T),
    ("transposed", square_matrix, lambda x: x.T),
    ("rows or columns left out", signed, lambda x: x[[0, 2, 3]]),
    ("rows or columns left out", signed, lambda x: x[:, :3]),
    ("rows or columns left out", lambda rng: signed(rng)[1:], lambda x: np.vstack([x, [[9, 8, 7, 6]]])),
    ("shape", signed, np.ravel),
    ("shape", lambda rng: rng.normal(size=5), lambda x: x[:, None]),
    ("not reduced", lambda rng: signed(rng)[0], lambda x: np.stack([x + 1, x - 1, x]) / 3),
    ("not reduced", lambda rng: np.array(signed(rng)[0, 0]), lambda x: np.array([x - 1, x + 1])),
    ("reduced too far", signed, lambda x: x.sum(0)),
    ("reduced too far", signed, lambda x: np.array(x.mean())),
    ("reversed", lambda rng: rng.normal(size=5), lambda x: x[::-1]),
    ("reversed", signed, lambda x: x[:, ::-1]),
    ("rows in another order", signed, lambda x: x[[1, 0, 4, 2, 3]]),
    ("columns in another order", signed, lambda x: x[:, [1, 3, 0, 2]]),
    ("moved", lambda rng: rng.normal(size=6), lambda x: np.append(x[1:], 0)),
    ("moved", signed, lambda x: np.vstack([0 * x[:1], x[:-1]])),
    ("shifted positions", lambda rng: rng.permutation(8), lambda x: x - (x > 2)),
    ("entries in another order", lambda rng: rng.normal(size=6), lambda x: x[[3, 0, 4, 1, 5, 2]]),
    ("diagonal", square_matrix, but_diagonal),
    ("diagonal", square_matrix, lambda x: x * np.eye(5)),
    ("triangle", symmetric, np.triu),
    ("triangle", symmetric, np.tril),
    ("symmetry", square_matrix, lambda x: (x + x.T) / 2),
    ("symmetry", square_matrix, lambda x: x + x.T),
    ("symmetry", binary, one_way),
    ("applied twice", square_matrix, lambda x: x @ x),
    ("added up", lambda rng: rng.normal(size=6), np.cumsum),
    ("one end", signed, edge_rows),
    ("one end", lambda rng: rng.normal(size=6), lambda x: np.append(x[:-1], 9)),
    ("where zero", sparse_like, extra),
    ("where zero", sparse_like, missing),
    ("too many or too few", mask, weaker),
    ("few rows", signed, two_rows),
    ("softmax over another axis", lambda rng: softmax(signed(rng), 1), lambda x: softmax(np.log(x), 0)),
    ("softmax over another axis", lambda rng: softmax(signed(rng), 1), lambda x: softmax(np.log(x) + ROWS, None)),
    ("softmax over another axis", lambda rng: np.log(softmax(signed(rng), 1)), lambda x: np.log(softmax(x, 0))),
    ("factor per row", signed, lambda x: x * ROWS),
    ("factor per column", signed, lambda x: x * COLUMNS),
    ("offset per row", signed, lambda x: x + ROWS),
    ("offset per column", signed, lambda x: x + COLUMNS),
    ("binary", sparse_like, lambda x: (x != 0).astype(float)),
    ("weighted", binary, lambda x: x * (2 + np.arange(36).reshape(6, 6) ** 2 % 7)),
    ("reciprocal where not zero", sparse_like, lambda x: np.divide(1, x, where=x != 0, out=np.zeros_like(x))),
    ("factor per row and column", signed, lambda x: x * ROWS * COLUMNS),
    ("not symmetric", symmetric, lambda x: x + np.arange(25).reshape(5, 5) ** 2),
    ("values only", sparse_like, lambda x: np.where(x != 0, np.cos(7 * x) + 2, 0)),
    ("same order", positive, lambda x: x**3 + x),
]
each = pytest.mark.parametrize(
    ("name", "make", "apply"), APPLIED, ids=[f"{name} {number}" for number, (name, _, _) in enumerate(APPLIED)]
)


def references(make):
    """Four inputs, so that a relation that holds by chance on one of them is no answer."""
    return [make(np.random.default_rng(seed)) for seed in range(4)]


@each
def test_a_relation_is_called_by_its_name(name, make, apply):
    pairs = [(apply(x), x) for x in references(make)]
    found = relation_over_inputs(pairs)
    assert found is not None
    assert found.name == name, found


@each
def test_one_input_is_enough_for_a_right_name_or_for_none(name, make, apply):
    for x in references(make):
        found = relation(apply(x), x)
        assert found is None or found.name == name, found


def test_every_relation_is_tried_above():
    assert {name for name, _, _ in APPLIED} == set(RELATIONS) == set(VALUES) | set(PLACES) | set(SCALED)


@given(st.integers(0, 10**6))
def test_what_is_equal_or_has_nothing_to_do_with_it_has_no_relation(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(5, 4))
    assert relation(x, x.copy()) is None
    assert relation(rng.normal(size=(5, 4)), x) is None


@given(st.floats(-50, 50).filter(lambda c: abs(c) > 0.01 and abs(c - 1) > 0.01), st.integers(0, 10**6))
def test_any_constant_factor_is_found(factor, seed):
    x = np.random.default_rng(seed).normal(size=(3, 4))
    found = relation(factor * x, x)
    assert found.name in ("factor", "sign", "other base")


def test_a_factor_that_is_a_size_of_the_input_gets_its_name():
    sizes = [{"the number of rows of x": n, "the number of columns of x": 3} for n in (4, 5, 7)]
    means = [np.random.default_rng(n).normal(size=3) for n in (4, 5, 7)]
    sums = [(mean * size["the number of rows of x"], mean) for mean, size in zip(means, sizes, strict=True)]
    assert "times the number of rows of x" in relation_over_inputs(sums, sizes).text
    less = [(mean / (size["the number of rows of x"] - 1), mean) for mean, size in zip(means, sizes, strict=True)]
    assert "divided by the number of rows of x, less one" in relation_over_inputs(less, sizes).text


def test_a_factor_that_is_a_quotient_of_two_sizes_gets_their_names():
    sizes = [{"the number of rows of x": n, "the number of columns of x": m} for n, m in ((4, 3), (5, 2), (7, 3))]
    means = [np.random.default_rng(n).normal(size=3) for n in range(3)]
    turned = [
        (mean * size["the number of rows of x"] / size["the number of columns of x"], mean)
        for mean, size in zip(means, sizes, strict=True)
    ]
    found = relation_over_inputs(turned, sizes)
    assert found.name == "quotient of sizes"
    assert "times the number of rows of x and divided by the number of columns of x" in found.text


def test_a_wrong_diagonal_that_is_the_same_everywhere_is_told():
    x = np.random.default_rng(0).normal(size=(5, 5))
    for own, words in ((1, "too early or too late"), (0, "identity missing"), (0.5, "0.5 everywhere")):
        y = x.copy()
        np.fill_diagonal(y, own)
        assert words in relation(y, x).text


def test_single_numbers_of_several_inputs_are_seen_together():
    expected = [0.3, 0.8, 1.7, 2.9]
    found = relation_over_inputs([(np.float64(np.log(x)), np.float64(x)) for x in expected])
    assert found.name == "logarithm"
    assert relation_over_inputs([(np.float64(2.0), np.float64(1.0))]) is None


def test_inputs_that_came_out_right_do_not_hide_a_relation():
    x = np.random.default_rng(0).normal(size=(3, 4))
    assert relation_over_inputs([(x, x), (2 * x, x)]).name == "factor"
