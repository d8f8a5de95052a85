"""What an instructor needs beside the lessons: notebooks graded in whatever state they are, and a live board.

Learners use `join`, `sent` and `leave`.
"""

from __future__ import annotations

from typing import Any

__all__ = ["join", "leave", "sent"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from scrcl_edu.classroom import joining

        return getattr(joining, name)
    raise AttributeError(f"module 'scrcl_edu.classroom' has no attribute {name!r}")
