"""A fair trial for a part of one's own: paired, blind to labels, on several small sets. Lesson 12 holds one."""

from __future__ import annotations

import importlib
from typing import Any

# Loaded when asked for: the process that runs a part must not have what knows the sets.
_WHERE = {"Trial": "report", "TrialRefused": "sources", "trial": "holding"}

__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(f"scrcl_edu.trial.{_WHERE[name]}"), name)
    raise AttributeError(f"module 'scrcl_edu.trial' has no attribute {name!r}")
