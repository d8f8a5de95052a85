"""Every promise about the catalogue of tasks, for every task in it."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import numpy as np
import pytest

from scrcl_edu.course.calling import call
from scrcl_edu.course.causes import shows
from scrcl_edu.course.checking import judge
from scrcl_edu.course.guesses import Choice, Number
from scrcl_edu.course.lessons import LESSONS
from scrcl_edu.course.quizzes import questions
from scrcl_edu.course.tasks import catalogue
from scrcl_edu.course.transferring import judge as judge_transfer

EXERCISES = catalogue("check", "mend")
MUTANTS = [(name, mutant) for name, exercise in EXERCISES.items() for mutant in exercise.mutants]


def _written_anew(function):
    """The same function under another identity, as a learner's copy would be."""
    return lambda *arguments: function(*arguments)


@pytest.mark.parametrize("name", EXERCISES)
def test_the_package_s_own_function_passes(name):
    assert judge(EXERCISES[name], _written_anew(EXERCISES[name].reference)).passed


@pytest.mark.parametrize("name", EXERCISES)
def test_another_right_solution_passes(name):
    result = judge(EXERCISES[name], EXERCISES[name].alternative)
    assert result.passed, result.message


@pytest.mark.parametrize(("name", "mutant"), MUTANTS, ids=[f"{name}: {mutant.name}" for name, mutant in MUTANTS])
def test_a_known_mistake_is_caught_with_its_own_message(name, mutant):
    result = judge(EXERCISES[name], mutant.function)
    assert not result.passed
    assert result.cause == mutant.message
    assert mutant.message in result.message


@pytest.mark.parametrize("name", EXERCISES)
def test_a_sign_is_seen_in_its_own_mistake(name):
    exercise = EXERCISES[name]
    for mutant in exercise.mutants:
        if mutant.sign is None:
            continue
        for arguments in exercise.cases():
            right, wrong = (
                call(function, arguments, through=exercise.through)
                for function in (exercise.reference, mutant.function)
            )
            assert wrong.same_as(right) or shows(mutant, wrong, arguments), mutant.name


@pytest.mark.parametrize("name", EXERCISES)
def test_an_unsolved_stub_is_not_started_yet_and_the_lesson_goes_on(name):
    def stub(*arguments):
        raise NotImplementedError

    result = judge(EXERCISES[name], stub)
    assert result.status == "not started"
    assert "not started yet" in result.message
    assert result.function is EXERCISES[name].reference


@pytest.mark.parametrize("name", EXERCISES)
def test_a_function_that_returns_nothing_is_told_so(name):
    result = judge(EXERCISES[name], lambda *arguments: None)
    assert not result.passed
    assert "return statement" in result.cause


@pytest.mark.parametrize("name", EXERCISES)
def test_an_exercise_has_all_that_a_learner_needs(name):
    exercise = EXERCISES[name]
    assert exercise.reference.__doc__
    assert len(exercise.mutants) >= 3
    assert len({mutant.message for mutant in exercise.mutants}) == len(exercise.mutants)
    assert len(exercise.hints) == 2
    assert exercise.tested
    assert exercise.not_tested
    assert exercise.lesson in LESSONS
    assert all(list(case) for case in exercise.cases()) or not inspect.signature(exercise.reference).parameters


