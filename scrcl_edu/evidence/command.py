"""What `scrcl-edu benchmark` does with its options."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from scrcl_edu.errors import SettingsError
from scrcl_edu.evidence import margins
from scrcl_edu.evidence.methods import ABLATIONS, BASELINES
from scrcl_edu.evidence.released import SCORED, store_released
from scrcl_edu.evidence.running import benchmark
from scrcl_edu.evidence.storing import read_results
from scrcl_edu.evidence.tables import as_text, results_table
from scrcl_edu.files import check_output


def run_command(
    *,
    names: str | None,
    out: Path | None,
    recipes: str,
    baselines: str,
    protocols: str,
    released: str | None,
    labels: Path | None,
    table: str | None,
    results: Path | None,
    markdown: bool,
    sentence: bool,
    overwrite: bool,
    command: str,
    report: Callable[[str], Any],
    **settings: Any,
) -> None:
    """Print a table or the README's sentence, score what was released, or run a benchmark, as the options ask.

    Raises
    ------
    SettingsError
        When neither `table` nor `out` is given, or there are no datasets to run.
    ScrclError
        Whatever these raise.
    """
    if sentence:
        report(margins.sentence(read_results(results)))
        return
    if table is not None:
        report(as_text(results_table(table, folder=results), markdown=markdown).rstrip("\n"))
        return
    if out is None:
        raise SettingsError("--out is missing: name the .json file for the results, or ask for a --table")
    if released is not None:
        check_output(out, overwrite=overwrite)
        chosen = _listed(names) or SCORED
        store_released(released, out, names=chosen, labels=labels, command=command, report=report)
        return
    if not names:
        raise SettingsError("--datasets is missing; `scrcl-edu datasets` lists them")
    benchmark(
        _listed(names),
        out=out,
        recipes=_listed(recipes),
        baselines=list({"all": BASELINES, "ablations": ABLATIONS}.get(baselines, _listed(baselines))),
        protocols=_listed(protocols),
        overwrite=overwrite,
        command=command,
        report=report,
        **settings,
    )


def _listed(names: str | None) -> list[str]:
    return [name.strip() for name in (names or "").split(",") if name.strip()]
