"""Lesson 04: log probabilities, and the pieces of a divergence, right and wrong."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scrcl_edu.course.task import Exercise, Mutant


def log_probabilities(e: Tensor, temperature: float) -> Tensor:
    """Turn each row of an encoding into the logarithm of a distribution."""
    return torch.log_softmax(e / temperature, -1)


def unit_pair(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Two small views with unit rows, more cells than hidden units; the first one is not negative."""
    n_cells, n_hidden = rng.integers(4, 7), 3
    pair = rng.random((n_cells, n_hidden)) + 0.05, rng.normal(size=(n_cells, n_hidden))
    e1, e2 = (torch.from_numpy(e / np.linalg.norm(e, axis=1, keepdims=True)) for e in pair)
    return e1, e2


def two_views(rng: np.random.Generator) -> dict[str, Any]:
    e1, e2 = unit_pair(rng)
    return {"e1": e1, "e2": e2, "temperature": float(rng.choice([0.2, 0.5, 2.0]))}


# So cold that a probability is rounded to 0, and its logarithm is not.
_HALF = 0.5**0.5
COLD = {
    "e1": torch.tensor([[_HALF, -_HALF, 0.0], [0.0, 1.0, 0.0]], dtype=torch.float64),
    "e2": torch.tensor([[-_HALF, _HALF, 0.0], [0.0, 0.6, 0.8]], dtype=torch.float64),
    "temperature": 0.0015,
}


def _view(rng: np.random.Generator) -> dict[str, Any]:
    return {"e": unit_pair(rng)[1], "temperature": float(rng.choice([0.2, 0.5, 2.0]))}


def _log_p(e: Tensor, temperature: float) -> Tensor:
    return torch.log_softmax((e / temperature).flatten(), 0).view_as(e)


def _jensen_shannon(log_a: Tensor, log_b: Tensor) -> Tensor:
    middle = ((log_a.exp() + log_b.exp()) / 2).log()
    return log_a.exp() * (log_a - middle) + log_b.exp() * (log_b - middle)


# What learners take in place of each piece of a divergence; the signs look for any combination.
LOGS = {
    "all": _log_p,
    "rows": lambda e, temperature: torch.log_softmax(e / temperature, 1),
    "columns": lambda e, temperature: torch.log_softmax(e / temperature, 0),
    "none": lambda e, temperature: e / temperature,
}
PARTS = {
    "both": lambda a, b: (a.exp() - b.exp()) * (a - b),
    "one": lambda a, b: a.exp() * (a - b),
    "other": lambda a, b: b.exp() * (b - a),
    "difference": lambda a, b: (a.exp() + b.exp()) * (a - b),
    "probabilities": lambda a, b: (a.exp() - b.exp()) ** 2,
    "Jensen-Shannon": _jensen_shannon,
    "cross-entropy": lambda a, b: -a.exp() * b - b.exp() * a,
    "squared logs": lambda a, b: (a - b) ** 2,
    "absolute": lambda a, b: (a.exp() - b.exp()).abs(),
    "negative": lambda a, b: (a.exp() - b.exp()) * (b - a),
    "unlogged": lambda a, b: b.exp() * (b - a.exp()) + a.exp() * (a - b.exp()),
}
TEMPERATURES = {"divided": lambda t: t, "multiplied": lambda t: 1 / t, "left out": lambda t: 1.0}
FACTORS = {
    "sum": lambda e: 1.0,
    "mean over cells": lambda e: 1 / len(e),
    "mean over entries": lambda e: 1 / e.numel(),
    "mean over hidden units": lambda e: 1 / e.shape[1],
}
HALVES = {"added": 1.0, "halved": 0.5, "quartered": 0.25, "doubled": 2.0}


def divergence(
    logs: str, part: str = "both", temperature: str = "divided", over: str = "sum", half: str = "added"
) -> Callable[[Tensor, Tensor, float], Tensor]:
    """A divergence of two views put together from named pieces, right or wrong."""

    def loss(e1: Tensor, e2: Tensor, t: float) -> Tensor:
        log_1, log_2 = (LOGS[logs](e, TEMPERATURES[temperature](t)) for e in (e1, e2))
        return PARTS[part](log_1, log_2).sum() * FACTORS[over](e1) * HALVES[half]

    return loss