def _docstrings_of_lessons():
    found = {}
    for source in sorted((Path(__file__).parents[1] / "notebooks" / "src").glob("[0-9]*.py")):
        for node in ast.parse(source.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                found[node.name.removesuffix("_given")] = ast.get_docstring(node) or found.get(node.name, "")
    return found


def test_what_a_function_takes_and_gives_stands_once_in_the_lesson_or_in_the_catalogue():
    lessons = _docstrings_of_lessons()
    for name, exercise in EXERCISES.items():
        here, there = "Returns\n" in inspect.getdoc(exercise.reference), "Returns\n" in lessons.get(name, "")
        assert here != there, f"{name}: {'both hold' if here else 'neither holds'} its contract"


@pytest.mark.parametrize("name", EXERCISES)
def test_no_message_or_hint_prints_a_solution(name):
    exercise = EXERCISES[name]
    for text in [*(mutant.message for mutant in exercise.mutants), *exercise.hints]:
        assert "return " not in text
        assert "lambda " not in text


@pytest.mark.parametrize("lesson", [f"{number:02d}" for number in (1, 2, 3, 4, 5, 6, 7, 8, 10)])
def test_a_lesson_has_at_least_three_exercises(lesson):
    assert sum(exercise.lesson == lesson for exercise in EXERCISES.values()) >= 3


def test_lesson_five_s_pieces_make_the_package_s_neighborhood_alignment():
    import scipy.sparse as sp
    import torch

    from scrcl_edu.alignment import neighborhood_alignment
    from scrcl_edu.course.tasks.lesson_05 import pairwise_divergence
    from scrcl_edu.course.tasks.lesson_05_ratio import neighborhood_ratio
    from scrcl_edu.course.tasks.lesson_05_sum import linear_sum_over_all
    from scrcl_edu.graphs import Graph

    rng = np.random.default_rng(3)
    e1, e2 = (torch.nn.functional.normalize(torch.from_numpy(rng.normal(size=(9, 4)))) for _ in range(2))
    graph = np.triu(rng.random((9, 9)) < 0.4, 1)
    graph = (graph | graph.T).astype(float)
    divergence = pairwise_divergence(e1, e2, 0.3)
    expected = neighborhood_alignment(e1, e2, Graph(sp.csr_matrix(graph), dtype=torch.float64), temperature=0.3)
    torch.testing.assert_close(neighborhood_ratio(divergence, torch.from_numpy(graph)), expected)
    log_q1, log_q2 = (torch.log_softmax(e / 0.3, -1) for e in (e1, e2))
    torch.testing.assert_close(linear_sum_over_all(log_q1, log_q2), divergence.sum(1) - divergence.diagonal())


@pytest.mark.parametrize("key", questions())
def test_a_question_explains_every_answer_and_has_one_right_one(key):
    question = questions()[key]
    assert set(question) == {"question", "right", "answers", "explanations"}
    assert question["right"] in question["answers"]
    assert set(question["answers"]) == set(question["explanations"])
    assert len(question["answers"]) >= 3
    assert len(set(question["explanations"].values())) == len(question["explanations"])


TRANSFERS = catalogue("transfer")
BROKEN = [(name, one) for name, task in TRANSFERS.items() for one in task.properties if one.wrong is not None]
PREDICTIONS = catalogue("predict")


@pytest.mark.parametrize("name", catalogue())
def test_a_task_says_what_it_asks_and_what_it_takes(name):
    task = catalogue()[name]
    assert len(task.text) > 10
    assert task.difficulty in (1, 2, 3)
    assert 1 <= task.minutes <= 45
    assert task.lesson in LESSONS


@pytest.mark.parametrize("name", catalogue("mend"))
def test_given_code_is_wrong_and_handing_it_in_unchanged_is_no_start(name):
    task = EXERCISES[name]
    result = judge(task, _written_anew(task.faulty))
    assert result.status == "not started"
    assert task.symptom in result.message


@pytest.mark.parametrize("name", TRANSFERS)
def test_a_good_answer_to_a_transfer_task_has_every_property(name):
    task = TRANSFERS[name]
    answer = task.solution if task.function else task.solution(**task.draw()[0])
    assert judge_transfer(task, answer) == ([], "")
    assert task.rubric


@pytest.mark.parametrize(("name", "broken"), BROKEN, ids=[f"{name}: {one.name}" for name, one in BROKEN])
def test_an_answer_without_a_property_is_told_that_one(name, broken):
    task = TRANSFERS[name]
    answer = broken.wrong if task.function else broken.wrong(**task.draw()[0])
    found, error = judge_transfer(task, answer)
    assert not error
    assert broken in found


@pytest.mark.parametrize("name", TRANSFERS)
def test_hidden_data_are_not_handed_out(name):
    visible, everything = TRANSFERS[name].draw()
    assert set(everything) - set(visible) == set(TRANSFERS[name].hidden)


@pytest.mark.parametrize("name", PREDICTIONS)
def test_every_wrong_guess_means_something_and_the_example_can_be_read(name):
    shape = PREDICTIONS[name].shape
    shape.read(ast.literal_eval(shape.example))
    if isinstance(shape, Number):
        assert shape.too_low
        assert shape.too_high
        assert shape.too_low != shape.too_high
    elif isinstance(shape, Choice):
        assert set(shape.means) <= set(shape.options)
        assert len(shape.means) >= len(shape.options) - 1
    else:
        assert shape.means
        assert {item for pair in shape.means for item in pair} <= set(shape.items)


@pytest.mark.parametrize("name", catalogue("explain"))
def test_a_model_answer_is_a_few_sentences_with_a_rubric(name):
    task = catalogue()[name]
    assert 100 < len(task.model) < 900
    assert len(task.rubric) >= 2


@pytest.mark.parametrize(
    ("name", "wrong", "relation"),
    [
        ("share_of_zeros", lambda counts: 1 - (counts == 0).mean(), "complement"),
        ("normalize_log", lambda counts: np.log2(1 + 1e4 * counts / counts.sum(1, keepdims=True)), "other base"),
        ("normalize_log", lambda counts: 1e4 * counts / counts.sum(1, keepdims=True), "no logarithm"),
        ("homophily", lambda graph, labels: 100 * EXERCISES["homophily"].reference(graph, labels), "factor"),
        ("select_genes", lambda x, n: np.flatnonzero(EXERCISES["select_genes"].reference(x, n)), "positions"),
        ("pick_start", lambda inertias, accuracies: int(np.argmin(inertias)) + 1, "offset"),
        ("scale_and_clip", lambda x: x / x.std(0, ddof=1), "not cut off"),
        ("consistency", lambda *given: len(given[0]) * EXERCISES["consistency"].reference(*given), "factor of a size"),
    ],
)
def test_what_a_relation_explains_needs_no_mutant(name, wrong, relation):
    assert judge(EXERCISES[name], wrong).mistake == relation


def test_the_longest_answer_is_no_hint():
    lengths = {key: {a: len(str(text)) for a, text in one["answers"].items()} for key, one in questions().items()}
    telling = [key for key, one in lengths.items() if max(one, key=one.get) == questions()[key]["right"]]
    assert len(telling) <= 0.4 * len(lengths), telling
