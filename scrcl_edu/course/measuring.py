"""What a right value does not show: the gradient of a function, and what it costs."""

from __future__ import annotations

import contextlib
import copy
import tracemalloc
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from scrcl_edu.course.calling import Outcome, call
from scrcl_edu.course.relations import relation
from scrcl_edu.course.task import Exercise


@contextlib.contextmanager
def peak_memory() -> Iterator[SimpleNamespace]:
    """`megabytes` of what is handed over: the most that Python and NumPy held inside the block beyond what was there.

    Tensors of torch are not seen.
    """
    peak, ours = SimpleNamespace(megabytes=0.0), not tracemalloc.is_tracing()
    if ours:
        tracemalloc.start()
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    try:
        yield peak
    finally:
        peak.megabytes = (tracemalloc.get_traced_memory()[1] - before) / 1e6
        if ours:
            tracemalloc.stop()


def gradients(exercise: Exercise, function: Callable[..., Any], arguments: dict[str, Any]) -> Outcome:
    """The gradients of a function by the exercise's tensors: a dictionary of arrays, or the error on the way."""
    import torch

    def differentiated(*values: Any) -> dict[str, Any]:
        given = dict(zip(arguments, copy.deepcopy(values), strict=True))
        leaves = {name: given[name].detach().requires_grad_() for name in exercise.gradient}
        given |= {
            name: leaf + 0 for name, leaf in leaves.items()
        }  # so that changing it in place is no error of torch's
        result = exercise.through(function, **given) if exercise.through else function(*given.values())
        # Weights that differ tell entries apart: a plain sum would not see two that are swapped.
        weights = torch.cos(torch.arange(result.numel(), dtype=result.dtype)).reshape(result.shape)
        if not result.requires_grad:
            return dict.fromkeys(leaves)
        found = torch.autograd.grad((result * weights).sum(), list(leaves.values()), allow_unused=True)
        return {name: None if g is None else g.detach().double().numpy() for name, g in zip(leaves, found, strict=True)}

    return call(differentiated, arguments, seconds=exercise.seconds)


def gradient_slip(exercise: Exercise, function: Callable[..., Any]) -> str:
    """What is wrong with the gradient of a function whose values are right; empty when nothing is."""
    for arguments in exercise.cases()[:2] if exercise.gradient else ():
        ours, theirs = (gradients(exercise, one, arguments) for one in (exercise.reference, function))
        if ours.error is not None:
            raise ours.error
        if theirs.error is not None:
            said = str(theirs.error).strip().split("\n")[0]
            return f"The values are right, but no gradient can be taken: {type(theirs.error).__name__}: {said}"
        cut = [name for name in ours.value if theirs.value[name] is None]
        if len(cut) == len(ours.value):
            return (
                "The values are right, but the result has no gradient, so nothing could be trained with it. Something "
                "lets go of it: detach, item, no_grad, a new tensor made of numbers, or NumPy."
            )
        for name, expected in ours.value.items():
            got = np.zeros_like(expected) if theirs.value[name] is None else theirs.value[name]
            scale = np.abs(expected).max()
            if not np.allclose(got, expected, rtol=1e-4, atol=1e-5 * scale):
                return f"The values are right, but the gradient by {name} is not{_how(got, expected, arguments[name])}"
    return ""


def _how(got: np.ndarray, expected: np.ndarray, argument: Any) -> str:
    if not got.any():
        return ": it is zero. That argument is detached on its way, so training would never move it."
    if not np.isfinite(got).all():
        return ": it is infinite or NaN somewhere. Where is a root, a logarithm or a quotient taken of zero?"
    if _along_rows(expected - got, argument.detach().double().numpy()):
        return (
            ": each row is off by a multiple of the argument's own row, as it is when the length of a row is treated "
            "as a constant. It changes with the row."
        )
    found = relation(got, expected)
    if found and found.name == "centered":
        flows, mean = ("flows", "does not") if "taken off" in found.text else ("does not flow", "does")
        return f": it {found.text}. In yours a gradient {flows} through a mean, and in the expected one it {mean}."
    if found:
        return (
            f": {found.text}. Is an argument detached at one place where it is used, or not detached where it should?"
        )
    return ". Is an argument detached at one place where it is used, or a constant treated as one that it is not?"


def _along_rows(gap: np.ndarray, rows: np.ndarray) -> bool:
    """Whether each row of a gap is a multiple of the same row of another matrix."""
    if gap.ndim != 2 or gap.shape[1] < 2:
        return False
    along = (gap * rows).sum(1, keepdims=True) / np.maximum((rows * rows).sum(1, keepdims=True), 1e-300) * rows
    return bool(np.allclose(gap, along, atol=1e-6 * np.abs(gap).max(initial=0)))


def _place(value: Any) -> int:
    """Where the numbers of a dense tensor lie in memory; 0 for anything else."""
    if "sparse" in str(getattr(value, "layout", "sparse")) or not hasattr(value, "untyped_storage"):
        return 0
    return int(value.untyped_storage().data_ptr())


def _entries(part: Any) -> int:
    """Entries that are kept for a tensor; of a sparse one those that are not zero."""
    if "sparse" in str(getattr(part, "layout", "")):
        return int(part._nnz())
    return part.untyped_storage().nbytes() // part.element_size() if hasattr(part, "untyped_storage") else 0


def cost_slip(exercise: Exercise, function: Callable[..., Any]) -> str:
    """What makes a right function too expensive; empty when nothing does."""
    if exercise.cost is None:
        return ""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Meter(TorchDispatchMode):
        n_entries, n_operations = 0, 0
        given: frozenset[int] = frozenset()  # what was handed in costs nothing, nor does a view of it

        def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = operation(*args, **(kwargs or {}))
            self.n_operations += 1
            for part in result if isinstance(result, list | tuple) else [result]:
                if _place(part) not in self.given:
                    self.n_entries = max(self.n_entries, _entries(part))
            return result

    arguments, meter = exercise.cost.arguments(np.random.default_rng(0)), Meter()

    def metered(*values: Any) -> Any:
        meter.given = frozenset(place for value in values if (place := _place(value)))
        with meter:
            return function(*values)

    outcome = call(metered, arguments, seconds=4 * exercise.seconds)
    entries, operations = (limit(arguments) for limit in (exercise.cost.n_entries, exercise.cost.n_operations))
    sizes = ", ".join(
        f"{name} {' x '.join(map(str, value.shape))}"
        for name, value in arguments.items()
        if getattr(value, "shape", ())
    )
    if outcome.error is not None:
        return f"The values are right on small inputs; on larger ones ({sizes}) it stops. {exercise.cost.message}"
    if meter.n_entries > entries:
        return (
            f"The values are right, but with {sizes} your largest tensor has {meter.n_entries:,} entries; "
            f"{entries:,} are enough. {exercise.cost.message}"
        )
    if meter.n_operations > operations:
        return (
            f"The values are right, but with {sizes} you call {meter.n_operations:,} operations; "
            f"{operations:,} are plenty. {exercise.cost.message}"
        )
    return ""
