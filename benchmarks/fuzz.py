"""Damage files of every kind that is read, at random, and judge what comes back: `python -m benchmarks.fuzz`.

Each try damages one file and reads it in a process of its own, which may die without ending the others.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import multiprocessing
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.process import ROOT, facts
from benchmarks.report import replace_between

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

N_CELLS, N_GENES = 30, 40
SECONDS = 60  # after which a try counts as hanging
MEMORY = 8 << 30  # bytes that the process may address
BLOCK = 64  # bytes that a lost block sets to 0
BEGIN, END = "<!-- fuzz: begin -->", "<!-- fuzz: end -->"

FINE = {
    "refused": "one line of the package's own error, which names the file",
    "unchanged": "the damage is where nothing that is read stands: values, names and annotations are those written",
    "noted": "something else was read, with a note that the sound file does not give",
    "another file": "the shape is the same and no more differs than was touched: a sound file of other content",
    "cut between lines": "a text table that ends after a whole line: a sound file with fewer cells",
}
BAD = {
    "wrong": "more differs than was touched, and nothing says so",
    "unclear": "refused in more than two lines or without the file's name",
    "traceback": "an error of another kind",
    "signal": "the process died",
    "hang": f"no answer within {SECONDS} s",
}


def table() -> pd.DataFrame:
    """Counts with names as 10x gives them, the largest above 255, more zeros than not."""
    import pandas as pd

    rng = np.random.default_rng(0)
    counts = rng.poisson(rng.gamma(0.4, 8, (N_CELLS, N_GENES)))
    counts[0, :3], counts[1, 0] = (300, 1, 40), 7
    letters = rng.choice(list("ACGT"), (N_CELLS, 12))
    cells = ["".join(row) + "-1" for row in letters]
    return pd.DataFrame(counts, cells, [f"ENSG{i:011d}" for i in range(N_GENES)])


def write_h5ad(frame: pd.DataFrame, folder: Path, **options: Any) -> Path:
    """Sparse counts, a layer, a column and coordinates."""
    _adata(frame).write_h5ad(folder / "a.h5ad", **options)
    return folder / "a.h5ad"


def write_h5ad_dense(frame: pd.DataFrame, folder: Path) -> Path:
    """Counts as an array of int32."""
    adata = _adata(frame)
    adata.X = frame.to_numpy(np.int32)
    adata.write_h5ad(folder / "a.h5ad")
    return folder / "a.h5ad"


def write_h5ad_gz(frame: pd.DataFrame, folder: Path) -> Path:
    """Gzipped from outside."""
    (folder / "a.h5ad.gz").write_bytes(gzip.compress(write_h5ad(frame, folder).read_bytes()))
    (folder / "a.h5ad").unlink()
    return folder / "a.h5ad.gz"


def write_zarr(frame: pd.DataFrame, folder: Path) -> Path:
    """A store of many small files."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _adata(frame).write_zarr(folder / "a.zarr")
    return folder / "a.zarr"


def write_tenx(frame: pd.DataFrame, folder: Path, name: str = "a.h5") -> Path:
    """Cell Ranger's .h5, version 3."""
    import h5py
    from scipy import sparse

    by_gene = sparse.csc_matrix(frame.to_numpy().T)
    with h5py.File(folder / name, "w") as file:
        group = file.create_group("matrix")
        for key in ("data", "indices", "indptr"):
            group[key] = getattr(by_gene, key).astype(np.int32 if key == "data" else np.int64)
        group["shape"], group["barcodes"] = np.array(by_gene.shape, np.int32), frame.index.to_numpy("S")
        features = group.create_group("features")
        features["id"], features["name"] = frame.columns.to_numpy("S"), frame.columns.to_numpy("S")
        features["feature_type"] = np.full(N_GENES, b"Gene Expression")
        features["genome"] = np.full(N_GENES, b"GRCh38")
    return folder / name


def write_loom(frame: pd.DataFrame, folder: Path) -> Path:
    """Dense, genes in rows, float32 as many tools write it."""
    import h5py

    with h5py.File(folder / "a.loom", "w") as file:
        file["matrix"] = frame.to_numpy(np.float32).T
        file["row_attrs/Gene"], file["col_attrs/CellID"] = frame.columns.to_numpy("S"), frame.index.to_numpy("S")
    return folder / "a.loom"


def write_text(frame: pd.DataFrame, folder: Path, name: str = "a.csv", **options: Any) -> Path:
    """Cells in rows, names in the first row and column."""
    frame.to_csv(folder / name, **options)
    return folder / name


