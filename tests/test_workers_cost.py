"""The model of what many machines cost: what crosses is what was sent, and the rest follows from sizes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from scrcl_edu.workers import cost
from scrcl_edu.workers.cost import Machine, Problem

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

QUICK = Machine(per_operation=1e-11, per_entry=2e-8, per_edge=1e-9)


def test_operations_are_those_of_the_design_and_the_small_products():
    size = Problem(10, n_genes=7, n_hidden=5, out_dim=0)
    assert cost.operations(size) == 10 * (8 * 7 * 5 + 12 * 5**2)


def test_one_worker_sends_nothing():
    assert cost.bytes_crossing(Problem(1e6), 1, 0.0) == 0
    alone = cost.seconds(Problem(1e6), QUICK)
    assert alone["total"] == alone["computing"]


def test_twice_the_workers_compute_half_as_long_and_send_the_same_sums():
    two, four = (cost.seconds(Problem(1e7), QUICK, n, 1.0) for n in (2, 4))
    assert two["computing"] == pytest.approx(2 * four["computing"])
    assert cost.bytes_crossing(Problem(1e7), 4, 0) == pytest.approx(3 * cost.bytes_crossing(Problem(1e7), 2, 0))


@pytest.mark.parametrize("n_cells", [1e6, 1e8])
def test_the_fewest_workers_have_memory_enough_and_one_fewer_have_not(n_cells):
    size = Problem(n_cells)
    n_workers = cost.workers_for(size, QUICK)
    assert cost.memory(size, n_workers) <= QUICK.memory
    assert n_workers == 1 or cost.memory(size, n_workers - 1) > QUICK.memory


def test_weights_that_no_worker_can_hold_are_an_error():
    with pytest.raises(OverflowError, match="more than a worker's 1e\\+06"):
        cost.workers_for(Problem(10), Machine(1e-11, 1e-8, 1e-9, memory=1e6))


@pytest.fixture(scope="module")
def written(root) -> dict:
    return json.loads((root / "benchmarks" / "results" / "workers.json").read_text(encoding="utf-8"))


def test_the_machine_of_the_lesson_is_the_one_that_was_measured(written):
    measured = written["alone"]["machine"]
    assert {name: getattr(cost.MEASURED, name) for name in measured} == pytest.approx(measured, rel=1e-3)
    assert cost.ARRAYS == pytest.approx(written["memory"]["arrays"], rel=1e-2)  # noqa: SIM300


def test_the_page_on_many_machines_is_what_was_measured(written, root):
    from benchmarks.workers_report import render

    assert (root / "benchmarks" / "workers.md").read_text(encoding="utf-8") == render(written)


def test_the_model_fits_what_was_measured(written):
    from benchmarks.workers_report import worst

    assert worst(written["alone"]) < 0.35