def seen(**wrong: str) -> Callable[[Any, dict[str, Any]], bool]:
    """A sign: the result is that of some combination of pieces which holds the wrong one."""

    def sign(result: Tensor, arguments: dict[str, Any]) -> bool:
        e1, e2, t = arguments.values()
        kept = [
            {name: pieces[name] for name in pieces if wrong.get(key, name) == name}
            for key, pieces in (("logs", LOGS), ("part", PARTS), ("temperature", TEMPERATURES), ("over", FACTORS))
        ]
        halves = [HALVES[name] for name in HALVES if wrong.get("half", name) == name]
        for logs, temperature in itertools.product(kept[0].values(), kept[2].values()):
            pair = logs(e1, temperature(t)), logs(e2, temperature(t))
            totals = [float(part(*pair).sum()) for part in kept[1].values()]
            scales = [factor(e1) * half for factor in kept[3].values() for half in halves]
            if np.isclose(np.outer(totals, scales), float(result), rtol=1e-6, atol=0).any():
                return True
        return False

    return sign


def wrong_parts(mistake: Callable[..., Mutant]) -> tuple[Mutant, ...]:
    """What is taken for the summand of a divergence, in every exercise that asks for one."""
    return (
        mistake(
            "probabilities, not logs",
            "You compare probabilities where their logarithms belong: KL weighs a difference of *logs* by a "
            "probability.",
            part="probabilities",
        ),
        mistake(
            "Jensen-Shannon",
            "This is the Jensen-Shannon divergence, of each distribution to the middle of both. Here each is "
            "compared with the other one directly.",
            part="Jensen-Shannon",
        ),
        mistake(
            "cross-entropy",
            "These are cross-entropies, - p log q. The divergence subtracts the distribution's own entropy: it is "
            "0 for two equal distributions, and yours is not.",
            part="cross-entropy",
        ),
        mistake(
            "squared logs",
            "You weigh a difference of logs by a difference of logs. The weights are the probabilities: exp of "
            "the logs.",
            part="squared logs",
        ),
        mistake(
            "absolute differences",
            "These are absolute differences of probabilities. KL weighs a difference of *logs* by a probability, "
            "and needs no absolute value.",
            part="absolute",
        ),
        mistake(
            "kl_div of probabilities",
            "You gave kl_div probabilities. Its first argument is a log probability; its second one too, if you "
            "say log_target=True.",
            part="unlogged",
        ),
    )


def wrong_temperatures(mistake: Callable[..., Mutant]) -> tuple[Mutant, ...]:
    """What is done with the temperature instead."""
    return (
        mistake(
            "times temperature",
            "You multiplied by the temperature instead of dividing by it.",
            temperature="multiplied",
        ),
        mistake("no temperature", "The temperature does not change your result.", temperature="left out"),
    )


def temperature_of_one_view(loss: Callable[[Tensor, Tensor, float], Tensor]) -> tuple[Mutant, ...]:
    """The right loss of encodings of which only one is divided by the temperature."""
    return (
        Mutant(
            "temperature in view 1 only",
            lambda e1, e2, temperature: loss(e1, e2 * temperature, temperature),
            "Only e1 is divided by the temperature. Divide both views.",
        ),
        Mutant(
            "temperature in view 2 only",
            lambda e1, e2, temperature: loss(e1 * temperature, e2, temperature),
            "Only e2 is divided by the temperature. Divide both views.",
        ),
    )


def _sums_to_one(result: Tensor, dim: int | None) -> bool:
    total = result.exp().sum() if dim is None else result.exp().sum(dim)
    return bool(torch.allclose(total, torch.ones_like(total)))


