"""scRCL, built in the open: unsupervised cell-type identification by refinement contrastive learning.

Each module is one idea of the method, built by the lesson of that name. Heavy imports wait until they are needed.
"""

from __future__ import annotations

import importlib
from typing import Any

from scrcl_edu import threads

__version__ = "0.1.0"

threads.settle()  # before anything heavy is imported

_WHERE = {"fit": "fitting", "assign": "assigning", "load_model": "keeping"} | dict.fromkeys(
    ("check", "hint", "quiz", "progress"), "course"
)
_MODULES = (
    "alignment assigning baselines chunks clustering consensus course datasets doubts encoders errors evaluation "
    "evidence files fitting graphs interpretation model plotting preprocessing recipes refinement reporting saving "
    "stability threads training"
).split()


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"scrcl_edu.{name}")
    if name in _WHERE:
        return getattr(importlib.import_module(f"scrcl_edu.{_WHERE[name]}"), name)
    raise AttributeError(f"module 'scrcl_edu' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*_MODULES, *_WHERE, "__version__"])
