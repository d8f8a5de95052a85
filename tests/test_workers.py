"""Several workers train as one process does: losses, weights and outputs, however the cells are divided."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from helpers import random_graph

from scrcl_edu.dropout import bits_of_cells
from scrcl_edu.errors import SettingsError
from scrcl_edu.workers.ordering import cells_of_workers

PROGRAM = Path(__file__).with_name("workers_program.py")
EXACT = 1e-9  # relative, in float64

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork, to start workers without importing again")


def on_loopback() -> dict[str, str]:
    """An environment in which workers meet on this machine, with one thread each."""
    loopback = {"GLOO_SOCKET_IFNAME": "lo0" if sys.platform == "darwin" else "lo"}
    return dict(os.environ) | loopback | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def deviations(tmp_path_factory) -> dict[str, Any]:
    """Of 20 steps by workers from 20 steps in one process, largest of all losses, weights and outputs."""
    folder = tmp_path_factory.mktemp("workers")
    done = subprocess.run(
        [sys.executable, PROGRAM], cwd=folder, env=on_loopback(), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("case", ["2 workers, [11, 29] cells", "4 workers, [1, 20, 6, 13] cells", "no edge is cut"])
def test_workers_train_as_one_process_does(deviations, case):
    assert deviations[case] < EXACT


@pytest.mark.parametrize("case", ["dropout, 2 workers", "dropout of single cells, 4 workers"])
def test_dropout_depends_on_the_cell_and_not_on_its_worker(deviations, case):
    assert deviations[case] < EXACT


@pytest.mark.parametrize("case", ["stopped as 2, resumed as 1", "stopped as 2, resumed as 4"])
def test_any_number_of_workers_goes_on_from_a_checkpoint(deviations, case):
    assert deviations[case] < EXACT


def test_a_worker_that_dies_ends_the_run_with_one_line_and_any_number_goes_on(deviations):
    assert deviations["line about a dead worker"] == (
        "a worker has ended, and the others cannot go on without its cells; killed.checkpoint holds the state: "
        "the same command with --resume goes on, with any number of workers"
    )
    assert deviations["epochs in its checkpoint"] == 7
    assert deviations["killed as 2, resumed as 1"] < EXACT


def test_the_model_of_the_cost_knows_what_is_sent(deviations):
    flags = 2 * 8 - 2  # two of the numbers are flags of one byte each on each worker, where the model counts eight
    assert deviations["bytes sent"] == pytest.approx(deviations["bytes by the model"], abs=2 * flags + 16)


def test_forgetting_the_other_workers_cells_is_another_training(deviations):
    assert deviations["without the sums"] > 1e-3


def test_every_cell_has_one_worker_and_numbers_are_as_equal_as_can_be():
    cells = cells_of_workers(random_graph(50, seed=1), 4)
    assert sorted(np.concatenate(cells)) == list(range(50))
    assert sorted(map(len, cells)) == [12, 12, 13, 13]


@pytest.mark.parametrize("n_cells", [60, 600])
def test_dividing_along_the_graph_cuts_few_edges_of_a_ring(n_cells):
    ring = sp.csr_matrix(np.roll(np.eye(n_cells), 1, axis=0))
    shuffled = np.random.default_rng(0).permutation(n_cells)
    ring = ring.maximum(ring.T)[shuffled][:, shuffled]
    first, second = cells_of_workers(ring, 2)
    assert 2 <= ring[first][:, second].nnz <= n_cells / 20  # of 2 n_cells; any division cuts two


def test_groups_without_an_edge_between_them_are_not_cut():
    groups = sp.block_diag([random_graph(150, density=0.1, seed=s) for s in range(4)], format="csr")
    shuffled = np.random.default_rng(0).permutation(600)
    groups = groups[shuffled][:, shuffled]
    first, second = cells_of_workers(groups, 2)
    assert groups[first][:, second].nnz == 0


def test_more_workers_than_cells_is_an_error():
    with pytest.raises(SettingsError, match="there are 4 workers for 3 cells; start at most 3"):
        cells_of_workers(random_graph(3), 4)


def test_bits_of_a_cell_do_not_depend_on_who_is_beside_it():
    torch.manual_seed(5)
    together = bits_of_cells(torch.arange(9000), 7)
    torch.manual_seed(5)
    assert torch.equal(bits_of_cells(torch.tensor([8999, 3]), 7), together[[8999, 3]])


def test_bits_of_cells_are_fair_and_not_alike_between_neighbors():
    torch.manual_seed(0)
    bits = bits_of_cells(torch.arange(2000), 64).double() / 2**15  # uniform on [-1, 1)
    assert abs(float(bits.mean())) < 5 / (3 * bits.numel()) ** 0.5
    assert float(bits.square().mean()) == pytest.approx(1 / 3, abs=0.005)
    for other in (bits.roll(1, 0), bits.roll(1, 1)):
        assert abs(float((bits * other).mean())) < 5 / 3 / bits.numel() ** 0.5
