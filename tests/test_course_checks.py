"""What a check says about a learner's function, whatever the function does."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from scrcl_edu.course import check, hint, hints, progress, quiz, record
from scrcl_edu.course.checking import judge
from scrcl_edu.course.comparing import describe, difference
from scrcl_edu.course.finding import find_exercise
from scrcl_edu.course.task import Exercise, Mutant
from scrcl_edu.course.verdicts import CheckFailed
from scrcl_edu.errors import SettingsError


@pytest.fixture(autouse=True)
def own_progress(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRCL_EDU_PROGRESS", str(tmp_path / "progress.json"))
    monkeypatch.setattr(record, "_unsaved", {})
    return tmp_path / "progress.json"


def _toy(reference=lambda x: 2 * x, seconds=5.0, make=None, **more):
    return Exercise(
        name="toy",
        lesson="03",
        difficulty=1,
        minutes=1,
        reference=reference,
        inputs=make or (lambda rng: {"x": torch.from_numpy(rng.random((3, 2)))}),
        mutants=(Mutant("tripled", lambda x: 3 * x, "You took it three times."),),
        alternative=lambda x: x + x,
        hints=("first", "second"),
        tested="values",
        not_tested="speed",
        seconds=seconds,
        **more,
    )


def test_a_right_answer_says_what_was_tested_and_what_was_not(capsys):
    result = check("unit_rows", lambda x: x / x.norm(dim=1, keepdim=True))
    said = capsys.readouterr().out
    assert result.passed
    assert said.startswith("unit_rows: passed")
    assert "Tested: " in said
    assert "Not tested: " in said


def test_a_wrong_answer_shows_input_output_expectation_and_cause(capsys):
    check("unit_rows", lambda x: x / x.norm())
    said = capsys.readouterr().out
    for part in ("unit_rows: not yet\n  Likely cause: You divide by", "x = torch tensor", "Came out: ", "Expected: "):
        assert part in said


def test_what_a_check_says_is_the_same_each_time():
    wrong = find_exercise("gcn_layer").mutants[0].function
    assert len({judge(find_exercise("gcn_layer"), wrong).message for _ in range(2)}) == 1


def test_an_exception_is_the_learner_s_with_its_line_and_without_our_traceback():
    def shaped_wrongly(x):
        y = x + 1
        return y @ x  # line of the mistake

    result = judge(_toy(), shaped_wrongly)
    assert "RuntimeError" in result.message
    assert "return y @ x  # line of the mistake" in result.message
    assert "Traceback" not in result.message
    assert "scrcl_edu/" not in result.message


def test_a_learner_s_helper_that_fails_is_quoted_too():
    def helper(x):
        raise KeyError("gene")

    result = judge(_toy(), lambda x: helper(x))
    assert 'raise KeyError("gene")' in result.message


def test_exit_is_caught():
    assert "SystemExit" in judge(_toy(), lambda x: sys.exit(1)).message


def test_an_interrupt_is_not_swallowed():
    def interrupted(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judge(_toy(), interrupted)


def test_a_function_without_return_is_told_so_with_its_last_line():
    def forgetful(x):
        y = 2 * x  # noqa: F841

    result = judge(_toy(), forgetful)
    assert "Came out: None" in result.message
    assert "y = 2 * x" in result.message


def test_a_changed_input_is_named_with_the_line_that_changes_it():
    def careless(x):
        y = 2 * x
        x -= 1
        return y

    result = judge(_toy(), careless)
    assert "changes its input x" in result.message
    assert "x -= 1" in result.message


def test_numpy_in_place_of_torch_is_named():
    result = judge(_toy(), lambda x: 2 * x.numpy())
    assert "is a NumPy array and should be a torch tensor" in result.cause


def test_single_precision_is_right_and_gets_a_remark():
    result = judge(_toy(), lambda x: (2 * x).float())
    assert result.passed
    assert "Note: your result is in single precision" in result.message


def test_half_precision_is_named():
    assert "holds float16 and should hold floating-point numbers" in judge(_toy(), lambda x: (2 * x).half()).cause


def test_another_device_is_named():
    assert "is on the device meta and should be on cpu" in judge(_toy(), lambda x: (2 * x).to("meta")).cause


def test_another_shape_is_named():
    assert "is the transpose of the expected one" in judge(_toy(), lambda x: 2 * x.T).cause


@pytest.mark.parametrize("catches", [False, True])
def test_a_loop_without_end_is_stopped_with_its_line(catches):
    def endless(x):
        while True:
            if catches:
                try:  # noqa: SIM105
                    x = x + 1
                except:  # noqa: E722
                    pass

    result = judge(_toy(seconds=0.3), endless)
    assert "still running after 0.3 s" in result.message
    assert re.search(r"Your code: line \d+: ", result.message)
    assert judge(_toy(seconds=0.3), lambda x: x + x).passed


@pytest.mark.skipif(not hasattr(time, "pthread_getcpuclockid"), reason="this system cannot tell a thread's own time")
def test_time_in_which_other_programs_have_the_processor_does_not_count():
    def waits(x):
        time.sleep(0.3)
        return 2 * x

    assert judge(_toy(seconds=0.2), waits).passed


def test_a_function_that_waits_without_end_is_stopped_all_the_same():
    def waits(x):
        while True:
            time.sleep(0.01)

    assert "still running after 0.05 s" in judge(_toy(seconds=0.05), waits).message


def test_an_answer_known_by_heart_fails():
    exercise = _toy()
    first = 2 * exercise.cases()[0]["x"]
    assert not judge(exercise, lambda x: first).passed


def test_an_unknown_mistake_still_gets_the_pattern_of_its_numbers():
    assert "2.5 times the expected one" in judge(_toy(), lambda x: 5 * x).cause
    assert "sign flipped" in judge(_toy(), lambda x: -2 * x).cause
    assert "NaN" in judge(_toy(), lambda x: 2 * x / 0 * 0).cause


def test_a_result_with_nothing_in_it_is_told_apart_by_its_shape():
    assert "shape 0 x 2" in judge(_toy(), lambda x: x[:0]).cause


@pytest.mark.parametrize("odd", [[[1], [2, 3]], [], {}, "word", np.zeros((0, 3)), np.array([None, 1]), 1j, object()])
def test_no_odd_result_makes_a_check_stumble(odd):
    number = dataclasses.replace(_toy(), reference=lambda x: float(x.sum()))
    for toy in (_toy(), number):
        result = judge(toy, lambda x: odd)
        assert result.status == "not yet"
        assert result.cause


def test_a_number_is_compared_over_all_inputs():
    toy = dataclasses.replace(_toy(), reference=lambda x: (2 * x).sum())
    assert "3 times the expected one" in judge(toy, lambda x: 6 * x.sum()).cause
    assert "the expected one plus 5" in judge(toy, lambda x: 2 * x.sum() + 5).cause
    assert (
        "is 1 everywhere. Which argument is not used?"
        in judge(toy, lambda x: torch.tensor(1.0, dtype=torch.float64)).cause
    )


def test_a_sign_finds_a_mistake_that_is_not_alone():
    below = Mutant(
        "below", lambda x: 2 * x - 100, "It is below zero.", sign=lambda result, arguments: (result < 0).all()
    )
    toy = dataclasses.replace(_toy(), mutants=(*_toy().mutants, below))
    assert judge(toy, lambda x: x - 300).cause == "It is below zero."
    assert judge(toy, lambda x: "text").cause != "It is below zero."


def test_shapes_that_do_not_fit_are_named():
    assert "x 3" in judge(_toy(), lambda x: x + torch.ones(77)).cause


def test_a_known_mistake_that_fails_is_recognized_however_it_is_written():
    exercise = find_exercise("gene_programs")
    result = judge(exercise, lambda view_1, graph, weight, bias: (graph.T @ view_1 @ weight + bias).relu())
    assert not result.passed


def test_results_that_are_called_instead_of_functions_are_explained():
    assert "without calling it" in judge(_toy(), torch.ones(2)).cause


def test_a_wrong_number_of_arguments_shows_the_head():
    result = judge(_toy(), lambda x, y: x)
    assert "cannot be called with 1 arguments" in result.message
    assert "toy(x)" in result.message


def test_the_package_s_own_function_counts_for_nothing(own_progress):
    result = check("unit_rows", check("unit_rows", lambda x: x).function)
    assert result.status == "not started"
    assert "package's own function" in result.message


def test_prints_of_the_learner_are_shown_once(capsys):
    def chatty(x):
        print("hello")
        return 2 * x

    judge(_toy(), chatty)
    assert capsys.readouterr().out.count("hello") == 1


def test_a_check_leaves_the_random_generators_alone():
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    judge(_toy(), lambda x: 2 * x + 0 * torch.rand(1))
    assert torch.equal(torch.rand(1), expected)


def test_unknown_exercises_are_answered_with_the_nearest_name():
    with pytest.raises(SettingsError, match="did you mean 'unit_rows'"):
        check("unit_row", lambda x: x)


def test_a_result_is_quiet():
    result = judge(_toy(), lambda x: x)
    assert repr(result) == "<toy: the package's own, not yet>"
    assert result._ipython_display_() is None


def test_the_grader_sees_a_failure_and_a_learner_does_not(monkeypatch):
    check("unit_rows", lambda x: x)
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    with pytest.raises(CheckFailed, match="not yet"):
        check("unit_rows", lambda x: x)


def test_hints_come_in_steps_and_end_at_the_solved_lesson(capsys, monkeypatch):
    monkeypatch.setattr(hints, "_asked", hints.Counter())
    said = []
    for _ in range(4):
        hint("gcn_layer")
        said.append(capsys.readouterr().out)
    assert "hint 1 of 3" in said[0]
    assert "hint 2 of 3" in said[1]
    assert said[0] != said[1]
    assert "03_encoders.ipynb" in said[2]
    assert said[3] == said[2]


def test_progress_is_kept_and_shown(capsys, own_progress):
    check("unit_rows", lambda x: x / x.norm(dim=1, keepdim=True))
    check("unit_rows", lambda x: x)
    check("view_1", lambda x, weight, bias: x)
    quiz("00-1", answer="b")
    capsys.readouterr()
    progress()
    said = capsys.readouterr().out
    assert "Lesson 03: functions 1 of 3" in said
    assert "to do: gcn_layer, view_1" in said
    assert re.search(r"Lesson 00: functions 0 of 2, .*quiz 1 of 3", said)
    assert own_progress.is_file()


def test_a_stub_is_not_counted_as_tried(own_progress):
    def stub(x):
        raise NotImplementedError

    check("unit_rows", stub)
    assert record.load()["exercises"] == {}


def test_a_damaged_progress_file_counts_as_empty(own_progress, capsys):
    own_progress.write_text("{ not json")
    progress()
    assert "Lesson 03: functions 0 of 3" in capsys.readouterr().out


def test_progress_works_where_nothing_can_be_written(monkeypatch, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SCRCL_EDU_PROGRESS", str(tmp_path / "file" / "progress.json"))
    check("unit_rows", lambda x: x / x.norm(dim=1, keepdim=True))
    progress()
    said = capsys.readouterr().out
    assert "Lesson 03: functions 1 of 3" in said
    assert "until this session ends" in said


def test_a_quiz_explains_right_and_wrong_answers_as_text(capsys):
    quiz("00-1")
    assert 'quiz("00-1", answer="a")' in capsys.readouterr().out
    quiz("00-1", answer="a")
    assert "not right" in capsys.readouterr().out
    quiz("00-1", answer="b")
    assert "answer b: right" in capsys.readouterr().out


def test_unknown_questions_and_answers_are_explained(capsys):
    with pytest.raises(SettingsError, match="no quiz '99-1'"):
        quiz("99-1")
    quiz("00-1", answer="z")
    assert "There is no answer 'z'. Choose one of a, b, c, d." in capsys.readouterr().out
    quiz("00-1", answer=" B) ")
    assert "answer b: right" in capsys.readouterr().out
    with pytest.raises(SettingsError, match="goes with one question"):
        quiz("00", answer="a")


def test_checks_work_without_ipython_and_widgets(tmp_path):
    script = textwrap.dedent("""
        import sys
        for name in ("IPython", "ipywidgets", "IPython.display"):
            sys.modules[name] = None
        from scrcl_edu.course import check, hint, quiz, progress, slider
        check("unit_rows", lambda x: x)
        hint("unit_rows"); quiz("00-1"); progress()
        import matplotlib; matplotlib.use("Agg")
        import matplotlib.pyplot as plt
        slider(lambda k: plt.figure(figsize=(1, 1)), alt="nothing at {k}", k=[1, 2])
    """)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for part in ("unit_rows: not yet", "hint 1 of 3", "Question 00-1", "Lesson 03", "nothing at 2"):
        assert part in done.stdout


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        ({"a": 1}, {"a": 1}),
        ((1.0, np.arange(3)), [1.0, np.arange(3)]),
        ("B cell", "B cell"),
        (np.float32(1 / 3), 1 / 3),
        (np.array(["a", "b"]), np.array(["a", "b"])),
    ],
)
def test_equal_values_have_no_difference(got, expected):
    assert difference(got, expected) is None


@pytest.mark.parametrize(
    ("got", "expected", "words"),
    [
        ({"a": 1}, {"b": 1}, "should have"),
        ((1, 2), (1, 2, 3), "2 parts"),
        ({"a": 1}, {"a": 2}, "the entry 'a'"),
        (None, 1.0, "is None and should be a number"),
        (torch.tensor(1.0), 1.0, ".item()"),
        (np.array([1.0]), np.array([True]), "true/false"),
        (np.array(["a"]), np.array(["b"]), "other values"),
        (np.array([1.0, 2, 3, 5]), np.array([1.0, 2, 3, 4]), "at 1 of 4 places, first at [3]"),
        (np.array([True, True, False]), np.array([True, False, False]), "differs at 1 of 3 entries"),
        (np.array([1.0, 2, 3]), 6.0, "Its sum is the expected number"),
        (torch.tensor([1.0, 3.0]), torch.tensor(2.0), "Its mean is the expected number"),
        ([0.5, 0.1], 0.5, "by itself"),
        (0.5, (0.5, 0.1), "2 values with a comma"),
    ],
)
def test_a_difference_is_said_in_words(got, expected, words):
    assert words in difference(got, expected)


def test_descriptions_are_short_and_have_no_minus_zero():
    assert describe(np.zeros((50, 50))) == "NumPy array 50 x 50"
    assert "-0" not in describe(np.array([-1e-9, 1.0]))


def test_a_loss_that_lets_go_of_one_view_is_caught_by_its_gradient():
    exercise = find_exercise("symmetric_kl")
    result = judge(exercise, lambda e1, e2, temperature: exercise.reference(e1, e2.detach(), temperature))
    assert not result.passed
    assert result.mistake == "gradient"
    assert "gradient by e2" in result.cause
    result = judge(exercise, lambda e1, e2, temperature: exercise.reference(e1, e2, temperature).detach())
    assert "has no gradient" in result.cause


def test_half_of_a_gradient_is_caught_too():
    exercise = find_exercise("consistency")

    def half(z1, z2, graph):
        product = z1 @ z2.detach().T
        return (product - graph - torch.eye(len(graph), dtype=graph.dtype)).square().mean() + 0 * z2.sum()

    assert "gradient by z2 is not: it is zero" in judge(exercise, half).cause


def test_a_right_answer_that_makes_a_matrix_of_cells_by_cells_is_told_its_size():
    def dense(log_q1, log_q2):
        gap = log_q1[:, None] - log_q2
        divergence = ((log_q1.exp()[:, None] - log_q2.exp()) * gap).sum(-1)
        return divergence.sum(1) - divergence.diagonal()

    result = judge(find_exercise("linear_sum_over_all"), dense)
    assert not result.passed
    assert result.mistake == "cost"
    assert "your largest tensor has 25,600 entries; 1,280 are enough" in result.cause


def test_a_double_loop_is_told_how_many_operations_it_calls():
    def looped(log_q1, log_q2):
        q1, q2 = log_q1.exp(), log_q2.exp()
        rows = []
        for i in range(len(q1)):
            terms = [((q1[i] - q2[j]) * (log_q1[i] - log_q2[j])).sum() for j in range(len(q1)) if j != i]
            rows.append(sum(terms[1:], terms[0]))
        return torch.stack(rows)

    assert "you call" in judge(find_exercise("linear_sum_over_all"), looped).cause


def test_a_product_that_passes_by_the_matrix_of_cells_by_genes_is_told_so():
    def refine(encodings, weight, bias, programs):
        return torch.nn.functional.normalize((encodings @ weight + bias) @ programs, dim=1)

    assert "36,000 entries" in judge(find_exercise("refine"), refine).cause


def test_a_small_graph_is_drawn_with_what_is_missing_and_what_is_too_many():
    exercise = find_exercise("cell_graph")

    def wrong(values, n_neighbors):
        graph = exercise.reference(values, n_neighbors).tolil()
        graph[0, :] = graph[:, 0] = 0
        return graph.tocsr()

    result = judge(exercise, wrong)
    assert "Edges: missing 0-" in result.message
    assert "<svg" in result.bundle()["text/html"]
    assert 'aria-label="Your graph over the expected one: missing 0-' in result.bundle()["text/html"]


@pytest.mark.parametrize(
    ("name", "function", "words"),
    [
        (
            "cell_graph",
            lambda values, n_neighbors: np.maximum(g := sp.csr_matrix(np.eye(8)), g.T),
            "methods of its own",
        ),
        (
            "normalized_adjacency",
            lambda graph: sp.diags(np.asarray((graph + sp.identity(graph.shape[0])).sum(1) ** -0.5).ravel()) @ graph,
            "np.asarray",
        ),
    ],
)
def test_numpy_and_scipy_misunderstandings_are_explained(name, function, words):
    result = judge(find_exercise(name), function)
    assert words in result.cause, result.message


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x, n, scale: x**n * scale + x**n * scale * 0 + (x ** (n + 1) - x**n) * scale, "n one larger"),
        (lambda x, n, scale: x**n, "scale of 1: is scale used"),
        (lambda x, n, scale: x**n / scale, "one divided by scale"),
        (lambda x, n, scale: x, "is x as it came in"),
    ],
)
def test_a_result_that_is_right_for_other_arguments_is_told_which(function, words):
    def make(rng):
        return {"x": rng.random((3, 2)) + 0.5, "n": 3, "scale": float(rng.uniform(2, 3))}

    toy = _toy(reference=lambda x, n, scale: x**n * scale, make=make)
    toy = dataclasses.replace(toy, mutants=())
    assert re.search(words, judge(toy, function).cause)


def test_two_arguments_that_are_swapped_and_a_function_applied_twice_are_told():
    def make(rng):
        return {"x": rng.random((3, 2)), "y": rng.random((3, 2))}

    toy = dataclasses.replace(_toy(reference=lambda x, y: x / (1 + y), make=make), mutants=())
    assert "with x and y exchanged" in judge(toy, lambda x, y: y / (1 + x)).cause
    assert "applied twice" in judge(toy, lambda x, y: x / (1 + y) / (1 + y)).cause


def test_a_fact_that_tells_the_results_apart_is_said():
    unit = _toy(reference=lambda x: torch.nn.functional.normalize(torch.cos(7 * x) + 2 * x, dim=1))
    said = judge(dataclasses.replace(unit, mutants=()), lambda x: torch.nn.functional.normalize(x, dim=1).exp()).cause
    assert "the expected one has rows of length 1, and yours does not" in said
    free = _toy(reference=lambda x: torch.cos(7 * x) + 2 * x)
    said = judge(dataclasses.replace(free, mutants=()), lambda x: x / x.max(0).values).cause
    assert "has columns whose largest entry is 1, and the expected one does not" in said
