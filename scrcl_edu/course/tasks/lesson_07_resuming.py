"""Lesson 07, continued: what must be kept to resume."""

from __future__ import annotations

import copy
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from scrcl_edu import training
from scrcl_edu.course.task import Exercise, Mutant
from scrcl_edu.course.tasks.lesson_07 import problem, weights_of


def snapshot(model: nn.Module, optimizer: torch.optim.Optimizer, epoch: int) -> dict[str, Any]:
    """Keep all that is needed to go on later as if nothing had happened."""
    return copy.deepcopy({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch})


def _resume(keep: Callable[..., Any], n_cells: int, n_genes: int, epoch: int, seed: int) -> dict[str, Any]:
    model, optimizer, inputs = problem(n_cells, n_genes, seed)
    step = training.step
    step(model, inputs, optimizer)
    kept = keep(model, optimizer, epoch)
    if not isinstance(kept, dict) or set(kept) - {"model", "optimizer", "epoch"}:
        return kept
    step(model, inputs, optimizer)  # training goes on; what was kept must not go with it
    again, its_optimizer, _ = problem(n_cells, n_genes, seed + 100)
    for name, part in (("model", again), ("optimizer", its_optimizer)):
        if name in kept:
            part.load_state_dict(kept[name])
    torch.manual_seed(seed)
    step(again, inputs, its_optimizer)
    return {"epoch": kept.get("epoch"), "weights one step after resuming": weights_of(again)}


def _copy_by_hand(model: nn.Module, optimizer: torch.optim.Optimizer, epoch: int) -> dict[str, Any]:
    import io

    buffer = io.BytesIO()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


def _training(rng: np.random.Generator) -> dict[str, Any]:
    return {"n_cells": 6, "n_genes": 4, "epoch": int(rng.integers(5, 100)), "seed": int(rng.integers(100))}


def _state(model: nn.Module, optimizer: torch.optim.Optimizer, epoch: int) -> dict[str, Any]:
    return copy.deepcopy({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch})


TASKS = (
    Exercise(
        name="snapshot",
        lesson="07",
        difficulty=2,
        minutes=10,
        reference=snapshot,
        inputs=_training,
        through=_resume,
        alternative=_copy_by_hand,
        mutants=(
            Mutant(
                "only the optimizer copied",
                lambda model, optimizer, epoch: {
                    "model": dict(model.state_dict()),
                    "optimizer": copy.deepcopy(optimizer.state_dict()),
                    "epoch": epoch,
                },
                "The optimizer's state is copied, the weights are not: a new dictionary still holds the same tensors, "
                "which change while training goes on.",
            ),
            Mutant(
                "no optimizer",
                lambda model, optimizer, epoch: copy.deepcopy({"model": model.state_dict(), "epoch": epoch}),
                "The optimizer's state is missing. Adam remembers running means of the gradients; without them the "
                "first step after resuming is another one.",
            ),
            Mutant(
                "not copied",
                lambda model, optimizer, epoch: {
                    "model": model.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "epoch": epoch,
                },
                "What you kept changes while training goes on: state_dict() holds the tensors themselves, not copies.",
            ),
            Mutant(
                "only the model copied",
                lambda model, optimizer, epoch: {
                    "model": copy.deepcopy(model.state_dict()),
                    "optimizer": optimizer.state_dict(),
                    "epoch": epoch,
                },
                "The weights are copied, the optimizer's state is not: it changes while training goes on.",
            ),
            Mutant(
                "no epoch",
                lambda model, optimizer, epoch: copy.deepcopy(
                    {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
                ),
                "The epoch is missing, so nobody knows how far the training had come.",
            ),
            Mutant(
                "one epoch too far",
                lambda model, optimizer, epoch: copy.deepcopy(
                    {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch + 1}
                ),
                "You counted an epoch that is not done yet. epoch is the number of epochs that are done.",
            ),
            Mutant(
                "the objects themselves",
                lambda model, optimizer, epoch: copy.deepcopy({"model": model, "optimizer": optimizer, "epoch": epoch}),
                "You kept the model and the optimizer as objects. Keep what their state_dict() holds: plain tensors, "
                "which can be loaded into a new model.",
            ),
            Mutant(
                "a tuple",
                lambda model, optimizer, epoch: tuple(_state(model, optimizer, epoch).values()),
                "You kept the parts in a row (a tuple or a list), where only their places say what they are. A "
                "dictionary is asked for, with the keys model, optimizer and epoch.",
                sign=lambda result, arguments: isinstance(result, tuple | list),
            ),
            Mutant(
                "weights alone",
                lambda model, optimizer, epoch: copy.deepcopy(model.state_dict()),
                "These are the weights alone. Keep them under the key model, beside the optimizer's state and the "
                "number of epochs.",
                sign=lambda result, arguments: (
                    isinstance(result, dict) and set(result) == set(problem(6, 4, 0)[0].state_dict())
                ),
            ),
            Mutant(
                "other names",
                lambda model, optimizer, epoch: {
                    f"{name}_state": part for name, part in _state(model, optimizer, epoch).items()
                },
                "The dictionary has other keys than model, optimizer and epoch, so whoever resumes does not find the "
                "parts.",
                sign=lambda result, arguments: (
                    isinstance(result, dict) and not set(result) <= {"epoch", "weights one step after resuming"}
                ),
            ),
            Mutant(
                "another container",
                lambda model, optimizer, epoch: types.SimpleNamespace(**_state(model, optimizer, epoch)),
                "You kept an object of another kind. A plain dictionary is asked for, with the keys model, optimizer "
                "and epoch: it can be read without the class that made it.",
                sign=lambda result, arguments: result is not None and not isinstance(result, dict),
            ),
            Mutant(
                "no model",
                lambda model, optimizer, epoch: copy.deepcopy({"optimizer": optimizer.state_dict(), "epoch": epoch}),
                "The weights are missing: what was learned is in the model's state_dict().",
            ),
        ),
        hints=(
            "Weights are not all that changes from step to step: what does Adam remember?",
            "copy.deepcopy makes copies of all tensors in a dictionary.",
        ),
        tested="the weights one step after resuming, while the first training went on",
        not_tested="files, the state of the random generator",
        n_inputs=3,
    ),
)
