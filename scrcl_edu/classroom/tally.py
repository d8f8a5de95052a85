"""What a class is doing, as counts: nothing else about anybody is kept, in memory only, for a day at most."""

from __future__ import annotations

import builtins
import functools
import hashlib
import re
import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scrcl_edu.course.relations import RELATIONS
from scrcl_edu.course.task import Prediction
from scrcl_edu.course.tasks import catalogue
from scrcl_edu.errors import DataError

LEARNER = re.compile(r"[0-9a-f]{32}")
STATUSES = {
    "check": ("tried", "passed"),
    "mend": ("tried", "passed"),
    "transfer": ("tried", "passed"),
    "predict": ("guessed",),
    "explain": ("answered",),
}
# What checks call a mistake that no task has for itself: relations to what was expected, errors of Python, and these.
PYTHONS = {name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, Exception)}
GENERAL = frozenset(
    {"called", "signature", "gradient", "cost", "no end", "no return", "input changed", "error", *RELATIONS, *PYTHONS}
)
FIELDS = {"learner", "task", "kind", "status", "mistake", "value"}
DAY = 24 * 3600.0
N_PARTS = 10
FEWEST = 5  # groups smaller than this are not shown


@dataclass
class _Doing:
    """The last thing that one learner did at one task."""

    status: str
    mistake: str
    value: Any
    since: float


@dataclass
class Tally:
    """Counts of a class.

    Attributes
    ----------
    most_learners
        More are refused, so that nobody fills the memory.
    clock
        Seconds; another one for tests.
    """

    most_learners: int = 1000
    clock: Callable[[], float] = time.monotonic
    _seen: dict[bytes, dict[str, _Doing]] = field(default_factory=dict)
    # A learner's mark is mixed with a secret that ends with the process: what is kept cannot be traced to anybody.
    _secret: bytes = field(default_factory=lambda: secrets.token_bytes(16))

    def take(self, message: Any) -> None:
        """Count one message of a learner's notebook.

        Parameters
        ----------
        message
            A dictionary with the names in FIELDS and nothing else.

        Raises
        ------
        DataError
            When anything in it is not what the course sends.
        """
        learner, task, doing = self._understood(message)
        self._forget()
        if learner not in self._seen and len(self._seen) >= self.most_learners:
            raise DataError(f"there are {self.most_learners} learners already")
        self._seen.setdefault(learner, {})
        if task:
            self._seen[learner][task] = doing

    def leave(self, learner: Any) -> None:
        """Forget a learner; one who is not known is no error."""
        if isinstance(learner, str) and LEARNER.fullmatch(learner):
            self._seen.pop(self._mark(learner), None)

    def view(self, *, fewest: int = FEWEST) -> dict[str, Any]:
        """What the instructor sees: counts by task, in the order of the course; None where a group is too small.

        Parameters
        ----------
        fewest
            The smallest number of learners that is shown; 1 shows everything.
        """
        self._forget()
        n_learners = len(self._seen)
        shown = n_learners >= fewest or not n_learners
        tasks = [self._one(name, n_learners, fewest) for name in catalogue()] if shown else []
        return {"learners": n_learners if shown else None, "fewest": fewest, "tasks": [t for t in tasks if t]}

    def _one(self, name: str, n_learners: int, fewest: int) -> dict[str, Any] | None:
        doing = [tasks[name] for tasks in self._seen.values() if name in tasks]
        if not doing:
            return None
        task = catalogue()[name]
        mistakes = Counter(dict(Counter(one.mistake for one in doing if one.status == "tried").most_common()))
        said = sentences().get(name, {})
        groups = Counter(one.status for one in doing)
        groups["not begun"] = n_learners - len(doing)
        return {
            "task": name,
            "lesson": task.lesson,
            "kind": task.kind,
            "latest": max(one.since for one in doing),
            **_told(groups, fewest),
            "mistakes": [
                {"name": mistake, "count": count, "say": said.get(mistake, said.get("", ""))}
                for mistake, count in _large(mistakes, fewest).items()
            ],
            "guesses": _large(_histogram(task.shape, doing), fewest) if isinstance(task, Prediction) else {},
        }

    def _understood(self, message: Any) -> tuple[bytes, str, _Doing]:
        if not isinstance(message, dict) or set(message) != FIELDS:
            raise DataError(f"a message has exactly the fields {', '.join(sorted(FIELDS))}")
        learner, name = message["learner"], message["task"]
        if not isinstance(learner, str) or not LEARNER.fullmatch(learner):
            raise DataError("learner is 32 hexadecimal digits")
        if name == "":  # someone who joined
            return self._mark(learner), "", _Doing("", "", None, self.clock())
        task = catalogue().get(name) if isinstance(name, str) else None
        if task is None or message["kind"] != task.kind:
            raise DataError("there is no such task")
        if message["status"] not in STATUSES[task.kind]:
            raise DataError("there is no such status")
        mistake, value = message["mistake"], message["value"]
        if not isinstance(mistake, str):
            raise DataError("mistake is a name")
        mistake = mistake if mistake in _mistakes(name) else "another" if mistake else ""
        value = _guess(task, value) if task.kind == "predict" else None
        return self._mark(learner), name, _Doing(message["status"], mistake, value, self.clock())

    def _mark(self, learner: str) -> bytes:
        return hashlib.blake2b(learner.encode(), key=self._secret, digest_size=16).digest()

    def _forget(self) -> None:
        old = self.clock() - DAY
        for learner, tasks in list(self._seen.items()):
            kept = {name: doing for name, doing in tasks.items() if doing.since > old}
            if tasks and not kept:
                del self._seen[learner]
            else:
                self._seen[learner] = kept


@functools.cache
def _mistakes(name: str) -> frozenset[str]:
    """The names that checks give to mistakes in a task; a learner's own words are none of them."""
    task = catalogue()[name]
    own = {one.name for one in (*getattr(task, "mutants", ()), *getattr(task, "properties", ()))}
    return GENERAL | own


@functools.cache
def sentences() -> dict[str, dict[str, str]]:
    """What helps to say, by task and mistake; under "" what helps with any other."""
    import yaml

    return yaml.safe_load(Path(__file__).with_name("say.yaml").read_text(encoding="utf-8"))


def _guess(task: Any, value: Any) -> Any:
    try:
        return task.shape.read(value)
    except (TypeError, ValueError) as error:
        raise DataError("the guess is not one that this task asks for") from error


def _large(counts: Counter[str], fewest: int) -> dict[str, int]:
    """Groups that are large enough to be shown."""
    return {name: count for name, count in counts.items() if count >= fewest}


def _told(groups: Counter[str], fewest: int) -> dict[str, Any]:
    """Sizes of groups that make up the class; rounded down where one is too small, which the others would give away."""
    exact = all(count >= fewest for count in groups.values() if count)
    rounded = Counter({name: count if exact else count - count % fewest for name, count in groups.items()})
    return {"statuses": _large(rounded, fewest), "exact": exact}


def _histogram(shape: Any, doing: list[_Doing]) -> Counter[str]:
    """How often each guess was made, in order; numbers from a range are counted in ten parts of it."""
    guesses = [one.value for one in doing]
    low, high = getattr(shape, "low", None), getattr(shape, "high", None)
    if low is None or high is None:
        return Counter(shape.write(guess) for guess in sorted(guesses))
    width = (high - low) / N_PARTS
    parts = sorted(min(int((guess - low) / width), N_PARTS - 1) for guess in guesses)
    return Counter(f"{shape.write(low + part * width)} to {shape.write(low + (part + 1) * width)}" for part in parts)
