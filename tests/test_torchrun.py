"""`torchrun ... -m scrcl_edu fit`: the same clusters as one process, and one line when a worker dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import anndata
import numpy as np
import psutil
import pytest
from test_workers import on_loopback
from test_workers import pytestmark as needs_fork

from scrcl_edu.datasets import simulate

pytestmark = [
    pytest.mark.slow,
    needs_fork,
    pytest.mark.skipif(
        "SCRCL_EDU_TORCHRUN" not in os.environ,
        reason="takes a minute: `make torchrun-test` sets SCRCL_EDU_TORCHRUN; test_workers.py does it without torchrun",
    ),
]

ONE = [sys.executable, "-m", "scrcl_edu"]
TWO = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "scrcl_edu"]


def fit(*options: str) -> list[str]:
    return ["fit", "cells.h5ad", "--n-clusters", "3", "--epochs", "5", *options]


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, env=on_loopback(), capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("torchrun")
    simulate(300, 200, 3, genes_per_program=15, seed=0).write_h5ad(folder / "cells.h5ad")
    return folder


@pytest.fixture(scope="module")
def alone(folder) -> anndata.AnnData:
    done = run([*ONE, *fit("--out", "alone.h5ad", "--quiet")], folder)
    assert done.returncode == 0, done.stderr
    return anndata.read_h5ad(folder / "alone.h5ad")


def test_workers_give_the_clusters_of_one_process_and_say_what_crossed(folder, alone):
    done = run([*TWO, *fit("--out", "both.h5ad")], folder)
    assert done.returncode == 0, done.stderr
    both = anndata.read_h5ad(folder / "both.h5ad")
    assert (both.obs["scrcl"] == alone.obs["scrcl"]).all()
    np.testing.assert_allclose(both.obsm["X_scrcl"], alone.obsm["X_scrcl"], atol=1e-4)  # float32
    account = both.uns["scrcl"]["workers"]
    assert account["n_workers"] == 2
    assert account["bytes_per_epoch"] > 0
    assert f"2 workers: {account['share_of_edges_cut']:.1%} of the edges are cut" in done.stdout


def test_an_error_of_the_first_worker_is_told_once_and_ends_the_others(folder):
    done = run([*TWO, *fit("--labels", "nowhere")], folder)
    assert done.returncode != 0
    assert done.stderr.count("Error: ") == 1 + done.stderr.count("ChildFailedError: ")
    assert "nowhere" in done.stderr
    assert "a worker has ended" not in done.stderr


@pytest.mark.parametrize("victim", [0, 1])
def test_when_either_worker_is_killed_one_line_says_how_to_go_on(folder, alone, victim):
    out = folder / f"killed_{victim}.h5ad"
    command = [*TWO, *fit("--out", out.name, "--quiet")]
    command[command.index("--epochs") + 1] = "100000"
    with subprocess.Popen(command, cwd=folder, env=on_loopback(), stderr=subprocess.PIPE, text=True) as running:
        waited = time.monotonic()
        while not Path(f"{out}.checkpoint").exists():
            assert running.poll() is None
            assert time.monotonic() - waited < 120, "no checkpoint was written"
            time.sleep(0.2)
        workers = {
            int(child.environ()["RANK"]): child.pid
            for child in psutil.Process(running.pid).children()
            if "RANK" in child.environ()
        }
        os.kill(workers[victim], signal.SIGKILL)
        said = running.communicate(timeout=120)[1]
    assert running.returncode != 0
    assert said.count("a worker has ended") == 1
    assert f"{out.name}.checkpoint holds the state" in said
    assert not out.exists()
