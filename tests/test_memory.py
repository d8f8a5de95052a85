"""Large arrays are kept from one epoch to the next, and given back afterwards."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import psutil
import pytest

from scrcl_edu import memory

LARGE = 48 * 2**20  # bytes, above the limit from which the C library asks the system for each array


@pytest.fixture(autouse=True)
def glibc():
    if not hasattr(memory._LIBRARY, "mallopt"):
        pytest.skip("the C library here is not glibc, whose habit this is about")


def faults() -> int:
    """Pages that the system has emptied for this process so far."""
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def faults_of_epochs(n: int = 4) -> int:
    np.ones(LARGE, np.uint8)
    before = faults()
    for _ in range(n):
        np.ones(LARGE, np.uint8)
    return faults() - before


def alone(measure: Callable[[], tuple[int, ...]]) -> tuple[int, ...]:
    """Measure in a process of its own: in a used one a free piece of the heap may take the array."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure).result()


def faults_outside_inside_and_afterwards() -> tuple[int, ...]:
    outside = faults_of_epochs()
    with memory.kept_between_epochs():
        inside = faults_of_epochs()
    return outside, inside, faults_of_epochs()


def kept_and_left() -> tuple[int, ...]:
    before = psutil.Process().memory_info().rss
    with memory.kept_between_epochs():
        np.ones(4 * LARGE, np.uint8)
        kept = psutil.Process().memory_info().rss - before
    return kept, psutil.Process().memory_info().rss - before


def faults_without_glibc() -> tuple[int, ...]:
    outside = faults_of_epochs()
    memory._LIBRARY = None
    with memory.kept_between_epochs():
        return outside, faults_of_epochs()


def test_a_large_array_is_not_asked_of_the_system_each_time():
    outside, inside, afterwards = alone(faults_outside_inside_and_afterwards)
    assert inside < outside / 10
    assert afterwards > outside / 2


def test_afterwards_the_memory_is_given_back():
    kept, left = alone(kept_and_left)
    assert kept > 3 * LARGE
    assert left < LARGE


def test_without_glibc_nothing_happens():
    outside, inside = alone(faults_without_glibc)
    assert inside > outside / 2
