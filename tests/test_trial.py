"""A trial is paired, blind and recorded, says what its sets can show, and refuses who looks for labels."""

from __future__ import annotations

import json
import pickle
import re
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest

from scrcl_edu import evaluation
from scrcl_edu.errors import InputFileError, SettingsError
from scrcl_edu.parts import PartError
from scrcl_edu.trial import Trial, TrialRefused, holding, looks, trial
from scrcl_edu.trial.sets import TrialSet, to_open_once, to_play_with
from scrcl_edu.trial.sources import from_functions

LABELS = np.array(["a", "b"] * 30)
FACTOR = 2


@pytest.fixture(autouse=True)
def own_record(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRCL_EDU_PROGRESS", str(tmp_path / "progress.json"))


@pytest.fixture
def small_sets(monkeypatch):
    """Two tiny sets in place of the nine, so that a trial takes seconds."""

    def cut(sets):
        return tuple(TrialSet(s.name, s.counts[:70], s.labels[:70]) for s in (sets[0], sets[-1]))

    monkeypatch.setattr(holding, "to_play_with", lambda: cut(to_play_with()))
    monkeypatch.setattr(holding, "to_open_once", lambda draw: cut(to_open_once(draw)))


def kmeans_again(embedding, n_clusters, seed):
    """The method's own clustering, under another name."""
    from scrcl_edu.clustering import kmeans

    return kmeans(embedding, n_clusters, n_starts=20, seed=seed)


def helper(x):
    return x[:, :FACTOR] * np.pi


def with_helper(embedding, n_clusters, seed):
    return (helper(embedding)[:, 0] > 0).astype(int)


def with_labels(embedding, n_clusters, seed):
    return (LABELS == "a").astype(int)


def result(differences, **more):
    """A trial with these differences, one row a set and one column a seed."""
    rows = [
        {"set": f"set {i}", "seed": j, "part": 0.5 + d, "robust": 0.5, "pca_kmeans": 0.4, "leiden_k": 0.3}
        for i, line in enumerate(differences)
        for j, d in enumerate(line)
    ]
    table = pd.DataFrame(rows)
    settings = {"opened": False, "draw": None, "looked": "once", "source": "def clustering(): 1 < 2", "seconds": 1.0}
    return Trial({"clustering": "mine"}, table, *holding.interval(table), **(settings | more))


def test_the_method_s_own_part_makes_no_difference_at_all(small_sets):
    found = trial(clustering=kmeans_again)
    np.testing.assert_allclose(found.table["part"], found.table["robust"])
    assert found.mean == 0
    assert "no difference from robust" in found.verdict
    assert found.table.shape == (4, 6)


def test_an_opening_is_recorded_shown_and_can_be_repeated(small_sets):
    trial(clustering=with_helper)
    first = trial(clustering=with_helper, open_final=True, draw=5, seeds=1)
    second = trial(clustering=with_helper, open_final=True, draw=5, seeds=1)
    assert "looked at once on the sets to play with, in 1 version; this is the first time" in first.looked
    assert "opening number 2" in second.looked
    assert "no longer blind" in second.looked
    pd.testing.assert_frame_equal(first.table, second.table)
    assert [look["opened"] for look in looks.looks()] == [None, 5, 5]


def test_a_file_is_tried_as_its_functions_are_and_its_report_holds_all_that_counts(small_sets, tmp_path):
    file = tmp_path / "my_part.py"
    file.write_text("def clustering(embedding, n_clusters, seed):\n    return (embedding[:, 0] > 0.1).astype(int)\n")
    found = trial(file, seeds=1)
    page = found.report(tmp_path / "report.html").read_text()
    shown = (found.verdict.split(" (")[0], found.looked, "return (embedding[:, 0] &gt; 0.1)", "image/png", "<table>")
    for part in shown:
        assert part in page
    assert re.search(r'<img alt="ARI of the part minus that of robust, set by set: ordinary 1 [+-]', page)


def test_a_part_that_fails_is_told_its_line(small_sets, tmp_path):
    file = tmp_path / "my_part.py"
    file.write_text("def clustering(embedding, n_clusters, seed):\n    return embedding.nothing\n")
    with pytest.raises(PartError, match=r"AttributeError: .*nothing.* \(line 2 of the part\)"):
        trial(file)


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        (None, InputFileError, "cannot be read"),
        ("def clustering(:", InputFileError, "is no Python: line 1"),
        ("x = 1", PartError, "defines no part; define one of these functions: input"),
    ],
)
def test_a_file_that_is_no_part_is_explained(text, error, words, tmp_path):
    if text is not None:
        (tmp_path / "part.py").write_text(text)
    with pytest.raises(error, match=words):
        trial(tmp_path / "part.py")