def write_mtx(frame: pd.DataFrame, folder: Path, *, packed: bool = False) -> Path:
    """The three files of a 10x folder."""
    import scipy.io
    from scipy import sparse

    (folder / "run").mkdir()
    scipy.io.mmwrite(folder / "run/matrix.mtx", sparse.coo_matrix(frame.to_numpy().T))
    (folder / "run/barcodes.tsv").write_text("".join(f"{cell}\n" for cell in frame.index))
    genes = (f"{gene}\tG{i}\tGene Expression\n" for i, gene in enumerate(frame.columns))
    (folder / "run/features.tsv").write_text("".join(genes))
    for path in list((folder / "run").iterdir()) if packed else ():
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    return folder / "run"


def write_visium(frame: pd.DataFrame, folder: Path) -> Path:
    """Space Ranger's outs."""
    (folder / "outs/spatial").mkdir(parents=True)
    write_tenx(frame, folder / "outs", "filtered_feature_bc_matrix.h5")
    lines = [f"{cell},1,{i // 6},{i % 6},{100 * (i // 6)},{100 * (i % 6)}\n" for i, cell in enumerate(frame.index)]
    (folder / "outs/spatial/tissue_positions_list.csv").write_text("".join(lines))
    return folder / "outs"


WRITERS: dict[str, Callable[[pd.DataFrame, Path], Path]] = {
    ".h5ad": write_h5ad,
    ".h5ad, packed": lambda frame, folder: write_h5ad(frame, folder, compression="gzip"),
    ".h5ad, dense": write_h5ad_dense,
    ".h5ad.gz": write_h5ad_gz,
    ".zarr": write_zarr,
    "10x .h5": write_tenx,
    ".loom": write_loom,
    ".csv": write_text,
    ".tsv": lambda frame, folder: write_text(frame, folder, "a.tsv", sep="\t"),
    ".csv.gz": lambda frame, folder: write_text(frame, folder, "a.csv.gz"),
    "10x .mtx": write_mtx,
    "10x .mtx.gz": lambda frame, folder: write_mtx(frame, folder, packed=True),
    "Space Ranger": write_visium,
}
PACKED = {".zarr"}  # without a checksum
TEXTS = {".csv", ".tsv", "10x .mtx", "Space Ranger"}


def damage(content: bytes, rng: np.random.Generator) -> tuple[bytes, str, int]:
    """One of four kinds of damage, and how many bytes it touched."""
    kind = str(rng.choice(["a byte", "eight bytes", "cut off", "lost block"], p=[0.5, 0.2, 0.2, 0.1]))
    changed = bytearray(content)
    if kind == "cut off":
        end = int(rng.integers(1, len(content)))
        return content[:end], kind, len(content) - end
    if kind == "lost block":
        start = int(rng.integers(0, len(content)))
        changed[start : start + BLOCK] = bytes(len(content[start : start + BLOCK]))
    else:
        for place in rng.integers(0, len(content), 1 if kind == "a byte" else 8):
            changed[place] = rng.integers(256)
    return bytes(changed), kind, sum(a != b for a, b in zip(content, changed, strict=True))


class Reader:
    """Sound files of every kind, and what is read from them; one process keeps one."""

    def __init__(self, folder: Path) -> None:
        self.frame, self.folder = table(), folder
        self.written: dict[str, Path] = {}
        self.sound: dict[str, tuple[AnnData, set[str]]] = {}

    def attempt(self, kind: str, seed: int) -> dict[str, Any]:
        """Damage one file of one kind, read it, and judge."""
        rng = np.random.default_rng([seed, list(WRITERS).index(kind)])
        if kind not in self.sound:
            written = Path(tempfile.mkdtemp(dir=self.folder))
            self.written[kind] = WRITERS[kind](self.frame, written)
            self.sound[kind] = _read(self.written[kind])
            assert np.array_equal(_values(self.sound[kind][0]), self.frame.to_numpy()), kind
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            path = Path(folder) / self.written[kind].name
            shutil.copytree(self.written[kind].parent, folder, dirs_exist_ok=True)
            files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
            sizes = np.array([file.stat().st_size for file in files], float)
            file = files[rng.choice(len(files), p=sizes / sizes.sum())]
            content, how, touched = damage(file.read_bytes(), rng)
            file.write_bytes(content)
            verdict, detail = self.judge(kind, path, how, touched, content[-1:] == b"\n")
            detail = detail.replace(folder, "")
        return {"kind": kind, "seed": seed, "damage": how, "file": file.name, "verdict": verdict, "detail": detail}

    def judge(self, kind: str, path: Path, how: str, touched: int, whole_line: bool) -> tuple[str, str]:
        """What was read, or why not, against the sound file."""
        from scrcl_edu.errors import ScrclError

        try:
            adata, notes = _read(path)
        except ScrclError as error:
            clear = len(str(error).splitlines()) <= 2 and path.name in str(error)
            return ("refused" if clear else "unclear"), str(error)
        except BaseException:
            return "traceback", traceback.format_exc()[-1500:]
        sound, known = self.sound[kind]
        differs = _differences(sound, adata)
        if differs == {}:
            return "unchanged", ""
        if notes - known:
            return "noted", "; ".join(notes - known)
        few = differs is not None and sum(differs.values()) <= 2 * touched
        packed = differs is not None and len(differs) == 1 and kind in PACKED
        if (few or packed) and how != "cut off":
            return "another file", f"{differs} differ"
        if how == "cut off" and kind in TEXTS and whole_line and _begins(sound, adata):
            return "cut between lines", ""
        return "wrong", f"{adata.shape}, {differs} differ, {touched} touched"


