"""How long a user waits: the import, the help, and a fit of real cells from a cold start."""

from __future__ import annotations

import os
import sys
from statistics import median
from typing import Any

from benchmarks.process import python, seconds

QUESTION = "How long does a user wait for the import, the help, and a first fit?"
METHOD = """\
Fresh processes in turn, start of Python included; the median.
Import alone: measured inside the process.
The disk's cache is as the machine has it, so the very first call after installing takes longer."""

IMPORT_ALONE = "import time; t = time.perf_counter(); import scrcl_edu; print(time.perf_counter() - t)"
COMMAND = "from scrcl_edu.cli import main; main()"


def measure(*, quick: bool) -> dict[str, Any]:
    """Seconds of each command."""
    fit = ["fit", "pbmc68k_reduced", "--n-clusters", "10", "--quiet", "--json", os.devnull]
    commands = {
        "python -c pass": ["-c", "pass"],
        "python -c 'import scrcl_edu'": ["-c", "import scrcl_edu"],
        "scrcl-edu --help": ["-c", COMMAND, "--help"],
        "scrcl-edu fit pbmc68k_reduced --n-clusters 10": ["-c", COMMAND, *fit, *(["--epochs", "2"] if quick else [])],
    }
    n_rounds = 1 if quick else 5
    taken: dict[str, list[float]] = {name: [] for name in commands}
    alone = []
    for _ in range(n_rounds):
        alone.append(float(python("-c", IMPORT_ALONE)))
        for name, arguments in commands.items():
            taken[name].append(seconds(lambda arguments=arguments: python(*arguments)))
    rows = [{"command": name, "seconds": median(values), "slowest": max(values)} for name, values in taken.items()]
    return {
        "python": ".".join(map(str, sys.version_info[:2])),
        "rows": [{"command": "import scrcl_edu, alone", "seconds": median(alone), "slowest": max(alone)}, *rows],
    }


def targets(result: dict[str, Any]) -> list[dict[str, Any]]:
    """The import and the first fit."""
    taken = {row["command"]: row["seconds"] for row in result["rows"]}
    alone, fit = taken["import scrcl_edu, alone"], taken["scrcl-edu fit pbmc68k_reduced --n-clusters 10"]
    return [
        {"what": "import scrcl_edu, s", "target": "< 0.5", "value": alone, "met": alone < 0.5},
        {"what": "scrcl-edu fit pbmc68k_reduced from a cold start, s", "target": "< 45", "value": fit, "met": fit < 45},
    ]


def table(result: dict[str, Any]) -> tuple[list[str], list[list[Any]]]:
    """Columns and rows for the report."""
    return ["command", "median s", "slowest s"], [
        [f"`{r['command']}`", r["seconds"], r["slowest"]] for r in result["rows"]
    ]
