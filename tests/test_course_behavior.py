"""What a wrong function does when its arguments change is found out by calling it again."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from scrcl_edu.course.alterations import alteration
from scrcl_edu.course.behavior import choice, dependence, symmetry
from scrcl_edu.course.calling import call


def inputs(n=4):
    generators = [np.random.default_rng(seed) for seed in range(n)]
    return [{"values": rng.uniform(0.2, 3, (5 + n, 3)), "scores": rng.random(6)} for n, rng in enumerate(generators)]


def rows(values, scores):
    return values.sum(1)


def test_an_argument_that_must_not_be_read_is_named():
    name, words = dependence(rows, lambda values, scores: values.sum(1) + scores.argmax(), inputs())
    assert name == "reads scores"
    assert "is not to be used" in words


def test_a_function_that_only_counts_does_read_its_argument():
    cases = [{"labels": np.random.default_rng(seed).integers(0, 3, 9)} for seed in range(4)]
    share = lambda labels: np.bincount(labels).max() / len(labels)  # noqa: E731
    assert dependence(share, lambda labels: np.mean(labels == labels[0]), cases) == ("", "")


def test_an_argument_that_is_not_read_is_named():
    right = lambda values, scores: values.sum() * scores[0]  # noqa: E731
    assert dependence(right, lambda values, scores: values.sum(), inputs())[0] == "ignores scores"
    assert dependence(right, lambda values, scores: values.sum() * scores[1], inputs()) == ("", "")


@pytest.mark.parametrize(
    ("right", "wrong", "name", "words"),
    [
        (rows, lambda values, scores: values.cumsum(0)[:, 0], "order of rows", "rows of values come in another order"),
        (
            lambda values, scores: values / values.sum(1, keepdims=True),
            lambda values, scores: values / values.sum(),
            "not invariant",
            "when each row of values is multiplied",
        ),
        (
            lambda values, scores: values - values.mean(0),
            lambda values, scores: (values - values.mean(0)) / values.std(0),
            "invariant",
            "when each column of values is multiplied",
        ),
        (
            lambda values, scores: values.max(),
            lambda values, scores: values.max() - values.min(),
            "invariant",
            "when the same number is added to all of values",
        ),
    ],
)
def test_a_symmetry_that_only_one_of_the_two_has_is_told(right, wrong, name, words):
    found = symmetry(right, wrong, inputs())
    assert found[0] == name
    assert words in found[1]


def test_names_that_make_a_difference_are_told():
    cases = [{"labels": np.random.default_rng(seed).permutation(["a", "b", "b", "c", "c", "c"])} for seed in range(4)]
    largest = lambda labels: np.unique(labels, return_counts=True)[1].max()  # noqa: E731
    first = lambda labels: np.unique(labels, return_counts=True)[1][0]  # noqa: E731
    assert "numbers or names in labels" in symmetry(largest, first, cases)[1]


def test_what_behaves_alike_has_no_symmetry_to_tell():
    assert symmetry(rows, lambda values, scores: 2 * values.sum(1), inputs()) == ("", "")


def attempts(right, wrong, cases):
    tried = [(given, call(wrong, given), call(right, given)) for given in cases]
    return [one for one in tried if not one[1].same_as(one[2])]


def test_another_place_of_a_tie_is_told():
    cases = [{"losses": [3.0, 1.0, 2.0, 1.0]}, {"losses": [0.0, 0.0, 5.0]}, {"losses": [2.0, 1.0, 3.0]}]
    first = lambda losses: int(np.argmin(losses))  # noqa: E731
    last = lambda losses: len(losses) - 1 - int(np.argmin(losses[::-1]))  # noqa: E731
    assert choice(attempts(first, last, cases)) == (
        "tie",
        "is another place with the same value in losses: of those that tie the first one is asked for",
    )


def test_a_word_that_is_said_too_often_is_told():
    cases = [{"x": x} for x in (1, 2, 3, 4)]
    right = lambda x: "none" if x < 2 else "one" if x < 4 else "many"  # noqa: E731
    assert choice(attempts(right, lambda x: "none", cases))[0] == "said too often"
    assert choice(attempts(right, lambda x: "none" if x < 2 else "one", cases))[0] == "said too often"
    assert choice(attempts(right, lambda x: ("none", "one", "both")[x % 3], cases[-1:]))[0] == "said too often"


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda x: x / np.linalg.norm(x, axis=1, keepdims=True), "each row of values scaled to length 1"),
        (lambda x: x - x.mean(0), "each column of values less its mean"),
        (np.log1p, "log1p of values"),
    ],
)
def test_a_step_too_many_before_the_function_is_found(prepare, words):
    right = lambda values, scores: np.tanh(values) @ values.T  # noqa: E731
    tried = attempts(right, lambda values, scores: right(prepare(values), scores), inputs())
    assert words in alteration(right, tried)[1]


def test_self_loops_that_were_added_are_found():
    graph = sp.csr_matrix(np.array([[0.0, 1, 0], [1, 0, 1], [0, 1, 0]]))
    right = lambda graph: np.asarray(graph.sum(1)) @ np.asarray(graph.sum(0))  # noqa: E731
    tried = attempts(right, lambda graph: right(graph + sp.identity(3, format="csr")), [{"graph": graph}])
    assert "self-loops added to graph" in alteration(right, tried)[1]


def test_one_word_for_all_inputs_proves_no_alteration():
    right = lambda x, y: "big" if x > y else "small"  # noqa: E731
    cases = [{"x": x, "y": 1.5} for x in (2.0, 3.0)]
    assert alteration(right, attempts(right, lambda x, y: "small", cases)) == ("", "")
