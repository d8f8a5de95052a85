"""Lesson 07: one training step, and the weighted sum of the losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import nn

from scrcl_edu import training
from scrcl_edu.course.task import Exercise, Mutant
from scrcl_edu.model import Inputs, Losses, ScRCL


def training_step(model: ScRCL, optimizer: torch.optim.Optimizer, inputs: Inputs, labels: np.ndarray) -> float:
    """One training step: the model in training mode, the total loss, its gradient, one move of the optimizer."""
    return training.step(model, inputs, optimizer)["total"]


def total_loss(
    distribution: float,
    neighborhood: float,
    consistency: float,
    weight_neighborhood: float,
    weight_consistency: float,
) -> float:
    """The three losses put together, as the paper weighs them."""
    return distribution + weight_neighborhood * neighborhood + weight_consistency * consistency


def problem(n_cells: int, n_genes: int, seed: int) -> tuple[ScRCL, torch.optim.Optimizer, Inputs]:
    rng = np.random.default_rng(seed)
    graph = np.triu(rng.random((n_cells, n_cells)) < 0.5, 1)
    genes = np.eye(n_genes) + np.eye(n_genes, k=1)
    views = (rng.random((n_cells, n_genes)) for _ in range(2))
    inputs = Inputs.build(
        *views, sp.csr_matrix((graph | graph.T).astype(float)), sp.csr_matrix(genes), dtype=torch.float64
    )
    torch.manual_seed(seed)
    model = ScRCL(n_cells, n_genes, n_hidden=5, out_dim=3, dropout=0.4, temperature=0.5).double()
    return model, torch.optim.Adam(model.parameters(), lr=0.01), inputs


def weights_of(model: nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def _two_steps(step: Callable[..., Any], n_cells: int, n_genes: int, labels: np.ndarray, seed: int) -> dict[str, Any]:
    model, optimizer, inputs = problem(n_cells, n_genes, seed)
    model.eval()  # as an evaluation before this step would leave it, and gradients that somebody has looked at
    model.losses(model(inputs), inputs).total.backward()
    found = [step(model, optimizer, inputs, labels) for _ in range(2)]
    if found[0] is None:
        return None
    return {"loss of the first step": found[0], "loss of the second": found[1], "weights after both": weights_of(model)}


def _step(
    model: ScRCL,
    optimizer: torch.optim.Optimizer,
    inputs: Inputs,
    *,
    zero: bool = True,
    clear: bool = False,
    train: bool = True,
    backward: bool = True,
    late: bool = False,
    weighted: bool = True,
    whole: bool = False,
    again: bool = False,
    extra: Callable[[Any], torch.Tensor] | None = None,
) -> float:
    if train:
        model.train()
    if late:
        optimizer.step()
    if zero:
        optimizer.zero_grad()
    outputs = model(inputs)
    losses = model.losses(outputs, inputs)
    loss = losses.total if weighted else sum(losses[:3])
    loss = loss + losses.total if whole else loss
    if extra is not None:
        loss = loss + extra(outputs)
    if backward:
        loss.backward()
    if not late:
        optimizer.step()
    if clear:
        optimizer.zero_grad()
    return (model.losses(model(inputs), inputs).total if again else loss).item()


def _with_labels(model: ScRCL, optimizer: torch.optim.Optimizer, inputs: Inputs, labels: np.ndarray) -> float:
    def supervised(outputs: Any) -> torch.Tensor:
        return nn.functional.cross_entropy(outputs.z1, torch.as_tensor(labels))

    return _step(model, optimizer, inputs, extra=supervised)


def _cells(rng: np.random.Generator) -> dict[str, Any]:
    n_cells = int(rng.integers(6, 9))
    return {
        "n_cells": n_cells,
        "n_genes": int(rng.integers(4, 7)),
        "labels": rng.integers(0, 3, n_cells),
        "seed": int(rng.integers(100)),
    }


def _losses(rng: np.random.Generator) -> dict[str, Any]:
    names = "distribution", "neighborhood", "consistency"
    values = {name: float(value) for name, value in zip(names, rng.uniform(0.1, 2, 3).round(2), strict=True)}
    return values | {
        "weight_neighborhood": float(rng.integers(10, 200)),
        "weight_consistency": float(rng.integers(2, 9)),
    }


def _moved(model: ScRCL, optimizer: torch.optim.Optimizer, inputs: Inputs, handed: str) -> Any:
    model.train()
    optimizer.zero_grad()
    losses = model.losses(model(inputs), inputs)
    losses.total.backward()
    optimizer.step()
    return losses if handed == "losses" else losses.total


def _backward_of_losses(model: ScRCL, optimizer: torch.optim.Optimizer, inputs: Inputs, labels: np.ndarray) -> float:
    model.train()
    optimizer.zero_grad()
    return model.losses(model(inputs), inputs).backward()


def _backward_of_a_number(model: ScRCL, optimizer: torch.optim.Optimizer, inputs: Inputs, labels: np.ndarray) -> float:
    model.train()
    optimizer.zero_grad()
    return model.losses(model(inputs), inputs).total.item().backward()


TASKS = (
    Exercise(
        name="training_step",
        lesson="07",
        difficulty=1,
        minutes=8,
        reference=training_step,
        inputs=_cells,
        through=_two_steps,
        alternative=lambda model, optimizer, inputs, labels: _step(model, optimizer, inputs),
        mutants=(
            Mutant(
                "no zero_grad",
                lambda model, optimizer, inputs, labels: _step(model, optimizer, inputs, zero=False),
                "Gradients that are there already, such as those of the step before, are added to. Clear them in each "
                "step.",
            ),
            Mutant(
                "cleared at the end",
                lambda model, optimizer, inputs, labels: _step(model, optimizer, inputs, zero=False, clear=True),
                "You clear the gradients at the end of a step, so that the first one still adds to those that were "
                "there before. Clear them before the new ones come.",
            ),
            Mutant(
                "evaluation mode left on",
                lambda model, optimizer, inputs, labels: _step(model, optimizer, inputs, train=False),
                "The model is in evaluation mode, as the last evaluation left it, so dropout does nothing. "
                "Switch to training mode at the beginning of the step.",
            ),
            Mutant(
                "gradient through labels",
                _with_labels,
                "The weights depend on the labels: they are part of your loss. This is unsupervised learning; labels "
                "may only judge the clusters when they are final.",
            ),
            Mutant(
                "no backward",
                lambda model, optimizer, inputs, labels: _step(model, optimizer, inputs, backward=False),
                "The weights do not move: when the optimizer moved there was no gradient. Call backward(), and do not "
                "clear the gradients between backward() and step().",
            ),
            Mutant(
                "losses not weighted",
                lambda model, optimizer, inputs, labels: _step(model, optimizer, inputs, weighted=False),
                "You added the three losses as they are. model.losses(...) has their weighted sum too: total.",
            ),
            Mutant(
                "loss after the move",
                lambda model, optimizer, inputs, labels: _step(model, optimizer, inputs, again=True),
                "This is the loss after the move, from a second pass with another dropout. The loss before the move is "
                "asked for, which is there already.",
            ),
            Mutant(
                "moved before the gradient",
                lambda model, optimizer, inputs, labels: _step(model, optimizer, inputs, late=True),
                "The optimizer moves before this step's gradient is there, so each step comes too late.",
            ),
            Mutant(
                "gradient of all losses",
                _backward_of_losses,
                "model.losses(...) hands back the losses by name; together they have no gradient. Take one of them: "
                "total.",
            ),
            Mutant(
                "total added to its parts",
                lambda model, optimizer, inputs, labels: _step(model, optimizer, inputs, weighted=False, whole=True),
                "You added up everything that model.losses(...) hands back, the total among it. The total is the "
                "weighted sum of the others already.",
            ),
            Mutant(
                "number of all losses",
                lambda model, optimizer, inputs, labels: _moved(model, optimizer, inputs, "losses").item(),
                "What you hand back is all losses by name. Take the number out of one of them: total.",
            ),
            Mutant(
                "losses handed back",
                lambda model, optimizer, inputs, labels: _moved(model, optimizer, inputs, "losses"),
                "You hand back all losses by name. One number is asked for: that of total.",
                sign=lambda result, arguments: isinstance(result["loss of the first step"], Losses),
            ),
            Mutant(
                "tensor handed back",
                lambda model, optimizer, inputs, labels: _moved(model, optimizer, inputs, "total"),
                "You hand back the loss as a tensor, which holds on to the whole history of its gradient. Use .item() "
                "to get the number out.",
                sign=lambda result, arguments: torch.is_tensor(result["loss of the first step"]),
            ),
            Mutant(
                "number before its gradient",
                _backward_of_a_number,
                "You took the number out (.item()) before backward(): a number has no gradient. Keep the tensor until "
                "the optimizer has moved.",
            ),
        ),
        hints=(
            "Five things in this order: mode, clear the gradients, loss, backward, move. Then hand back a number.",
            "model.train(), optimizer.zero_grad(), loss.backward(), optimizer.step(), loss.item(); and nothing with "
            "labels.",
        ),
        tested="losses and all weights over two steps of a tiny model with dropout that was in evaluation mode "
        "and held gradients before",
        not_tested="speed, a GPU",
        n_inputs=3,
    ),
    Exercise(
        name="total_loss",
        lesson="07",
        difficulty=1,
        minutes=5,
        reference=total_loss,
        inputs=_losses,
        alternative=lambda a, b, c, weight_b, weight_c: float(np.dot([1, weight_b, weight_c], [a, b, c])),
        mutants=(
            Mutant(
                "weights that sum to 1",
                lambda a, b, c, weight_b, weight_c: (1 - weight_b - weight_c) * a + weight_b * b + weight_c * c,
                "You weighted the distribution alignment with what the other weights leave of 1. It enters as it is.",
            ),
            Mutant(
                "weights swapped",
                lambda a, b, c, weight_b, weight_c: a + weight_c * b + weight_b * c,
                "The two weights are swapped.",
            ),
            Mutant(
                "no weights",
                lambda a, b, c, weight_b, weight_c: a + b + c,
                "The weights do not enter your sum.",
            ),
            Mutant(
                "all weighted",
                lambda a, b, c, weight_b, weight_c: weight_b * (a + b) + weight_c * c,
                "You weighted the distribution alignment too. It enters as it is.",
            ),
            Mutant(
                "weighted mean",
                lambda a, b, c, weight_b, weight_c: (a + weight_b * b + weight_c * c) / (1 + weight_b + weight_c),
                "You divided by the sum of the weights. The paper takes the weighted sum as it is.",
            ),
        ),
        hints=(
            "The distribution alignment enters as it is; the other two are multiplied by their weights first.",
            "weight_neighborhood is lambda1, weight_consistency is lambda2.",
        ),
        tested="the value for five random sets of losses and weights",
        not_tested="tensors and their gradients",
    ),
)
