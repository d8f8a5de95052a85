"""The quickest matrix products that are as exact as float32: measured, since no table knows every processor.

torch reaches a second library of products under the name of a coarser precision, "medium". Where the processor has no
units for bfloat16 that library multiplies in float32, often faster than the first; where it has them, its products are
a thousand times coarser. So the error is measured with the time, and a coarse product is never taken.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import torch

LARGEST_ERROR = 2e-6  # relative to float64, in the Frobenius norm; float32's own is a third of it, bfloat16's 1e-3
WORTH = 1.2  # times quicker, below which nothing changes: what takes about as long must not differ from run to run
MUCH = 1e10  # floating-point operations, below which products take no time that counts


class Measured(NamedTuple):
    """How "medium" compares with "highest" here."""

    speedup: float
    error: float

    @property
    def worth_it(self) -> bool:
        """Whether it is quicker, and as exact as float32."""
        return self.error <= LARGEST_ERROR and self.speedup >= WORTH


def choose(device: torch.device, operations: float, before: str | None = None) -> str:
    """What :func:`taken_as` should be given.

    Parameters
    ----------
    device
        CUDA multiplies in TF32 ("high"), which changes a result less than another seed does (see benchmarks/).
    operations
        Of a forward pass. Below 1e10 nothing is measured, so that small results are the same in every run.
    before
        With what a training began that goes on now; kept unless this processor's products would be coarse.

    Returns
    -------
    A precision of `torch.set_float32_matmul_precision`. What was set before by hand is left alone.
    """
    standing = torch.get_float32_matmul_precision()
    if device.type == "cuda":
        return "high"
    if device.type != "cpu" or standing != "highest":
        return standing
    if before is not None:
        return "medium" if before == "medium" and measured().error <= LARGEST_ERROR else "highest"
    return exact(operations)


def exact(operations: float) -> str:
    """The precision of the quickest products on the CPU that are as exact as float32, whatever was set before."""
    return "medium" if operations >= MUCH and measured().worth_it else "highest"


@contextlib.contextmanager
def taken_as(precision: str) -> Iterator[None]:
    """Multiply in this precision inside the block; afterwards everything is as it was."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@cache
def measured() -> Measured:
    """Measure both on this processor, once in a process; takes some hundredths of a second.

    What counts is the processor's time of all threads, which a busy machine does not change.
    """
    generator = torch.Generator().manual_seed(0)  # torch's own is left where it stands
    a, b = (torch.randn(shape, generator=generator) for shape in ((512, 1024), (1024, 512)))
    true = a.double() @ b.double()
    best, error = {"highest": float("inf"), "medium": float("inf")}, 0.0
    for _ in range(6):  # in turn, so that a busy moment meets both; the first round warms up
        for precision in best:
            with taken_as(precision):
                started = time.process_time()
                product = a @ b
                best[precision] = min(best[precision], time.process_time() - started)
            if precision == "medium":
                error = max(error, float(torch.linalg.norm(product - true) / torch.linalg.norm(true)))
    return Measured(best["highest"] / best["medium"], error)


def in_words() -> str:
    """What was found here, for the doctor."""
    found = measured()
    library = f"the other library is {found.speedup:.1f} times as quick, its error {found.error:.0e}"
    return f"large trainings multiply in {'the other' if found.worth_it else 'the usual'} library: {library}"
