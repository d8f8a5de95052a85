"""What a learner meets who predicts, mends, transfers and explains."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from scrcl_edu.course import check, events, explain, given, mend, predict, progress, record, reveal, transfer
from scrcl_edu.course.guesses import Choice, Number, Order
from scrcl_edu.course.tasks import catalogue
from scrcl_edu.course.tasks import lesson_02_more as lesson
from scrcl_edu.course.verdicts import CheckFailed
from scrcl_edu.errors import SettingsError


@pytest.fixture(autouse=True)
def own_progress(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRCL_EDU_PROGRESS", str(tmp_path / "progress.json"))
    monkeypatch.setattr(record, "_unsaved", {})


@pytest.fixture
def told(monkeypatch):
    found = []
    monkeypatch.setattr(events, "listeners", [*events.listeners, found.append])
    return found


def test_a_prediction_that_nobody_makes_does_not_stop_the_lesson(capsys):
    predict("nearest_is_same_type")
    said = capsys.readouterr().out
    assert "a number from 0.00 to 1.00" in said
    assert 'predict("nearest_is_same_type", 0.5)' in said
    reveal("nearest_is_same_type", 0.72)
    said = capsys.readouterr().out
    assert "It is: 0.72" in said
    assert "nothing yet" in said
    assert record.guess_of("nearest_is_same_type") is None


@pytest.mark.parametrize(
    ("guess", "words"), [(0.7, "near"), (0.3, "drown the types"), ("95%", "trusts similarity too far")]
)
def test_guess_and_truth_are_shown_together_with_what_a_wrong_guess_means(guess, words, capsys):
    predict("nearest_is_same_type", guess)
    reveal("nearest_is_same_type", 0.72)
    said = capsys.readouterr().out
    assert "It is: 0.72" in said
    assert words in said


def test_a_guess_may_change_before_the_truth_is_shown_and_not_afterwards(capsys):
    predict("nearest_is_same_type", 0.3)
    predict("nearest_is_same_type", 0.6)
    reveal("nearest_is_same_type", 0.72)
    predict("nearest_is_same_type", 0.72)
    assert "your guess stays 0.60" in capsys.readouterr().out
    assert record.guess_of("nearest_is_same_type") == {"status": "far", "guess": 0.6, "truth": 0.72}


@pytest.mark.parametrize("guess", ["lots", 1.5, float("nan"), [1, 2], None.__class__])
def test_what_is_no_guess_is_explained_and_not_kept(guess, capsys):
    predict("nearest_is_same_type", guess)
    assert "is no guess here. Possible: a number from 0.00 to 1.00" in capsys.readouterr().out
    assert record.guess_of("nearest_is_same_type") is None


def test_an_order_says_how_many_pairs_are_right(capsys):
    predict("steps_by_clarity", "0 steps < 2 steps < 200 steps")
    reveal("steps_by_clarity", ["200 steps", "0 steps", "2 steps"])
    said = capsys.readouterr().out
    assert "1 of 3 pairs" in said
    assert "averaging can only help" in said


def test_predictions_can_be_looked_back_at(capsys):
    predict("nearest_is_same_type", 0.7)
    predict("steps_by_clarity", ["0 steps", "2 steps", "200 steps"])
    reveal("nearest_is_same_type", 0.72)
    capsys.readouterr()
    progress("02")
    said = capsys.readouterr().out
    n_in_lesson = sum(task.lesson == "02" for task in catalogue("predict").values())
    assert f"predictions 2 of {n_in_lesson}" in said
    assert "you predicted nearest_is_same_type: 0.70; it is 0.72 (near)" in said
    assert "you predicted steps_by_clarity: 0 steps, 2 steps, 200 steps\n" in said


def test_a_number_may_be_judged_by_how_many_times_it_is_off():
    shape = Number(near=2, factor=True, too_low="low", too_high="high")
    assert shape.judge(600, 1000).near
    assert shape.judge(300, 1000).text == "low"
    assert shape.judge(2500, 1000).text == "high"


def test_a_choice_is_made_by_letter_or_in_words():
    shape = Choice(options=("It grows", "It shrinks"), means={"It grows": "It is averaged."})
    assert shape.read("B") == shape.read("it shrinks") == "It shrinks"
    assert shape.judge("It grows", "b").text == "It is averaged."
    assert shape.judge("It shrinks", "b").near


def test_an_order_in_which_nothing_is_swapped_is_near():
    assert Order(items=("a", "b"), by="up", right="yes").judge(["b", "a"], "b, a").text == "yes"


def test_given_code_is_not_started_and_mended_code_passes(capsys, told):
    assert mend("neighbor_mean", lambda graph, values: lesson.neighbor_mean_given(graph, values)).whose != "yours"
    assert "cells in another order" in capsys.readouterr().out
    assert mend("neighbor_mean", lambda graph, values: lesson.neighbor_mean(graph, values)).whose == "yours"
    assert [event.status for event in told] == ["not started", "passed"]


def test_a_half_mended_function_is_told_what_is_still_wrong(capsys, told):
    mend("neighbor_mean", lambda graph, values: values + graph @ values)
    assert "the mean is asked for" in capsys.readouterr().out.replace("\n", " ")
    assert (told[0].kind, told[0].status, told[0].mistake) == ("mend", "tried", "sum")


def test_a_transfer_shows_what_is_asked_and_hands_out_its_data(capsys, told):
    transfer("graph_of_loud_cells")
    assert 'given("graph_of_loud_cells") holds counts' in capsys.readouterr().out
    assert given("graph_of_loud_cells").counts.shape == (150, 60)
    assert not hasattr(given("graph_of_loud_cells"), "types")
    assert told[0].status == "not started"


def test_a_transfer_is_judged_by_its_properties(capsys, told):
    transfer("graph_of_loud_cells", lambda counts: sp.identity(len(counts), format="csr"))
    said = capsys.readouterr().out
    assert "not yet" in said
    assert "no cell is its own neighbor" in said
    transfer("graph_of_loud_cells", lesson._log_graph)
    said = capsys.readouterr().out
    assert "passed" in said
    assert "the number of neighbors is argued for" in said
    assert [event.status for event in told] == ["tried", "passed"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (np.eye(3), "a function is asked for"),
        (lambda counts: counts[1000], "your code stopped with IndexError"),
        (lambda counts: counts.fill(0), "changes its input counts"),
        (lambda counts: "a graph", "Hand back a SciPy sparse matrix"),
    ],
)
def test_whatever_is_handed_in_gets_an_answer_and_no_traceback(answer, words, capsys):
    transfer("graph_of_loud_cells", answer)
    assert words in capsys.readouterr().out


def test_an_explanation_folds_its_model_answer_until_one_was_written(capsys, told):
    explain("what_smoothing_leaves")
    assert "square root" not in capsys.readouterr().out
    explain("what_smoothing_leaves", "Only the degree is left.")
    said = capsys.readouterr().out
    assert "You wrote: Only the degree is left." in said
    assert "square root of d" in said
    assert [event.status for event in told] == ["answered"]


def test_the_name_of_a_task_of_another_kind_leads_to_the_right_call():
    with pytest.raises(SettingsError, match=r"is a fault to mend, not a prediction; call mend\('neighbor_mean'"):
        predict("neighbor_mean")
    with pytest.raises(SettingsError, match="did you mean 'what_smoothing_leaves'"):
        explain("what_smoothing_leave")


def test_a_transfer_that_is_not_written_is_not_started(capsys, told):
    def unwritten(counts):
        raise NotImplementedError

    transfer("graph_of_loud_cells", unwritten)
    shown = capsys.readouterr().out
    assert "not started yet" in shown
    assert "not yet" not in shown.replace("started yet", "")
    assert told[-1].status == "not started"


def test_the_grader_sees_a_transfer_that_is_not_right(monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    with pytest.raises(CheckFailed):
        transfer("graph_of_loud_cells")
    with pytest.raises(CheckFailed):
        transfer("graph_of_loud_cells", np.eye(3))


def test_listeners_hear_the_name_of_a_mistake_and_one_that_fails_stops_nothing(told, monkeypatch):
    def broken(event):
        raise OSError("no network")

    monkeypatch.setattr(events, "listeners", [broken, *events.listeners])
    with pytest.warns(UserWarning, match="no network"):
        check("unit_rows", lambda x: x / x.norm())
    assert told[0].task == "unit_rows"
    assert told[0].mistake
    assert record.load()["exercises"]["unit_rows"] == "tried"


def test_what_comes_back_from_a_check_is_the_function_and_says_whose_it_is():
    def unit_rows(x):
        """Mine."""
        return x / x.norm(dim=1, keepdim=True)

    passed, failed = check("unit_rows", unit_rows), check("unit_rows", lambda x: x)
    assert (passed.whose, failed.whose) == ("yours", "the package's own")
    assert passed.__doc__ == "Mine."
    assert passed.function is unit_rows
    x = np.random.default_rng(0).normal(size=(3, 2))
    import torch

    torch.testing.assert_close(failed(torch.tensor(x)), passed(torch.tensor(x)))
    assert check("unit_rows", passed).passed  # the cell of the check is run again
    assert not check("unit_rows", failed).passed
