"""Lesson 09, beyond its functions: two predictions, a fault to mend, a transfer and an explanation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scrcl_edu.course.guesses import Choice, Number
from scrcl_edu.course.task import Explanation, Mend, Mutant, Prediction, Property, Transfer

Values = np.ndarray
Cells = Callable[[Values], Values]


def held_out_difference(values: Values, inside: Values, held_out: Values, n_genes: int) -> float:
    """Pick the best genes of a cluster without the cells held out, and try them there."""
    best = _best(values[~held_out], inside[~held_out], n_genes)
    return _difference(values[held_out], inside[held_out])[best].mean()


def held_out_difference_given(values: Values, inside: Values, held_out: Values, n_genes: int) -> float:
    """The genes are picked on all cells, those held out among them."""
    difference = values[inside].mean(axis=0) - values[~inside].mean(axis=0)
    best = np.argsort(difference)[-n_genes:]
    kept, is_in = values[held_out][:, best], inside[held_out]
    return (kept[is_in].mean(axis=0) - kept[~is_in].mean(axis=0)).mean()


def _difference(values: Values, inside: Values) -> Values:
    return values[inside].mean(axis=0) - values[~inside].mean(axis=0)


def _best(values: Values, inside: Values, n_genes: int) -> Values:
    return np.argsort(_difference(values, inside))[-n_genes:]


def _all(held_out: Values) -> Values:
    return held_out | True


def _seen(held_out: Values) -> Values:
    return ~held_out


def _held(held_out: Values) -> Values:
    return held_out


def _picked(insiders: Cells, outsiders: Cells, *, tried: Cells = _held) -> Callable[..., float]:
    """Pick on some cells inside the cluster and some outside, and try on others."""

    def answer(values: Values, inside: Values, held_out: Values, n_genes: int) -> float:
        of_inside, of_outside = inside & insiders(held_out), ~inside & outsiders(held_out)
        best = np.argsort(values[of_inside].mean(axis=0) - values[of_outside].mean(axis=0))[-n_genes:]
        return _difference(values[tried(held_out)], inside[tried(held_out)])[best].mean()

    return answer


def _largest_in_size(values: Values, inside: Values, held_out: Values, n_genes: int) -> float:
    best = np.argsort(np.abs(_difference(values[~held_out], inside[~held_out])))[-n_genes:]
    return _difference(values[held_out], inside[held_out])[best].mean()


def _by_sorting(values: Values, inside: Values, held_out: Values, n_genes: int) -> float:
    seen, tried = _difference(values[~held_out], inside[~held_out]), _difference(values[held_out], inside[held_out])
    ranked = sorted(range(values.shape[1]), key=lambda gene: seen[gene], reverse=True)[:n_genes]
    return sum(tried[gene] for gene in ranked) / n_genes


def _both_sides(rng: np.random.Generator) -> dict[str, Any]:
    cells = rng.permutation(12)  # three of each kind: inside or not, held out or not
    values = rng.normal(size=(12, 6)).round(1)
    return {"values": values, "inside": cells % 2 == 0, "held_out": cells % 4 < 2, "n_genes": 2}


def droplets(rng: np.random.Generator) -> dict[str, Any]:
    """Counts of 400 barcodes and 60 genes; forty hold two cells of different types, and depth differs tenfold."""
    types = rng.integers(0, 3, 400)
    level = np.full((3, 60), 0.15)  # what floats about, and what all cells share
    for number in range(3):
        level[number, 15 * number : 15 * number + 15] = 4.0
    level[:, 45:] = 2.0
    means = level[types]
    doublet = np.arange(400) < 40
    means[doublet] += level[(types + rng.integers(1, 3, 400)) % 3][doublet]
    depth = rng.uniform(0.3, 3.0, (400, 1))
    order = rng.permutation(400)
    counts = rng.poisson(means / means.sum(axis=1, keepdims=True) * 120 * depth).astype(float)
    return {
        "counts": counts[order],
        "markers": [np.arange(15 * number, 15 * number + 15) for number in range(3)],
        "doublet": doublet[order],
    }


def _second_type(counts: Values, markers: list[Values]) -> Values:
    of_types = np.stack([counts[:, genes].sum(axis=1) for genes in markers], axis=1)
    return np.sort(of_types / of_types.sum(axis=1, keepdims=True), axis=1)[:, -2]


def _suspicious(counts: Values, markers: list[Values]) -> Values:
    return _second_type(counts, markers) > 0.25


TASKS = (
    Prediction(
        name="plasma_and_accuracy",
        lesson="09",
        difficulty=2,
        minutes=2,
        text="The labels have no plasma cells; most of these cells are labeled B cells. The clustering has put them "
        "into a cluster of their own. We take that back and merge them with the B cells: what happens to accuracy?",
        shape=Choice(
            options=("It falls", "It stays as it is", "It rises"),
            right="Accuracy knows the labels and nothing else, so a discovery counts as an error.",
            means={
                "It falls": "This guess rewards the finding. But accuracy matches each class with one cluster, and "
                "whatever of that class lies elsewhere counts as wrong, however right it is.",
                "It stays as it is": "This guess forgets the matching: one class has one cluster, so that the plasma "
                "cells, labeled B cells, count as errors as long as they are apart.",
            },
        ),
    ),
    Prediction(
        name="markers_of_one_type",
        lesson="09",
        difficulty=2,
        minutes=1,
        text="All cells are of one type and differ by noise alone. k-means cuts them in two. How many of the 200 genes "
        "mark a half with an adjusted p-value below 0.05?",
        shape=Number(
            near=6,
            low=0,
            high=60,
            form=".0f",
            right="Not all of them, but far more than none: the cut was made where some genes agree.",
            too_low="This guess trusts the p-value: with no types there should be no markers. But k-means chose the "
            "cut by these very genes, and the test does not know that.",
            too_high="It is not as bad as that. Only the genes that decided the cut are too good to be true; the "
            "others look like noise.",
        ),
    ),
    Mend(
        name="held_out_difference",
        lesson="09",
        difficulty=2,
        minutes=8,
        text="This check picks the best genes of a cluster and measures how much they differ on cells held out. On "
        "pure noise it still finds a difference. Find the fault, and mend it.",
        reference=held_out_difference,
        faulty=held_out_difference_given,
        symptom="On noise it finds a difference in nearly every experiment. What have the chosen genes already seen?",
        inputs=_both_sides,
        alternative=_by_sorting,
        mutants=(
            Mutant(
                "largest in size",
                _largest_in_size,
                "The picking is clean, but by the size of the difference without its sign. The largest differences are "
                "asked for, not the most negative ones.",
            ),
            Mutant(
                "tried where they were picked",
                _picked(_seen, _seen, tried=_seen),
                "The genes are picked without the cells held out, and then tried on the same cells again. Now the "
                "cells held out are not used at all.",
            ),
            Mutant(
                "picked on the cells held out",
                _picked(_held, _held),
                "You pick the genes on the cells held out. That is the fault made larger: they see nothing but the "
                "answer.",
            ),
            Mutant(
                "outside leaks",
                _picked(_seen, _all),
                "Inside the cluster the picking is clean, but outside it the cells held out still help to pick.",
            ),
            Mutant(
                "inside leaks",
                _picked(_all, _seen),
                "Outside the cluster the picking is clean, but inside it the cells held out still help to pick.",
            ),
            Mutant(
                "tried on all cells",
                _picked(_seen, _seen, tried=_all),
                "The genes are picked cleanly now. But they are tried on all cells, half of which have picked them.",
            ),
            Mutant(
                "the two halves exchanged",
                _picked(_held, _held, tried=_seen),
                "You pick on the cells held out and try on the others. It is as clean, but the other way round.",
            ),
            Mutant(
                "the worst genes",
                lambda values, inside, held_out, n_genes: _difference(values[held_out], inside[held_out])[
                    np.argsort(_difference(values[~held_out], inside[~held_out]))[:n_genes]
                ].mean(),
                "argsort sorts upwards: the first genes are those with the smallest difference.",
            ),
        ),
        hints=(
            "Which cells enter the line that makes `difference`?",
            "Cells held out may be used once, in the last line. Leave them out of everything before it.",
        ),
        tested="values on 12 cells and 6 genes",
        not_tested="a cluster that lies in one half only",
    ),
    Transfer(
        name="suspicious_cells",
        lesson="09",
        difficulty=3,
        minutes=15,
        text="Counts of 400 barcodes of three types, whose marker genes are given. Some barcodes caught two cells of "
        "different types; depth differs tenfold. Point at the doublets, without knowing them.",
        answer="a function of counts, shape (400, 60), and markers, a list of three arrays of positions, that gives "
        "a mask, True for doublets",
        function=True,
        data=droplets,
        hidden=("doublet",),
        properties=(
            Property(
                "a mask with one entry for each cell",
                lambda mask, data: np.asarray(mask).dtype == bool and np.shape(mask) == data["doublet"].shape,
                "Hand back an array of True and False, shape (n_cells,).",
                wrong=lambda counts, markers: np.flatnonzero(_suspicious(counts, markers)),
            ),
            Property(
                "four of five doublets are found",
                lambda mask, data: np.mean(np.asarray(mask)[data["doublet"]]) >= 0.8,
                "Too many doublets pass. In which way is a cell of two types unlike a cell of one, whatever its depth?",
                wrong=lambda counts, markers: counts.sum(axis=1) > np.quantile(counts.sum(axis=1), 0.9),
            ),
            Property(
                "at most one single cell in twenty is accused",
                lambda mask, data: np.mean(np.asarray(mask)[~data["doublet"]]) <= 0.05,
                "Too many single cells are accused. A few molecules of another type are in every cell: RNA floats "
                "about.",
                wrong=lambda counts, markers: _second_type(counts, markers) > 0,
            ),
        ),
        solution=_suspicious,
        rubric=(
            "depth is divided out, or shares are compared, and it is said why depth alone does not tell",
            "the threshold leaves room for ambient RNA and is read from the cells (a histogram, made doublets)",
            "says that two cells of the same type cannot be found in this way",
        ),
        hints=(
            "Sum each cell's molecules over each set of markers. What do these three numbers look like in a doublet?",
            "Add two cells that you trust and look where the sums fall; that is where your threshold may not cut.",
        ),
    ),
    Explanation(
        name="killers_of_two_kinds",
        lesson="09",
        difficulty=2,
        minutes=4,
        text="The cluster is called NK cells by its markers, and a good part of it has T cell receptors. How did the "
        "name come about, what would you report, and what would you do to get the two apart?",
        model="The list of NK markers holds the tools of killing, and cytotoxic T cells have the same tools, so that "
        "the mean of a mixed cluster is highest in that list. The report says that the cluster holds cytotoxic cells "
        "of two kinds and shows CD3 cell by cell, with the ambient level of other clusters for comparison. To part "
        "them, take these cells alone, choose variable genes among them anew so that the shared program no longer "
        "dominates, and cluster again, or gate on CD3 as one does in the laboratory.",
        rubric=(
            "says that the markers are of a shared job and do not tell the two types apart",
            "looks at single cells and at CD3, and minds ambient RNA",
            "proposes a way to part them: clustering the subset again, or a gate",
        ),
    ),
)
