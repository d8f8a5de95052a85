"""What came of a trial, and the one page that a learner hands in: verdict, figure, numbers, looks, the part itself."""

from __future__ import annotations

import base64
import html
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scrcl_edu.files import atomic_path
from scrcl_edu.plotting import PALETTE

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:46em;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse}th,td{padding:.15em .8em;text-align:right;border-bottom:1px solid #ccc}"
    "th:first-child,td:first-child{text-align:left}pre{background:#f4f4f4;padding:1em;overflow-x:auto}img{max-width:100%}"
    ".verdict{border-left:6px solid #0072B2;padding:.4em 1em;font-size:1.1em}"
)


@dataclass(frozen=True)
class Trial:
    """What came of a trial.

    Attributes
    ----------
    parts
        Names of the functions that were tried, by the part that they stand for.
    table
        One row for each set and seed, one column of ARI for each method: `part`, `robust` and the baselines.
    mean, low, high
        ARI of the part minus that of `robust`, mean over the sets, and its 95 % interval over the sets.
    opened
        Whether the sets were those that are opened once, and `draw` the number they were drawn from.
    looked
        How often these parts were looked at, in words.
    source
        What was tried.
    seconds
        How long the trial took.
    """

    parts: dict[str, str]
    table: pd.DataFrame
    mean: float
    low: float
    high: float
    opened: bool
    draw: int | None
    looked: str
    source: str
    seconds: float

    @property
    def verdict(self) -> str:
        """What these sets can say, in plain words."""
        n_sets = self.table["set"].nunique()
        size = f"{self.mean:+.3f} ARI, 95 % interval {self.low:+.3f} to {self.high:+.3f} over {n_sets} sets"
        if self.low > 0:
            return f"better than robust on sets like these ({size})"
        if self.high < 0:
            return f"worse than robust on sets like these ({size})"
        return f"no difference from robust that these sets can show ({size})"

    def differences(self) -> pd.DataFrame:
        """ARI of the part minus that of `robust`, one row for each set, one column for each seed."""
        table = self.table.assign(difference=self.table["part"] - self.table["robust"])
        return table.pivot(index="set", columns="seed", values="difference").loc[self.table["set"].unique()]

    @property
    def alt(self) -> str:
        """What :meth:`figure` shows, in words."""
        return alt_text(self)

    def figure(self) -> Figure:
        """The differences, set by set, with their mean."""
        return figure(self)

    def report(self, path: str | Path) -> Path:
        """Write one page of HTML with verdict, figure, numbers and the part itself; an existing file is replaced."""
        return write(self, Path(path))

    def __str__(self) -> str:
        kind = "opened once" if self.opened else "to play with"
        named = ", ".join(f"{function} as {part}" for part, function in self.parts.items())
        means = self.table.drop(columns=["set", "seed"]).mean()
        lines = [
            f"Trial of {named}, on the sets {kind}",
            f"  Verdict: {self.verdict}",
            f"  Mean ARI: {', '.join(f'{name} {value:.3f}' for name, value in means.items())}",
            f"  Looks: {self.looked}",
        ]
        return "\n".join(lines)


def alt_text(trial: Trial) -> str:
    """What the figure shows, in words."""
    by_set = trial.differences().mean(axis=1)
    listed = ", ".join(f"{name} {value:+.2f}" for name, value in by_set.items())
    return f"ARI of the part minus that of robust, set by set: {listed}; mean {trial.mean:+.3f}, its interval from " + (
        f"{trial.low:+.3f} to {trial.high:+.3f}."
    )


def figure(trial: Trial) -> Figure:
    """One line for each set with a dot for each seed, and the mean over the sets with its interval below."""
    from matplotlib.figure import Figure

    differences = trial.differences()
    drawn = Figure(figsize=(6.4, 0.32 * len(differences) + 1.4), layout="constrained")
    axes = drawn.subplots()
    places = np.arange(len(differences))[::-1] + 1
    for place, values in zip(places, differences.to_numpy(), strict=True):
        axes.plot(values, np.full(len(values), place), "o", color=PALETTE[0], alpha=0.6)
        axes.plot(values.mean(), place, "|", color=PALETTE[0], markersize=14)
    axes.plot([trial.low, trial.high], [0, 0], color="black")
    axes.plot(trial.mean, 0, "D", color="black")
    axes.axvline(0, color="black", linestyle=":")
    axes.set_yticks([*places, 0], [*differences.index, "mean, 95 % interval"])
    axes.set(xlabel="ARI of the part minus ARI of robust", title="Right of the line the part is ahead")
    return drawn


def write(trial: Trial, path: Path) -> Path:
    """Write the page; an existing file is replaced."""
    buffer = io.BytesIO()
    figure(trial).savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    picture = base64.b64encode(buffer.getvalue()).decode()
    with atomic_path(path, overwrite=True) as temporary:
        temporary.write_text(_page(trial, picture), encoding="utf-8")
    return path


def _page(trial: Trial, picture: str) -> str:
    named = ", ".join(f"{function} as {part}" for part, function in trial.parts.items())
    sets = "drawn for this opening and seen by nobody before" if trial.opened else "to play with, open to everybody"
    drawn = f" They were drawn from the number {trial.draw}." if trial.opened else ""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Trial of {html.escape(named)}</title><style>{STYLE}</style></head>
<body><h1>Trial of {html.escape(named)}</h1>
<p class="verdict"><strong>Verdict:</strong> {html.escape(trial.verdict)}</p>
<p><strong>Looks:</strong> {html.escape(trial.looked)}.</p>
<h2>The differences</h2>
<p><img alt="{html.escape(alt_text(trial), quote=True)}" src="data:image/png;base64,{picture}"></p>
{_table(trial)}
<h2>How it was tried</h2>
<p>The sets were those {sets}.{drawn} On every set and with every seed the part, <code>robust</code> and the baselines
clustered the same cells and were told the same number of classes. The part ran in a process that holds no label.
Differences were averaged over the seeds of a set first; the interval is Student's, with the sets as its units, and says
how far the mean would move on other sets of these kinds. Eight of the nine sets are simulated: what holds on them need
not hold on your cells. The trial took {trial.seconds:.0f} s.</p>
<h2>The part</h2>
<pre>{html.escape(trial.source)}</pre>
</body></html>
"""


def _table(trial: Trial) -> str:
    means = trial.table.drop(columns="seed").groupby("set", sort=False).mean()
    means.loc["mean of the sets"] = means.mean()
    head = "".join(f"<th>{html.escape(name)}</th>" for name in ("set", *means.columns))
    rows = "".join(
        f"<tr><td>{html.escape(name)}</td>{''.join(f'<td>{value:.3f}</td>' for value in values)}</tr>"
        for name, values in zip(means.index, means.to_numpy(), strict=True)
    )
    return f"<table><caption>ARI, mean over the seeds</caption><tr>{head}</tr>{rows}</table>"
