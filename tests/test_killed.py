"""`kill -9` at any moment: no result is half there, at most the last interval is lost, and the next run goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork, to die many times without importing torch again"),
]

EPOCHS = 2
# One process imports everything and forks a child for each run. A child replaces one function by one that dies in it.
PROGRAM = """
import os, signal, sys
from pathlib import Path
import anndata, numpy as np, torch
from scrcl_edu import cli, clustering, fitting, saving, training
from scrcl_edu.datasets import simulate

training.CHECKPOINT_SECONDS, training._SHARE_OF_TIME = 0, float("inf")  # the interval is one epoch
EPOCHS = int(sys.argv[1])
OUT, STATE = Path("out.h5ad"), Path("out.h5ad.checkpoint")
FIT = ["fit", "cells.h5ad", "--n-clusters", "3", "--epochs", str(EPOCHS), "--quiet"]

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def at_call(number, function, instead):
    calls = []
    def counted(*given, **named):
        calls.append(1)
        return (instead if len(calls) == number else function)(*given, **named)
    return counted

def half(path, content):
    with open(path, "wb") as file:
        file.write(bytes(content)[: len(content) // 2])
    die()

def then_die(function):
    return lambda *given, **named: (function(*given, **named), die())

def child(arguments, where=None, name=None, number=1, instead=die):
    pid = os.fork()
    if pid == 0:
        if where is not None:
            setattr(where, name, at_call(number, getattr(where, name), instead))
        cli.main(arguments, standalone_mode=True)
        os._exit(99)  # not reached: click exits
    return os.waitpid(pid, 0)[1]

def same(one, other):
    return np.array_equal(one.obsm["X_scrcl"], other.obsm["X_scrcl"]) and (one.obs["scrcl"] == other.obs["scrcl"]).all()

adata = simulate(60, 50, 3, genes_per_program=10, depth=800, related_types=None)
adata.write_h5ad("cells.h5ad")
cli.main([*FIT, "--out", "whole.h5ad"], standalone_mode=False)  # in this process: children find all imports done
whole = anndata.read_h5ad("whole.h5ad")

moments = {"in the first epoch": (0, training, "step", 1)}
for epoch in range(2, EPOCHS + 1):
    moments[f"in epoch {epoch}"] = (epoch - 1, training, "step", epoch)
    moments[f"half of checkpoint {epoch}"] = (epoch - 1, Path, "write_bytes", epoch, half)
    moments[f"checkpoint {epoch} is not on the disk"] = (epoch - 1, os, "fsync", epoch)
    moments[f"checkpoint {epoch} has no name"] = (epoch - 1, os, "replace", epoch)
    moments[f"checkpoint {epoch} has its name"] = (epoch, os, "replace", epoch, then_die(os.replace))
moments["half of the first checkpoint"] = (0, Path, "write_bytes", 1, half)
moments["while cells are clustered"] = (EPOCHS, clustering, "kmeans", 1)
moments["half of the result"] = (EPOCHS, Path, "write_bytes", EPOCHS + 1, half)
moments["the result has no name"] = (EPOCHS, os, "link", 1)
moments["the result has its name"] = (EPOCHS, os, "link", 1, then_die(os.link))

for moment, (done, *how) in moments.items():
    assert child([*FIT, "--out", "out.h5ad"], *how) == signal.SIGKILL, moment
    assert STATE.exists() == (done > 0), moment
    if done:
        state = torch.load(STATE, weights_only=True)
        assert len(state["history"]["total"]) == done, (moment, len(state["history"]["total"]))
    if moment == "half of the result":
        assert child([*FIT, "--out", "out.h5ad"]) == 256, "the next run has to ask"
    if OUT.exists():  # complete: killed between the result's name and the end
        assert moment == "the result has its name"
        assert same(anndata.read_h5ad(OUT), whole), moment
        OUT.unlink()
    assert child([*FIT, "--out", "out.h5ad", *(["--resume"] if done else [])]) == 0, moment
    assert same(anndata.read_h5ad(OUT), whole), moment
    assert sorted(os.listdir()) == ["cells.h5ad", "out.h5ad", "whole.h5ad"], (moment, os.listdir())
    OUT.unlink()
    print(moment)
"""


def test_a_killed_fit_loses_at_most_an_interval_and_ends_bit_for_bit_where_it_would_have(tmp_path):
    environment = dict(os.environ) | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(EPOCHS)], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    survived = done.stdout.splitlines()
    assert len(survived) == 5 * EPOCHS + 1
    assert "of an interrupted run is there; go on from it with --resume" in done.stderr
    assert not Path(tmp_path, "out.h5ad").exists()
