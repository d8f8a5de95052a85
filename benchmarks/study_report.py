"""`python -m benchmarks.study_report`: what the study's record says, written between the marks of the README.

The unit is the set: means over seeds come first, and intervals are of means over sets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.process import ROOT
from benchmarks.report import replace_between
from benchmarks.study import CONSENSUS, KIND, NAMES, RESULTS, SIMPLE, SIMULATED, STUDIES

if TYPE_CHECKING:
    import pandas as pd

README = ROOT / "benchmarks" / "README.md"
MARKS = "<!-- study: begin -->", "<!-- study: end -->"
CANDIDATES = (*SIMPLE, *NAMES.values(), "stop by agreement", *CONSENSUS)
BELIEFS = (  # of the plan, and the comparison that each is about
    ("training is worth less than these sets can show", "robust", "untrained", "none shown"),
    ("a consensus of baselines is ahead of PCA + k-means", "consensus of baselines", "PCA + k-means", "ahead"),
    ("a consensus of baselines is ahead of Leiden at K", "consensus of baselines", "Leiden at K", "ahead"),
    ("a consensus of baselines is ahead of `robust`", "consensus of baselines", "robust", "ahead"),
    ("`robust` adds nothing to that consensus", "consensus of all", "consensus of baselines", "none shown"),
    ("a PCA start is no better than smoothed PCA", "PCA start", "smoothed PCA + k-means", "none shown"),
    ("a stopping rule that sees no labels gains nothing", "stop by agreement", "robust", "none shown"),
    ("refined cells are worse to cluster than encodings", "refined", "robust", "behind"),
    ("signs and correlations bring half of that back", "refined, signed", "refined", "ahead"),
)
RULES = ("robust", "Leiden", "silhouette", "gap", "consensus")
QUESTIONS = (  # what, with, without
    ("training (30 epochs)", "robust", "untrained"),
    ("robust, instead of PCA + k-means", "robust", "PCA + k-means"),
    ("robust, instead of Leiden at K", "robust", "Leiden at K"),
    ("robust, instead of the consensus of baselines", "robust", "consensus of baselines"),
    ("agreeing: the baselines' consensus, instead of PCA + k-means", "consensus of baselines", "PCA + k-means"),
    ("agreeing: the baselines' consensus, instead of Leiden at K", "consensus of baselines", "Leiden at K"),
    ("agreeing: three seeds of robust, instead of one", "consensus of robust", "robust"),
    ("robust, added to the baselines' consensus", "consensus of all", "consensus of baselines"),
    ("untrained, added to the baselines' consensus", "consensus of baselines and untrained", "consensus of baselines"),
    ("random features alone, instead of PCA + k-means", "untrained", "PCA + k-means"),
    ("smoothing before PCA + k-means", "smoothed PCA + k-means", "PCA + k-means"),
    ("width 1,024 instead of 256, untrained", "untrained, wide", "untrained"),
    ("a PCA start instead of random weights", "PCA start", "robust"),
    ("training after a PCA start", "PCA start", "PCA start, untrained"),
    ("temperature 0.5 instead of 0.1", "temperature 0.5", "robust"),
    ("neighborhood weight 10 instead of 100", "neighborhood 10", "robust"),
    ("neighborhood alignment", "robust", "no neighborhood"),
    ("distribution alignment", "robust", "no distribution"),
    ("stopping by agreement instead of after 30 epochs", "stop by agreement", "robust"),
    ("refined cells instead of encodings", "refined", "robust"),
    ("signed programs, correlated genes", "refined, signed", "refined"),
)


def main() -> None:
    """Write the tables into the README."""
    from scrcl_edu.evidence.storing import read_rows

    replace_between(README, *MARKS, report(read_rows(RESULTS, KIND)[0]))


def report(rows: list[dict[str, Any]]) -> str:
    """All tables."""
    means = by_set(rows)
    parts = [
        beliefs(means),
        answers(means),
        choosing(means),
        candidates(means),
        set_by_set(rows, means),
        numbers_of_clusters(rows),
    ]
    return "\n".join(parts)


def by_set(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Accuracy and ARI in points, mean over seeds, by candidate and dataset."""
    import pandas as pd

    scored = pd.DataFrame([row for row in rows if "ari" in row])
    return 100 * scored.groupby(["candidate", "dataset"])[["accuracy", "ari"]].mean()