def test_settings_that_do_not_go_together_are_explained():
    for wrong in ({"seeds": 0}, {"draw": 3}, {"part": "x.py"}):
        with pytest.raises(SettingsError):
            trial(clustering=with_helper, **wrong)
    with pytest.raises(TypeError):
        trial(cluster=with_helper)


def test_functions_are_written_out_with_helpers_modules_and_small_constants():
    source, names = from_functions({"clustering": with_helper})
    assert names == {"clustering": "with_helper"}
    space = {}
    exec(source, space)
    x = np.random.default_rng(0).normal(size=(5, 3))
    np.testing.assert_array_equal(space["with_helper"](x, 2, 0), with_helper(x, 2, 0))


def test_a_part_that_takes_labels_along_is_refused():
    with pytest.raises(TrialRefused, match="with_labels uses LABELS, ndarray that it is not given"):
        from_functions({"clustering": with_labels})

    def closed(embedding, n_clusters, seed, labels=LABELS):
        return labels

    with pytest.raises(TrialRefused, match="carries values"):
        from_functions({"clustering": closed})


CHEATS = {
    "loads a dataset": "from scrcl_edu import datasets; datasets.load('pbmc68k_reduced')",
    "loads it by another name": "import importlib; importlib.import_module('scrcl_edu.datasets.loading')",
    "simulates the sets again": "from scrcl_edu.datasets.simulated import simulate; simulate(10)",
    "asks for the sets": "from scrcl_edu.trial.sets import to_play_with; to_play_with()",
    "asks a loaded module": "import scanpy; scanpy.datasets.pbmc68k_reduced()",
    "reads the shipped file": "import scanpy, anndata, os; anndata.read_h5ad(os.path.join(os.path.dirname("
    "scanpy.__file__), 'datasets', '10x_pbmc68k_reduced.h5ad'))",
    "reads it as bytes": "import scanpy, os; open(os.path.join(os.path.dirname(scanpy.__file__), 'datasets', "
    "'10x_pbmc68k_reduced.h5ad'), 'rb')",
    "opens it with HDF5": "import h5py; h5py.File('x.h5ad')",
    "opens it below HDF5": "import h5py; h5py.h5f.open(b'x.h5ad')",
    "maps a file": "import numpy as np; np.memmap('labels.bin', mode='r')",
    "reads a table": "import pandas as pd; pd.read_csv('labels.csv')",
    "reads the source of the sets": "import scrcl_edu, os; open(os.path.join(os.path.dirname(scrcl_edu.__file__), "
    "'trial', 'sets.py'))",
    "looks into its parent": "import os; open(f'/proc/{os.getppid()}/mem', 'rb')",
    "asks another program": "import subprocess; subprocess.run(['cat', 'labels.csv'])",
    "asks the shell": "import os; os.system('true')",
    "splits itself": "import os; os.fork()",
    "asks the network": "import socket; socket.create_connection(('127.0.0.1', 9))",
    "asks a library of the system": "import ctypes; ctypes.CDLL(None)",
    "writes a note for later": "open('labels.txt', 'w')",
}


