"""What makes notebooks a course: tasks and their checks, hints, quizzes, sliders; how lessons are built and run."""

from __future__ import annotations

import importlib
from typing import Any

_WHERE = {
    "check": "checking",
    "claim": "claims",
    "mend": "checking",
    "predict": "predicting",
    "reveal": "predicting",
    "transfer": "transferring",
    "given": "transferring",
    "explain": "explaining",
    "hint": "hints",
    "method_map": "drawings.method",
    "show_drawing": "drawings.svg",
    "quiz": "quizzing",
    "slider": "widgets",
    "progress": "record",
    "build_lessons": "build",
    "run_lessons": "run",
}

__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        value = getattr(importlib.import_module(f"scrcl_edu.course.{_WHERE[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'scrcl_edu.course' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_WHERE])