def groups() -> dict[str, list[str]]:
    """Sets by what is known of them."""
    from scrcl_edu.evidence.methods import chosen_on

    return {
        "not chosen on": [name for name in STUDIES if not chosen_on(name)],
        "all real": list(STUDIES),
        "simulated": list(SIMULATED),
    }


def beliefs(means: pd.DataFrame) -> str:
    """What was believed beforehand, and what the sets that were not chosen on say to it."""
    lines = _head("believed beforehand | sets | ARI | so it is | expected")
    for belief, ours, theirs, expected in BELIEFS:
        if found := _margins(means, ours, theirs, groups()["not chosen on"]):
            ari = found[1]
            lines.append(_line([belief, str(ari.n_sets), _plus_minus(ari), ari.verdict, expected]))
    return "\n".join(lines) + "\n"


def answers(means: pd.DataFrame) -> str:
    """What each thing is worth: paired differences over sets."""
    head = (
        "what it is worth | sets | accuracy | ARI | won : lost | could be shown | all real sets: ARI | simulated: ARI"
    )
    lines = _head(head)
    for title, ours, theirs in QUESTIONS:
        first, *others = (_margins(means, ours, theirs, names) for names in groups().values())
        if first is None:
            continue
        accuracy, ari = first
        cells = [title, str(ari.n_sets), _plus_minus(accuracy), _plus_minus(ari), f"{ari.won} : {ari.lost}"]
        cells += [f"{ari.detectable:.1f}", *("-" if of is None else _plus_minus(of[1]) for of in others)]
        lines.append(_line(cells))
    return "\n".join(lines) + "\n"


def choosing(means: pd.DataFrame) -> str:
    """Leave a study out: the candidate that is best on the other studies, scored on the sets left out."""
    table = means.mean(axis=1).unstack("dataset").reindex(CANDIDATES)
    names = [name for name in STUDIES if name in table and table[name].notna().all()]
    lines = _head(
        "left out | chosen on the others | accuracy / ARI | best single baseline there | untrained | consensus"
    )
    points: dict[str, dict[str, pd.Series]] = {}
    for name in names:
        others = [other for other in names if STUDIES[other] != STUDIES[name]]
        chosen = table[others].mean(axis=1).idxmax()
        baseline = table.loc[list(SIMPLE), others].mean(axis=1).idxmax()
        rivals = {"single": baseline, "untrained": "untrained", "consensus": "consensus of baselines"}
        for rival, candidate in rivals.items():
            points.setdefault(rival, {})[name] = means.loc[chosen, name] - means.loc[candidate, name]
        shown = [_pair(means.loc[candidate, name]) for candidate in rivals.values()]
        lines.append(_line([name, chosen, _pair(means.loc[chosen, name]), f"{baseline}: {shown[0]}", *shown[1:]]))
    return "\n".join([*lines, "", *_choice_is_worth(points)]) + "\n"


def _choice_is_worth(points: dict[str, dict[str, pd.Series]]) -> list[str]:
    import pandas as pd

    from scrcl_edu.evidence import margin

    lines = _head("what was chosen, against | sets | accuracy | ARI | target | won : lost | could be shown")
    targets = {
        "single": ("the single baseline that is best on the others", "4"),
        "untrained": ("robust, not trained", "2"),
        "consensus": ("the consensus of baselines", "above 0"),
    }
    for rival, (title, target) in targets.items():
        table = pd.DataFrame(points[rival]).T
        accuracy, ari = margin(table["accuracy"]), margin(table["ari"])
        cells = [title, str(ari.n_sets), _plus_minus(accuracy), _plus_minus(ari), target, f"{ari.won} : {ari.lost}"]
        lines.append(_line([*cells, f"{ari.detectable:.1f}"]))
    return lines


