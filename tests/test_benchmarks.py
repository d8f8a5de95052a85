"""The benchmarks run, their JSON is whole, and every number in their tables comes from it."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import time
from numbers import Real
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import efficiency, epochs, losses, problem, process, report

FACTS = {"command", "date", "cpu", "cores", "threads", "memory_gb", "system", "load_at_start", "versions"}


def check_schema(written: dict) -> None:
    for name, part in written["parts"].items():
        assert part.keys() == {"facts", "targets", "result"}
        assert part["facts"].keys() == FACTS
        assert part["facts"]["versions"].keys() == {"python", *process.PACKAGES}
        assert part["targets"] == report.PARTS[name].targets(part["result"]), "targets follow from the result"
        for target in part["targets"]:
            assert target.keys() == {"what", "target", "value", "met"}
    for value in leaves(written):
        assert value is None or isinstance(value, str | bool) or (isinstance(value, Real) and math.isfinite(value))
        assert not (isinstance(value, str) and re.search(r"(^|\s)(/|~|[A-Z]:\\)\w", value)), f"a path: {value}"


def leaves(value: object) -> list:
    if isinstance(value, dict | list):
        return [leaf for part in (value.values() if isinstance(value, dict) else value) for leaf in leaves(part)]
    return [value]


def check_readme(text: str, written: dict) -> None:
    between = text.split(report.BEGIN)[1].split(report.END)[0]
    assert between == "\n" + report.render(written, "results/speed.png")


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """The folder that the command fills, tiny sizes."""
    folder = tmp_path_factory.mktemp("benchmarks")
    command = [sys.executable, "-m", "benchmarks", "--quick", "--only", "losses,start", "--threads", "1", "--out"]
    done = subprocess.run([*command, str(folder)], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_the_command_writes_a_whole_report(quick):
    written = json.loads((quick / "results" / "speed.json").read_text(encoding="utf-8"))
    assert written["parts"].keys() == {"losses", "start"}
    check_schema(written)
    check_readme((quick / "README.md").read_text(encoding="utf-8"), written)
    assert (quick / "results" / "speed.png").read_bytes().startswith(b"\x89PNG")
    row = written["parts"]["losses"]["result"]["rows"][0]
    assert max(row["value_difference"], row["gradient_difference"]) < 1e-9


@pytest.mark.slow
def test_a_changed_number_does_not_pass_as_the_report(quick):
    written = json.loads((quick / "results" / "speed.json").read_text(encoding="utf-8"))
    written["parts"]["losses"]["result"]["rows"][0]["linear_seconds"] *= 2
    with pytest.raises(AssertionError):
        check_readme((quick / "README.md").read_text(encoding="utf-8"), written)
    with pytest.raises(AssertionError):
        check_schema(written)


def test_the_committed_report_is_whole_and_its_tables_are_its_numbers(root):
    path = root / "benchmarks" / "results" / "speed.json"
    if not path.exists():
        pytest.skip("benchmarks/results/speed.json is not there yet; `make bench` writes it")
    written = json.loads(path.read_text(encoding="utf-8"))
    assert written["parts"].keys() == report.PARTS.keys(), "all parts are measured"
    assert not any("--quick" in part["facts"]["command"] for part in written["parts"].values())
    check_schema(written)
    check_readme((root / "benchmarks" / "README.md").read_text(encoding="utf-8"), written)


def test_what_others_write_into_the_readme_is_kept(tmp_path):
    path = tmp_path / "README.md"
    path.write_text(f"# Before\n\n{report.BEGIN}\nold\n{report.END}\n\n## After\n", encoding="utf-8")
    report.write_readme(path, {"parts": {}}, "results/speed.png")
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# Before\n")
    assert text.endswith("## After\n")
    assert "old" not in text


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_slope_is_the_power_of_a_power_law(power):
    rows = [{"n_cells": n, "epoch_seconds": 3 * n**power} for n in (2000, 4000, 64_000)]
    assert epochs.slope(rows) == pytest.approx(power)


def test_peak_memory_sees_an_array_that_is_gone():
    before = process.peak_mb()
    np.ones(int(before * 1e6 / 8) + 50_000_000 // 8)
    assert process.peak_mb() > before + 40


def test_stages_of_a_fit_add_up_to_its_time():
    settings = problem.robust(100, n_hidden=8, epochs=2)
    started = time.perf_counter()
    stages = process.staged_fit(problem.simulated(120, 220), n_clusters=3, recipe=settings)
    seconds = {stage["stage"]: stage["seconds"] for stage in stages}
    assert {"preprocess", "cell_graph", "gene_graph", "build", "train", "embed", "cluster"} <= seconds.keys()
    assert all(value >= 0 for value in seconds.values())
    total = seconds.pop("fit")
    assert sum(seconds.values()) == pytest.approx(total)
    assert total < time.perf_counter() - started


def test_products_are_as_many_operations_as_the_formula_says():
    """Counted by torch itself on an epoch's dense products."""
    from torch.utils.flop_counter import FlopCounterMode

    size = {"n_cells": 60, "n_genes": 40, "n_hidden": 30}
    with FlopCounterMode(display=False) as counter:
        efficiency.products(**size)()
    assert counter.get_total_flops() == efficiency.n_operations(**size)


def test_a_failed_measurement_says_what_happened():
    with pytest.raises(process.FailedError, match="n_cells is 0"):
        process.run(epochs.large_fit, n_cells=0, n_genes=200, n_hidden=8, n_epochs=1)


def test_the_dense_form_is_what_the_linear_one_is_compared_with():
    leaves, graph = losses._problem(40, "float64")
    dense, linear = (losses._value_and_gradient(form, leaves, graph)() for form in losses.FORMS)
    assert dense[0] == pytest.approx(linear[0].item(), rel=1e-12)
    assert dense[0] != linear[0] or any((a != b).any() for a, b in zip(dense[1], linear[1], strict=True))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.012345, "0.0123"), (123456.7, "123,457"), (6.5e-14, "6.50e-14"), (None, "-"), (True, "yes"), (8000, "8,000")],
)
def test_numbers_are_written_with_three_digits(value, text):
    assert report.number(value) == text