def _adata(frame: pd.DataFrame) -> AnnData:
    import anndata
    import pandas as pd
    from scipy import sparse

    adata = anndata.AnnData(sparse.csr_matrix(frame.to_numpy(np.float32)), frame[[]].copy(), frame.T[[]].copy())
    adata.obs["kind"] = pd.Categorical(np.array(["a", "b", "c"])[np.arange(N_CELLS) % 3])
    adata.obsm["place"] = np.arange(2 * N_CELLS, dtype=float).reshape(N_CELLS, 2)
    return adata


def _read(path: Path) -> tuple[AnnData, set[str]]:
    """As a fit reads: the file, then the checks of preprocessing, whose notes the user sees."""
    from scrcl_edu.datasets.reading import naming, read_input
    from scrcl_edu.preprocessing import preprocess

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adata = read_input(path)
        with naming(path):
            done = preprocess(adata, copy=True)
    assert done is not None
    # how many genes there are is said for every small file, and tells nobody that there were more
    return adata, {note for note in done.uns["preprocessing"]["notes"] if "genes asked for" not in note}


def _values(adata: AnnData) -> np.ndarray:
    values = adata.layers.get("counts", adata.X)
    return values.toarray() if hasattr(values, "toarray") else np.asarray(values)


def _differences(sound: AnnData, adata: AnnData) -> dict[str, int] | None:
    """Of values, names and every annotation, how many are others; None when the shape is."""
    if sound.shape != adata.shape:
        return None
    pairs = {
        "values": (_values(sound), _values(adata)),
        "cells": (sound.obs_names, adata.obs_names),
        "genes": (sound.var_names, adata.var_names),
    }
    for where in ("obs", "var", "obsm"):
        one, other = getattr(sound, where), getattr(adata, where)
        pairs |= {f"{where} {key}": (one.get(key), other.get(key)) for key in {*one, *other}}
    found = {name: _n_other(*pair) for name, pair in pairs.items()}
    return {name: n for name, n in found.items() if n}


def _n_other(one: Any, other: Any) -> int:
    if one is None or other is None:
        return 1  # its name is another
    a, b = np.asarray(one), np.asarray(other)
    return int((a != b).sum()) if a.shape == b.shape else max(a.size, b.size)


def _begins(sound: AnnData, adata: AnnData) -> bool:
    n = adata.n_obs
    return adata.n_vars == sound.n_vars and np.array_equal(_values(sound)[:n], _values(adata))


def _serve(connection: Any, folder: str) -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    reader = Reader(Path(folder))
    while task := connection.recv():
        connection.send(reader.attempt(*task))


def attempts(tasks: list[tuple[str, int]], *, serve: Callable[[Any, str], None] = _serve) -> Iterator[dict[str, Any]]:
    """Outcome of each task, a kind of WRITERS and a seed; a process that dies or hangs is replaced."""
    context = multiprocessing.get_context("spawn")
    process, connection = None, None
    with tempfile.TemporaryDirectory() as folder:
        for kind, seed in tasks:
            if process is None or connection is None:
                connection, theirs = context.Pipe()
                process = context.Process(target=serve, args=(theirs, folder), daemon=True)
                process.start()
                theirs.close()
            connection.send((kind, seed))
            outcome = {"kind": kind, "seed": seed, "damage": "", "file": "", "verdict": "hang", "detail": ""}
            try:
                if connection.poll(SECONDS):
                    yield connection.recv()
                    continue
            except (EOFError, ConnectionError):
                process.join(SECONDS)
                outcome |= {"verdict": "signal", "detail": f"exit {process.exitcode}"}
            process.kill()
            process.join()
            process = None
            yield outcome
        if process is not None and connection is not None:
            connection.send(None)
            process.join(SECONDS)


