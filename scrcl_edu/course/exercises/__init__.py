"""The catalogue of exercises: one module for each lesson, with references, inputs, mutants and hints."""

from __future__ import annotations

import functools
import importlib
import pkgutil

from scrcl_edu.course.exercise import Exercise


@functools.cache
def catalogue() -> dict[str, Exercise]:
    """Collect the exercises of all lessons, in their order."""
    found: dict[str, Exercise] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(__path__)):
        for exercise in importlib.import_module(f"{__name__}.{module}").EXERCISES:
            found[exercise.name] = exercise
    return found
