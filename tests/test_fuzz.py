"""Files damaged at random: fifty tries here, two thousand in `python -m benchmarks.fuzz`, whose result is stored."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy import sparse

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import fuzz
from scrcl_edu.datasets import read_input
from scrcl_edu.errors import DataError, InputFileError
from scrcl_edu.saving import read_result

TRIES = 52  # four of each kind


def test_damage_ends_in_one_line_or_in_what_the_file_says():
    result = fuzz.measure(TRIES)
    assert result["bad"] == []
    assert sum(row["refused"] for row in result["kinds"]) > TRIES / 3
    assert len(result["kinds"]) == len(fuzz.WRITERS)


@pytest.fixture
def reader(tmp_path):
    reader = fuzz.Reader(tmp_path)
    reader.attempt(".h5ad", 0)
    return reader


def other(reader, change):
    adata = reader.sound[".h5ad"][0].copy()
    adata = change(adata) or adata
    adata.write_h5ad(reader.folder / "b.h5ad")
    return reader.judge(".h5ad", reader.folder / "b.h5ad", "a byte", 1, False)[0]


def test_the_judge_tells_a_touched_value_from_a_wrong_result(reader):
    def values(n):
        def change(adata):
            adata.X = adata.X.toarray()
            adata.X[0, :n] += 1

        return change

    assert other(reader, values(0)) == "unchanged"
    assert other(reader, values(2)) == "another file"
    assert other(reader, values(3)) == "wrong"
    assert other(reader, lambda adata: adata[:-1].copy()) == "wrong"
    assert other(reader, lambda adata: adata[:, ::-1].copy()) == "wrong"
    assert other(reader, lambda adata: adata.obs.drop(columns="kind", inplace=True)) == "another file"


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (KeyError("x"), "traceback"),
        (DataError("nothing about a file"), "unclear"),
        (DataError("a.h5ad:\none\nword too many"), "unclear"),
        (DataError("a.h5ad: no matrix; store one"), "refused"),
    ],
)
def test_an_error_has_to_be_the_packages_own_and_clear(reader, error, verdict, monkeypatch):
    def fail(_):
        raise error

    monkeypatch.setattr(fuzz, "_read", fail)
    assert reader.judge(".h5ad", Path("a.h5ad"), "a byte", 1, False)[0] == verdict


def die(connection, _):
    connection.recv()
    os.kill(os.getpid(), signal.SIGSEGV)


def sleep(connection, _):
    connection.recv()
    time.sleep(60)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals of this kind")
@pytest.mark.parametrize(("end", "verdict"), [(die, "signal"), (sleep, "hang")])
def test_a_process_that_dies_or_hangs_is_seen_and_replaced(end, verdict, monkeypatch):
    monkeypatch.setattr(fuzz, "SECONDS", 2 if end is sleep else 60)
    outcomes = list(fuzz.attempts([(".csv", 0), (".csv", 1)], serve=end))
    assert [outcome["verdict"] for outcome in outcomes] == [verdict] * 2


def test_a_heap_that_leads_nowhere_is_refused_before_hdf5_loops_in_it(tmp_path):
    path = fuzz.write_h5ad(fuzz.table(), tmp_path)
    content = bytearray(path.read_bytes())
    heap = content.find(b"GCOL")
    content[heap + 16 : heap + 64] = bytes(48)
    path.write_bytes(content)
    with pytest.raises(InputFileError, match=rf"a\.h5ad: this is damaged: the heap of its texts at byte {heap} "):
        read_input(path)
    with pytest.raises(InputFileError, match=r"a\.h5ad is damaged or not an \.h5ad file; give what `scrcl-edu fit"):
        read_result(path)


@pytest.mark.parametrize("part", ["X", "layers/counts", "obsp/cell_graph"])
def test_a_result_with_a_damaged_matrix_is_refused_before_it_is_used(part, tmp_path):
    adata = fuzz._adata(fuzz.table())
    adata.layers["counts"], adata.obsp["cell_graph"] = adata.X.copy(), sparse.eye_array(fuzz.N_CELLS, format="csr")
    adata.write_h5ad(tmp_path / "a.h5ad")
    with h5py.File(tmp_path / "a.h5ad", "r+") as file:
        file[part]["indices"][0] = 10**6
    with pytest.raises(InputFileError, match=r"a\.h5ad is damaged or not an \.h5ad file"):
        read_result(tmp_path / "a.h5ad")


def test_the_stored_result_is_whole_and_holds_no_bad_outcome(root):
    stored = json.loads((root / "benchmarks/results/fuzz.json").read_text(encoding="utf-8"))
    result = stored["result"]
    assert result["tries"] >= 2000
    assert result["bad"] == []
    for rows in (result["kinds"], result["damages"]):
        assert sum(row[verdict] for row in rows for verdict in fuzz.FINE) == result["tries"]
    readme = (root / "benchmarks/README.md").read_text(encoding="utf-8")
    assert fuzz.render(stored) in readme


def test_every_kind_is_written_well_before_it_is_damaged(tmp_path):
    for kind, write in fuzz.WRITERS.items():
        (folder := tmp_path / kind.replace(" ", "_")).mkdir()
        adata, _ = fuzz._read(write(fuzz.table(), folder))
        assert np.array_equal(fuzz._values(adata), fuzz.table().to_numpy()), kind
        assert adata.obs_names.tolist() == fuzz.table().index.tolist()
