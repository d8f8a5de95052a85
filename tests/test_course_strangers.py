"""Of wrong answers that stand in no catalogue all are caught, and nearly all have their cause named."""

from __future__ import annotations

import re

import pytest
import strangers_a
import strangers_b
from strangers import STRANGERS

from scrcl_edu.course.checking import judge
from scrcl_edu.course.tasks import catalogue

TASKS = catalogue("check", "mend")


@pytest.fixture(scope="module")
def judged():
    return [judge(TASKS[name], function) for name, function, _ in STRANGERS]


def test_every_wrong_answer_of_a_stranger_is_caught(judged):
    assert [n for n, result in enumerate(judged) if result.passed] == []


def test_the_cause_of_nineteen_in_twenty_is_named(judged):
    unnamed = [
        (name, result.cause)
        for (name, _, words), result in zip(STRANGERS, judged, strict=True)
        if words is None or not re.search(words, result.cause)
    ]
    assert len(unnamed) <= len(STRANGERS) / 20, unnamed


@pytest.mark.parametrize("answers", [strangers_a.ANSWERS, strangers_b.ANSWERS], ids=["first list", "second list"])
def test_of_two_lists_that_were_written_blind_all_are_caught_and_keep_the_names_they_got(answers):
    results = [judge(TASKS[name], function) for name, function, *_ in answers]
    passed = [f"{name}: {what}" for (name, _, what, _), result in zip(answers, results, strict=True) if result.passed]
    assert not passed
    changed = {
        f"{name}: {what}": (mistake, result.mistake)
        for (name, _, what, mistake), result in zip(answers, results, strict=True)
        if mistake and result.mistake != mistake
    }
    assert not changed
    assert sum(not mistake for *_, mistake in answers) <= len(answers) / 20