@pytest.fixture(scope="module")
def doors():
    """What the guard said to each cheat; all in one process, in which no label is."""
    program = textwrap.dedent("""
        import json, sys
        import scanpy, h5py, pandas, anndata, numpy, ctypes, socket, subprocess, importlib
        import scrcl_edu.fitting, scrcl_edu.datasets
        from scrcl_edu.trial import guard
        cheats, found = json.loads(sys.argv[1]), {}
        guard.close_the_doors()
        for name, cheat in cheats.items():
            guard.tried.clear()
            try:
                exec(cheat, {"__name__": "my_part"})
            except BaseException as error:
                pass
            found[name] = list(guard.tried)
        print(json.dumps(found))
    """)
    command = [sys.executable, "-c", program, json.dumps(CHEATS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.mark.parametrize("name", CHEATS)
def test_every_door_to_the_labels_is_closed(doors, name):
    assert doors[name], f"nothing was refused to a part that {name}"


def test_a_cheat_that_swallows_the_refusal_is_refused_all_the_same(small_sets, tmp_path):
    file = tmp_path / "my_part.py"
    file.write_text(
        "import numpy as np\ndef clustering(embedding, n_clusters, seed):\n    try:\n"
        "        from scrcl_edu.datasets import load\n    except BaseException:\n        pass\n"
        "    return np.zeros(len(embedding), int)\n"
    )
    with pytest.raises(TrialRefused, match=r"it imported scrcl_edu\.datasets"):
        trial(file)
    assert not looks.looks()


def test_what_a_part_can_reach_in_its_process_holds_no_label():
    source = """
        import gc, sys
        import numpy as np
        def clustering(embedding, n_clusters, seed):
            words = []
            frame = sys._getframe()
            while frame is not None:
                words += [str(value) for value in frame.f_locals.values() if isinstance(value, str | list | tuple)]
                frame = frame.f_back
            arrays = [x for x in gc.get_objects() if isinstance(x, np.ndarray) and x.dtype.kind in "OU"]
            words += [str(entry) for x in arrays for entry in x.ravel()[:1000]]
            if any("CD4+" in word or "type_1" in word for word in words):
                raise ValueError("a label")
            return np.zeros(len(embedding), int)
    """
    one = to_play_with()[-1]
    order = {"source": textwrap.dedent(source), "names": {"clustering": "clustering"}, "tasks": [(one.counts, 10, 0)]}
    command = [sys.executable, "-m", "scrcl_edu.trial.worker"]
    done = subprocess.run(command, input=pickle.dumps(order), capture_output=True, check=True)
    assert json.loads(done.stdout)["clusters"] == [[0] * one.counts.shape[0]]


def test_the_order_of_cells_and_genes_tells_nothing():
    for one in to_play_with():
        blocks = np.arange(len(one.labels)) * one.n_clusters // len(one.labels)
        assert evaluation.ari(one.labels, blocks) < 0.05
        assert one.counts.sum(axis=1).min() > 0


def test_sets_to_open_share_no_cell_with_those_to_play_with_and_differ_by_draw():
    played, opened, other = to_play_with(), to_open_once(1), to_open_once(2)
    assert [one.name for one in played] == [one.name for one in opened]
    for a, b in zip(played[:-1], opened[:-1], strict=True):
        assert a.counts.shape != b.counts.shape or (a.counts != b.counts).nnz
    assert (opened[0].counts.shape != other[0].counts.shape) or (opened[0].counts != other[0].counts).nnz
    assert len(played[-1].labels) + len(opened[-1].labels) == 700


def test_the_verdict_follows_the_interval_over_sets():
    assert result([[0.1, 0.12], [0.09, 0.1], [0.11, 0.1]]).verdict.startswith("better than robust")
    assert result([[-0.1, -0.12], [-0.09, -0.1], [-0.11, -0.1]]).verdict.startswith("worse than robust")
    assert result([[0.3, 0.3], [-0.1, -0.1], [0.0, 0.0]]).verdict.startswith("no difference from robust that")


def test_more_seeds_on_the_same_sets_do_not_narrow_the_interval():
    few, many = result([[0.1], [0.0], [0.05]]), result([[0.1] * 20, [0.0] * 20, [0.05] * 20])
    assert (few.low, few.high) == pytest.approx((many.low, many.high))


def test_the_interval_is_that_of_a_t_test_over_sets():
    from scipy import stats

    found = result([[0.10, 0.14], [0.02, 0.00], [0.05, 0.07], [-0.03, 0.01]])
    theirs = stats.ttest_1samp(found.differences().mean(axis=1), 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx(tuple(theirs))


def test_the_command_prints_the_verdict_and_writes_the_page(small_sets, tmp_path):
    from click.testing import CliRunner

    from scrcl_edu.cli import main

    file, page = tmp_path / "my_part.py", tmp_path / "report.html"
    file.write_text("def stopping(epoch, history):\n    return epoch == 2\n")
    done = CliRunner().invoke(main, ["trial", str(file), "--seeds", "1", "--report", str(page)])
    assert done.exit_code == 0, done.output
    assert "Verdict: " in done.output
    assert "stopping as stopping" in page.read_text()
    again = CliRunner().invoke(main, ["trial", str(file), "--seeds", "1", "--report", str(page)])
    assert again.exit_code == 1
    assert "--overwrite" in again.output
    assert len(looks.looks()) == 1  # nothing was run for nothing
