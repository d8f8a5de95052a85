"""The search for `robust`: its record is whole, its report fresh, and the confirming sets took no part in choosing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # benchmarks/ is no part of the package

from benchmarks import search  # noqa: E402
from scrcl_edu.benchmarking.storing import read_rows  # noqa: E402
from scrcl_edu.recipes import recipe  # noqa: E402


@pytest.fixture(scope="module")
def rows():
    return read_rows(search.SEARCH.results, "search")[0]


def test_the_confirming_sets_saw_none_of_the_settings_that_were_compared(rows):
    confirming = {*search.CONFIRM_REAL, *search.CONFIRM_SIMULATED}
    assert {row["training"] for row in rows if row["dataset"] in confirming} == {"base"}
    assert {row["dataset"] for row in rows} == {*search.REAL, *search.SIMULATED, *confirming}
    assert {row["training"] for row in rows} == search.TRAININGS.keys()


def test_the_recipe_is_what_was_chosen():
    chosen = search.BASE | search.TRAININGS[search.CHOSEN] | {"epochs": 30, "embedding": "e"}
    ours = recipe("robust")
    assert {name: getattr(ours, name) for name in chosen} == chosen


def test_the_report_is_made_from_the_record(rows):
    text = search.README.read_text(encoding="utf-8")
    assert search.report(rows) in text


def test_a_mean_over_datasets_is_given_only_when_all_were_run():
    rows = [
        {"dataset": name, "training": "base", "seed": 0, "per_mille": {"30": {"e": [600 + 100 * n, 500]}}}
        for n, name in enumerate(search.CONFIRM_REAL)
    ]
    line = next(line for line in search.report(rows).splitlines() if line.startswith("| e, 30 "))
    assert line == "| e, 30 | - | - | 0.650 / 0.500 | - |"
