"""Quiz questions as data: one YAML file for each lesson, an explanation for every answer."""

from __future__ import annotations

import functools
from importlib import resources
from typing import Any


@functools.cache
def questions() -> dict[str, dict[str, Any]]:
    """Read all questions, by keys such as `03-1`: `question`, `right`, `answers` and `explanations` by letter."""
    import yaml

    found = {}
    for file in sorted(resources.files(__name__).iterdir(), key=lambda file: file.name):
        if file.name.endswith(".yaml"):
            lesson = file.name.removeprefix("lesson_")[:2]
            for number, question in enumerate(yaml.safe_load(file.read_text(encoding="utf-8")), start=1):
                found[f"{lesson}-{number}"] = question
    return found