def measure(n_tries: int, *, seed: int = 0) -> dict[str, Any]:
    """Tries of all kinds in turn; counts by kind and verdict, and every bad outcome in full."""
    kinds = list(WRITERS)
    counts: Counter[tuple[str, str]] = Counter()
    damages: Counter[tuple[str, str]] = Counter()
    bad = []
    for outcome in attempts([(kinds[i % len(kinds)], seed + i // len(kinds)) for i in range(n_tries)]):
        counts[outcome["kind"], outcome["verdict"]] += 1
        damages[outcome["damage"], outcome["verdict"]] += 1
        if outcome["verdict"] in BAD:
            bad.append(outcome)
            print(json.dumps(outcome), file=sys.stderr, flush=True)
    verdicts = [*FINE, *BAD]
    by = {"kinds": counts, "damages": damages}
    rows = {
        what: [
            {"what": name, **{v: found[name, v] for v in verdicts}} for name in dict.fromkeys(name for name, _ in found)
        ]
        for what, found in by.items()
    }
    return {"tries": n_tries, "seed": seed, **rows, "bad": bad}


def render(report: dict[str, Any]) -> str:
    """The section of the README, from the JSON alone."""
    from benchmarks.report import _facts, _markdown

    result = report["result"]
    verdicts = [*FINE, *BAD]
    total = {v: sum(row[v] for row in result["kinds"]) for v in verdicts}
    lines = [
        "## Damaged files",
        "",
        f"{result['tries']:,} sound files of {N_CELLS} cells and {N_GENES} genes, of {len(result['kinds'])} kinds in "
        "turn, each damaged at random (half of them in one byte, the others in eight, cut off, or with a block of "
        f"{BLOCK} bytes set to 0) and read as `scrcl-edu fit` reads it.",
        f"Bad outcomes: {sum(total[v] for v in BAD)}.",
        "",
        *_markdown(["outcome", "what it means", "tries"], [[v, (FINE | BAD)[v], total[v]] for v in verdicts]),
        "",
        "Only gzip carries a checksum. Elsewhere a byte that makes 3 of 2, or another letter of a name, gives a sound "
        "file of other content, and no reader can know. What is asked is that nothing else changes with it: the same "
        "cells, genes and shape, and at most two values or names for each byte that was touched (a value that moves "
        "leaves one place and reaches another). In zarr, which packs without a checksum, a byte may stand for several "
        "values of one array. A note is counted only if the sound file does not give it.",
        "",
        _facts(report["facts"]),
        "",
        *_markdown(["kind", *verdicts], [[row["what"], *(row[v] for v in verdicts)] for row in result["kinds"]]),
        "",
        *_markdown(["damage", *verdicts], [[row["what"], *(row[v] for v in verdicts)] for row in result["damages"]]),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run and store, or repeat one try and show it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("--tries", type=int, default=2000, help="how many (default: 2000)")
    parser.add_argument("--seed", type=int, default=0, help="the first of each kind (default: 0)")
    parser.add_argument("--one", metavar="KIND:SEED", help="repeat one try and print it; nothing is stored")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks", help="folder of README.md and results/")
    asked = parser.parse_args()
    if asked.one:
        kind, _, seed = asked.one.rpartition(":")
        print(json.dumps(next(attempts([(kind, int(seed))])), indent=1))
        return
    started = time.perf_counter()
    given = [f"--tries {asked.tries}"] * (asked.tries != 2000) + [f"--seed {asked.seed}"] * (asked.seed != 0)
    here = facts(" ".join(["python -m benchmarks.fuzz", *given]), 1)
    report = {"facts": here, "result": measure(asked.tries, seed=asked.seed)}
    (asked.out / "results").mkdir(parents=True, exist_ok=True)
    (asked.out / "results/fuzz.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    readme = asked.out / "README.md"
    if readme.exists() and BEGIN in readme.read_text(encoding="utf-8"):
        replace_between(readme, BEGIN, END, render(report))
    bad = Counter(outcome["verdict"] for outcome in report["result"]["bad"])
    print(f"{asked.tries} tries in {time.perf_counter() - started:.0f} s; bad: {dict(bad) or 'none'}")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