def candidates(means: pd.DataFrame) -> str:
    """Accuracy / ARI of each candidate, on sets on which all were run."""
    table = means["ari"].unstack("dataset").reindex(CANDIDATES)
    there = table.columns[table.notna().all()]
    kinds = {title: [name for name in names if name in there] for title, names in groups().items()}
    lines = _head("candidate | " + " | ".join(f"{title} ({len(names)})" for title, names in kinds.items()))
    for candidate in CANDIDATES:
        of = [means.loc[candidate].reindex(names) for names in kinds.values()]
        cells = [_pair(scores.mean()) if len(scores) else "-" for scores in of]
        lines.append(_line([candidate, *cells]))
    return "\n".join(lines) + "\n"


def set_by_set(rows: list[dict[str, Any]], means: pd.DataFrame) -> str:
    """What robust adds to the consensus of baselines, and whether that one's doubts are justified."""
    aucs = {(row["dataset"], row["candidate"]): row.get("auc") for row in rows}
    head = (
        "set | chosen on | PCA + k-means | Leiden at K | robust | consensus of baselines | of all | robust adds | AUC"
    )
    lines = _head(head)
    unseen, doubts = groups()["not chosen on"], []
    for name in STUDIES:
        if (("consensus of all", name)) not in means.index:
            continue
        shown = ("PCA + k-means", "Leiden at K", "robust", "consensus of baselines", "consensus of all")
        adds = means.loc["consensus of all", name] - means.loc["consensus of baselines", name]
        auc = aucs.get((name, "consensus of baselines"))
        cells = [name, "no" if name in unseen else "yes", *(_pair(means.loc[candidate, name]) for candidate in shown)]
        doubts += [] if auc is None else [auc]
        cells.append(f"{adds['accuracy']:+.1f} / {adds['ari']:+.1f}")
        lines.append(_line([*cells, "-" if auc is None else f"{auc:.2f}"]))
    if doubts:
        lines.append(_line(["mean", *[""] * 7, f"{sum(doubts) / len(doubts):.2f}"]))
    return "\n".join(lines) + "\n"


def numbers_of_clusters(rows: list[dict[str, Any]]) -> str:
    """The number of clusters by rules that see no label."""
    found = {(row["dataset"], row["candidate"]): row for row in rows if "n_clusters" in row}
    lines = _head("set | classes | " + " | ".join(f"by {rule}" for rule in RULES))
    errors: dict[str, list[int]] = {rule: [] for rule in RULES}
    for name in [*STUDIES, *SIMULATED]:
        if (name, "K by gap") not in found:
            continue
        classes = found[name, "K by gap"]["n_classes"]
        ks = [found[name, f"K by {rule}"]["n_clusters"] for rule in RULES]
        lines.append(_line([name, str(classes), *map(str, ks)]))
        if name in STUDIES:
            for rule, k in zip(RULES, ks, strict=True):
                errors[rule].append(k - classes)
    lines.append(_line(["mean error, real sets", "", *(f"{sum(e) / len(e):+.1f}" for e in errors.values())]))
    sizes = [f"{sum(map(abs, e)) / len(e):.1f}" for e in errors.values()]
    lines.append(_line(["mean size of the error, real sets", "", *sizes]))
    return "\n".join(lines) + "\n"


def _margins(means: pd.DataFrame, ours: str, theirs: str, names: list[str]) -> tuple | None:
    from scrcl_edu.evidence import margin

    there = means.index.get_level_values("candidate")
    if ours not in there or theirs not in there:
        return None
    points = (means.loc[ours] - means.loc[theirs]).dropna()
    points = points[points.index.isin(names)]
    return None if len(points) < 2 else (margin(points["accuracy"]), margin(points["ari"]))


def _plus_minus(of: Any) -> str:
    return f"{of.mean:+.1f} ± {of.half_width:.1f}"


def _pair(scores: pd.Series) -> str:
    return f"{scores['accuracy']:.1f} / {scores['ari']:.1f}"


def _head(titles: str) -> list[str]:
    return [f"| {titles} |", "|---" * (titles.count("|") + 1) + "|"]


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
