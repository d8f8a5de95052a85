"""Call a learner's function safely: under a time limit, on copies of its input, and remember the line of a mistake."""

from __future__ import annotations

import contextlib
import copy
import ctypes
import io
import linecache
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scrcl_edu.course.comparing import difference


class TimeUp(BaseException):
    """The time limit has passed; no `except Exception` of a learner's loop can swallow it."""


PATIENCE = 6  # times its limit that a block may take when other programs keep the processor, or when it only waits


def _own_clock() -> Callable[[], float]:
    """Seconds that this thread has computed; where the system cannot tell, seconds that have passed."""
    try:
        clock = time.pthread_getcpuclockid(threading.get_ident())
    except (AttributeError, OSError):
        return time.monotonic
    return lambda: time.clock_gettime(clock)


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeUp in the calling thread when the block computes for longer; works in every thread and system.

    What counts is the thread's own time, so that a busy machine does not fail a learner's answer.
    """
    clock, wall = _own_clock(), time.monotonic() + PATIENCE * seconds
    end = clock() + seconds
    thread, lock, done = ctypes.c_ulong(threading.get_ident()), threading.Lock(), threading.Event()
    fired = False

    def watch() -> None:
        nonlocal fired
        wait = seconds
        while not done.wait(wait):
            left = min(end - clock(), wall - time.monotonic())
            if left > 0:
                wait = left
                continue
            with lock:
                if not done.is_set():
                    fired = True
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(TimeUp))
            wait = 0.5  # again, for a loop that catches everything

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        with lock:
            done.set()
        if fired and not isinstance(sys.exc_info()[1], TimeUp):
            time.sleep(0.05)  # let an exception that is on its way arrive here rather than in our own code


@dataclass
class Outcome:
    """What came of one call: a value or an error, and where in the learner's code."""

    value: Any = None
    error: BaseException | None = None
    line: str = ""
    changed: list[str] = field(default_factory=list)

    def same_as(self, other: Outcome) -> bool:
        """Whether both gave the same value, or failed in the same way."""
        if self.error is not None or other.error is not None:
            return type(self.error) is type(other.error) and str(self.error) == str(other.error)
        return difference(self.value, other.value) is None and self.changed == other.changed


def call(
    function: Callable[..., Any],
    arguments: dict[str, Any],
    *,
    through: Callable[..., Any] | None = None,
    seconds: float = 5.0,
    quiet: bool = True,
) -> Outcome:
    """Call a function on a copy of the arguments and report whatever happens.

    Parameters
    ----------
    function
        The function to try.
    arguments
        Its arguments by name, in order.
    through
        Called as ``through(function, **arguments)`` instead, where a bare call does not show what matters.
    seconds
        Time limit.
    quiet
        Swallow what the function prints.
    """
    given = copy.deepcopy(arguments)
    outcome = Outcome()
    aside = contextlib.redirect_stdout(io.StringIO()) if quiet else contextlib.nullcontext()
    try:
        with time_limit(seconds), aside, _same_randomness(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outcome.value = through(function, **given) if through else function(*given.values())
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        outcome.error = error
        outcome.line = _line_of_error(error, function)
    if through is None:
        outcome.changed = [name for name, value in arguments.items() if difference(given[name], value) is not None]
    return outcome


@contextlib.contextmanager
def _same_randomness() -> Iterator[None]:
    # A learner may well use the legacy generator.
    state = np.random.get_state()  # noqa: NPY002
    torch = sys.modules.get("torch")
    with torch.random.fork_rng(devices=[]) if torch else contextlib.nullcontext():
        np.random.seed(0)  # noqa: NPY002
        if torch:
            torch.manual_seed(0)
        try:
            yield
        finally:
            np.random.set_state(state)  # noqa: NPY002


def _written_by_learner(filename: str, function: Callable[..., Any]) -> bool:
    own = getattr(getattr(function, "__code__", None), "co_filename", None)
    return filename == own or "ipykernel" in filename or filename.startswith("<ipython")


def _line_of_error(error: BaseException, function: Callable[..., Any]) -> str:
    found, step = "", error.__traceback__
    while step is not None:
        filename = step.tb_frame.f_code.co_filename
        if _written_by_learner(filename, function):
            found = _quote(filename, step.tb_lineno)
        step = step.tb_next
    return found


def _quote(filename: str, number: int) -> str:
    text = linecache.getline(filename, number).strip()
    return f"line {number}: {text}" if text else f"line {number}"


def first_line(function: Callable[..., Any]) -> str:
    """The line on which a function begins, or nothing when it has no source."""
    code = getattr(function, "__code__", None)
    return _quote(code.co_filename, code.co_firstlineno) if code else ""


def trace(function: Callable[..., Any], arguments: dict[str, Any], seconds: float = 5.0) -> tuple[str, str]:
    """Call once more, line by line, to see where a function changes its input and where it returns.

    Returns
    -------
    The line after which an argument is first different (empty when none is) and the line of the return.
    """
    code, given = getattr(function, "__code__", None), copy.deepcopy(arguments)
    changed, last = 0, 0

    def follow(frame: Any, event: str, _: Any) -> Any:
        nonlocal changed, last
        if frame.f_code is not code:
            return None
        if event in ("line", "return"):
            if last and not changed and any(difference(given[name], arguments[name]) for name in arguments):
                changed = last
            last = frame.f_lineno
        return follow

    before = sys.gettrace()
    with contextlib.suppress(BaseException), time_limit(seconds), contextlib.redirect_stdout(io.StringIO()):
        sys.settrace(follow)
        try:
            function(*given.values())
        finally:
            sys.settrace(before)
    if code is None:
        return "", ""
    return _quote(code.co_filename, changed) if changed else "", _quote(code.co_filename, last) if last else ""