TASKS = (
    Exercise(
        name="log_probabilities",
        lesson="04",
        difficulty=1,
        minutes=5,
        reference=log_probabilities,
        inputs=_view,
        edge_cases=({"e": COLD["e1"], "temperature": COLD["temperature"]},),
        gradient=("e",),
        alternative=lambda e, temperature: e / temperature - (e / temperature).exp().sum(1, keepdim=True).log(),
        mutants=(
            Mutant(
                "wrong axis",
                lambda e, temperature: torch.log_softmax(e / temperature, 0),
                "Your columns sum to 1. Each cell is a row and has a distribution of its own: the softmax runs along "
                "the rows.",
                sign=lambda result, arguments: _sums_to_one(result, 0),
            ),
            Mutant(
                "probabilities",
                lambda e, temperature: torch.softmax(e / temperature, 1),
                "These are the probabilities; their logarithms are asked for.",
                sign=lambda result, arguments: ((result >= 0) & (result <= 1)).all(),
            ),
            Mutant(
                "times temperature",
                lambda e, temperature: torch.log_softmax(e * temperature, 1),
                "You multiplied by the temperature. Dividing by a small one makes the differences large: that is "
                "sharper.",
            ),
            Mutant(
                "no temperature",
                lambda e, temperature: torch.log_softmax(e, 1),
                "The temperature does not change your result.",
            ),
            Mutant(
                "all entries",
                lambda e, temperature: _log_p(e, temperature),
                "Your softmax runs over the whole matrix, so that all entries together sum to 1. Here each row does.",
                sign=lambda result, arguments: _sums_to_one(result, None),
            ),
            Mutant(
                "sum without its logarithm",
                lambda e, temperature: e / temperature - (e / temperature).exp().sum(1, keepdim=True),
                "You subtracted the sum of the exponentials; what is subtracted is the logarithm of that sum.",
            ),
            Mutant(
                "logarithm of a softmax",
                lambda e, temperature: torch.log(torch.softmax(e / temperature, 1)),
                "At a low temperature a probability is so small that it is rounded to 0, and your logarithm of it is "
                "minus infinity. Take both steps at once.",
            ),
            Mutant(
                "base 2",
                lambda e, temperature: torch.log2(torch.softmax(e / temperature, 1)),
                "This is the logarithm with base 2. The natural logarithm is asked for, as in torch.log.",
            ),
            Mutant(
                "base 10",
                lambda e, temperature: torch.log10(torch.softmax(e / temperature, 1)),
                "This is the logarithm with base 10. The natural logarithm is asked for, as in torch.log.",
            ),
            Mutant(
                "one added",
                lambda e, temperature: torch.log1p(torch.softmax(e / temperature, 1)),
                "You took log(1 + p), as for counts. A softmax has no zeros; the logarithm of p itself is asked for.",
            ),
            Mutant(
                "sign",
                lambda e, temperature: -torch.log_softmax(e / temperature, 1),
                "The sign is flipped. The logarithm of a probability is negative, and it stays so.",
                sign=lambda result, arguments: (result >= 0).all(),
            ),
            Mutant(
                "divided afterwards",
                lambda e, temperature: torch.log_softmax(e, 1) / temperature,
                "You divided by the temperature after the softmax, so a row is no distribution any more. Divide e.",
            ),
            Mutant(
                "logarithm of the encoding",
                lambda e, temperature: torch.log(e / temperature),
                "Your result holds NaN: the logarithm of a negative number. The encodings are no probabilities; the "
                "softmax makes positive numbers of them.",
                sign=lambda result, arguments: not torch.isfinite(result).all(),
            ),
            Mutant(
                "no distribution",
                lambda e, temperature: e / temperature,
                "The exponentials of a row do not sum to 1, so they are no probabilities: the row is not normalized, "
                "or not by its own sum.",
                sign=lambda result, arguments: not _sums_to_one(result, 1),
            ),
            Mutant(
                "softmax twice",
                lambda e, temperature: torch.log_softmax(torch.softmax(e / temperature, 1), 1),
                "You took the softmax twice. Once makes a distribution; of that only the logarithm is missing.",
            ),
            Mutant(
                "softmin",
                lambda e, temperature: torch.log_softmax(-e / temperature, 1),
                "Each row is a distribution, as it should be, but not that of e / temperature: what goes into the "
                "softmax has another sign or size.",
                sign=lambda result, arguments: _sums_to_one(result, 1),
            ),
        ),
        hints=(
            "torch.log_softmax does both steps at once and is safe for large numbers.",
            "Divide by the temperature first; the last dimension is that of one cell.",
        ),
        tested="values, shape and gradient at three temperatures, and values at a very low one",
        not_tested="temperatures below 0.001",
    ),
)
