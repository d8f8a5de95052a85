"""README's tables and the figure, both from the JSON alone."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import efficiency, epochs, gpu, losses, precision, start

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PARTS = {
    "losses": losses,
    "epochs": epochs,
    "efficiency": efficiency,
    "start": start,
    "precision": precision,
    "gpu": gpu,
}
TITLES = {
    "losses": "Dense against linear losses",
    "epochs": "An epoch by the number of cells, and a fit of many",
    "efficiency": "An epoch against the machine's matrix products",
    "start": "Start",
    "precision": "TF32 against float32",
    "gpu": "A run of the paper's size on a GPU",
}
BEGIN, END = "<!-- speed: begin -->", "<!-- speed: end -->"
BUSY = 0.5  # load per core before the start from which a table says that the machine was not quiet


def write_readme(path: Path, report: dict[str, Any], figure: str) -> None:
    """Write the section on speed, into a new file when there is none."""
    if not path.exists():
        path.write_text(f"# Benchmarks\n\n{BEGIN}\n{END}\n", encoding="utf-8")
    replace_between(path, BEGIN, END, render(report, figure))


def replace_between(path: Path, begin: str, end: str, text: str) -> None:
    """Replace what stands between two marks of a file; the rest is kept."""
    before, rest = path.read_text(encoding="utf-8").split(begin)
    path.write_text(f"{before}{begin}\n{text}{end}{rest.split(end)[1]}", encoding="utf-8")


def render(report: dict[str, Any], figure: str) -> str:
    """Markdown of all parts that were measured."""
    parts = {name: report["parts"][name] for name in PARTS if name in report["parts"]}
    lines = [
        "## Speed and memory",
        "",
        "`make bench`, or `python -m benchmarks`, measures all of this again (`--only losses,start` for some parts).",
        "It writes `results/speed.json`, and from it the figure and everything between the marks of this section: no "
        "number here is typed by hand, and a test compares them.",
        "MB and GB are 10^6 and 10^9 bytes.",
        "",
        *_targets(parts),
        "",
        f"![{alt_text(report)}]({figure})",
    ]
    for name, part in parts.items():
        lines += [
            "",
            f"### {TITLES[name]}",
            "",
            PARTS[name].QUESTION,
            "",
            *PARTS[name].METHOD.format(**part["result"]).splitlines(),
        ]
        lines += [_facts(part["facts"]), "", *_tables(name, part["result"])]
    return "\n".join(lines) + "\n"


def alt_text(report: dict[str, Any]) -> str:
    """What the figure shows, in words."""
    parts, said = report["parts"], []
    if "losses" in parts:
        row = parts["losses"]["result"]["rows"][-1]
        said.append(
            f"Losses by number of cells: at {row['n_cells']:,} cells the dense form takes "
            f"{number(row['dense_seconds'])} s and {number(row['dense_mb'])} MB, the linear one "
            f"{number(row['linear_seconds'])} s and {number(row['linear_mb'])} MB."
        )
    if "epochs" in parts:
        result = parts["epochs"]["result"]
        row = result["rows"][-1]
        said.append(
            f"An epoch by number of cells: slope {number(result['slope'])} on log axes, up to "
            f"{number(row['epoch_seconds'])} s and {number(row['peak_mb'] / 1000)} GB at {row['n_cells']:,} cells."
        )
    return " ".join(said) or "Nothing that could be drawn was measured."


def draw(report: dict[str, Any], path: Path) -> None:
    """Time and memory of the losses and of an epoch, on log axes."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(9, 6.5), layout="constrained")
    parts = report["parts"]
    rows = {name: parts[name]["result"]["rows"] if name in parts else [] for name in ("losses", "epochs")}
    for column, (unit, title) in enumerate(
        (("seconds", "Time of the losses (s)"), ("mb", "Memory of the losses (MB)"))
    ):
        lines = {form: [(row["n_cells"], row[f"{form}_{unit}"]) for row in rows["losses"]] for form in losses.FORMS}
        _panel(axes[0, column], lines, title)
    _panel(axes[1, 0], {"epoch": [(r["n_cells"], r["epoch_seconds"]) for r in rows["epochs"]]}, "Time of an epoch (s)")
    _panel(axes[1, 1], {"whole process": [(r["n_cells"], r["peak_mb"]) for r in rows["epochs"]]}, "Peak memory (MB)")
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


def number(value: float | int | str | bool | None) -> str:
    """Three significant digits; text and None in words."""
    if value is None:
        return "-"
    if isinstance(value, bool | str):
        return {True: "yes", False: "no"}.get(value, value)
    if value == 0 or isinstance(value, int):
        return f"{value:,}"
    size = math.floor(math.log10(abs(value)))
    return f"{value:.2e}" if size < -4 else f"{value:,.{max(0, 2 - size)}f}"


def _targets(parts: dict[str, Any]) -> list[str]:
    rows = [
        [target["what"], target["target"], target["value"], "not measured" if target["met"] is None else target["met"]]
        for part in parts.values()
        for target in part["targets"]
    ]
    return _markdown(["what", "target", "measured", "met"], rows)


def _tables(name: str, result: dict[str, Any]) -> list[str]:
    if name == "gpu" and result["gpu"] is None:
        return [result["reason"]]
    lines = _markdown(*PARTS[name].table(result))
    if name == "epochs":
        lines += ["", *epochs.FIT_METHOD.format(**result).splitlines(), "", *_markdown(*epochs.fit_table(result))]
    if name == "efficiency":
        lines += ["", *_markdown(*efficiency.run_table(result))]
    if name == "gpu":
        lines += ["", *_markdown(*gpu.profile_table(result))]
    return lines


def _facts(facts: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    load = facts["load_at_start"]
    busy = f" **The machine was busy: load {load} before the start.**" if load and load > BUSY * facts["cores"] else ""
    return (
        f"`{facts['command']}`, {facts['date']}: {facts['cpu']}, {facts['cores']} cores, {facts['threads']} threads, "
        f"{facts['memory_gb']} GiB of memory, {facts['system']}; {versions}.{busy}"
    )


def _markdown(columns: list[str], rows: list[list[Any]]) -> list[str]:
    cells = [columns, ["---"] * len(columns), *([number(value) for value in row] for row in rows)]
    return [f"| {' | '.join(row)} |" for row in cells]


def _panel(axes: Axes, lines: dict[str, list[tuple[float, float]]], title: str) -> None:
    from scrcl_edu.plotting import group_style

    axes.set(title=title, xlabel="cells", xscale="log", yscale="log")
    for place, (name, points) in enumerate(lines.items()):
        if points:
            axes.plot(*zip(*points, strict=True), **group_style(place) | {"marker": "os"[place]}, label=name)
            cells = [x for x, _ in points]
    if not any(lines.values()):
        axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center")
        return
    axes.set_xticks(cells, [f"{x:,}" for x in cells], rotation=30)
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend()
