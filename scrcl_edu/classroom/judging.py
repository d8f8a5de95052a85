"""Judge the answers of one submission in a process of its own, with limits, on inputs that no check has shown.

The process has no network, writes nowhere but in a folder that is deleted, and does not open the lessons' solutions. It
guards against accidents and the usual tricks, and is no prison: what looks at how it is judged is marked for a look.
"""

from __future__ import annotations

import ast
import contextlib
import dis
import linecache
import multiprocessing
import os
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from scrcl_edu.classroom.submissions import Submission
from scrcl_edu.course.calling import call
from scrcl_edu.course.checking import judge
from scrcl_edu.course.task import Exercise, Mend
from scrcl_edu.course.tasks import exercises
from scrcl_edu.errors import SettingsError

N_DRAWS = 20  # for an input on which right answers agree
LOOKS_AROUND = set("inspect gc sys ctypes importlib subprocess globals __import__ eval exec open".split())
FORBIDDEN = ("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.kill")
CHANGES = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.truncate", "os.link", "os.symlink", "shutil.rmtree")


@dataclass(frozen=True)
class Limits:
    """What one submission may use.

    Attributes
    ----------
    seconds
        Wall-clock time for all its answers together, without the start of the process.
    memory_mb
        Memory beyond what the package itself needs, in MB (10^6 bytes).
    """

    seconds: float = 60.0
    memory_mb: int = 2000

    def __post_init__(self) -> None:
        if self.seconds <= 0 or self.memory_mb < 100:
            raise SettingsError(
                f"limits are {self.seconds:g} s and {self.memory_mb} MB; choose more than 0 s and at least 100 MB"
            )


@dataclass(frozen=True)
class Judged:
    """What became of one exercise.

    Attributes
    ----------
    exercise
        Its name.
    status
        `passed`, `not yet`, `not started`, `missing` or `stopped`.
    cause
        The likely cause when it did not pass.
    tried, came_out
        On which input, and what came of it; empty when it passed.
    look
        What a person should look at, one phrase each.
    """

    exercise: str
    status: str
    cause: str = ""
    tried: str = ""
    came_out: str = ""
    look: tuple[str, ...] = ()


@dataclass(frozen=True)
class Graded:
    """What became of one file.

    Attributes
    ----------
    learner
        The first folder below the submissions' folder, or what the file's name has beside the lesson's.
    lesson
        Two digits; empty when nothing tells which lesson it is.
    path
        The file, relative to the submissions' folder.
    judged
        One for each exercise of the lesson; empty when the file cannot be graded.
    problem
        Why it cannot.
    notes
        What was unusual about the file.
    """

    learner: str
    lesson: str
    path: Path
    judged: tuple[Judged, ...]
    problem: str
    notes: tuple[str, ...]

    @property
    def points(self) -> int:
        """One for each exercise that passed."""
        return sum(one.status == "passed" for one in self.judged)


def judge_submission(submission: Submission, names: list[str], limits: Limits, *, salt: int = 0) -> list[Judged]:
    """Judge each exercise of a lesson by the answers that a submission holds.

    Parameters
    ----------
    submission
        From :func:`~scrcl_edu.classroom.submissions.read_submission`.
    names
        The lesson's exercises, in their order.
    limits
        When they are passed the process is ended; the exercises after the one at fault get a process of their own.
    salt
        Draws the inputs; the same for everybody in a class.

    Returns
    -------
    One :class:`Judged` for each name.
    """
    done = {name: Judged(name, "missing", f"no definition of {name} was found") for name in names}
    waiting = [name for name in names if name in submission.answers]
    while waiting:
        judged, stopped = _in_a_process(submission, waiting, limits, salt)
        done |= {one.exercise: one for one in judged}
        waiting = waiting[len(judged) :]
        if waiting and stopped:
            done[waiting[0]] = Judged(waiting[0], "stopped", stopped)
            waiting = waiting[1:]
    return [done[name] for name in names]


def _in_a_process(submission: Submission, names: list[str], limits: Limits, salt: int) -> tuple[list[Judged], str]:
    """Results in order, as far as the process came, and why it came no further."""
    context = multiprocessing.get_context("forkserver" if sys.platform != "win32" else "spawn")
    if sys.platform != "win32":  # what all need is imported once
        context.set_forkserver_preload(
            [__name__, "scanpy", *sorted({e.inputs.__module__ for e in exercises().values()})]
        )
    with tempfile.TemporaryDirectory() as place:
        return _watched(context, (Path(place), submission, names, limits, salt))


def _watched(context: Any, task: tuple[Path, Submission, list[str], Limits, int]) -> tuple[list[Judged], str]:
    import psutil

    names, limits = task[2:4]
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(theirs, *task), daemon=True)
    process.start()
    theirs.close()
    judged: list[Judged] = []
    stopped, base, began = "", 0.0, 0.0
    with contextlib.closing(ours), contextlib.suppress(EOFError):
        watched = psutil.Process(process.pid)
        while len(judged) < len(names) and not stopped:
            if ours.poll(0.05):
                told = ours.recv()
                if isinstance(told, Judged):
                    judged.append(told)
                else:  # the first word: ready, with the memory that the package takes
                    base, began = told, time.monotonic()
            elif began and time.monotonic() - began > limits.seconds:
                stopped = f"still running after {limits.seconds:g} s in all, and was stopped"
            elif began and _memory_mb(watched) - base > limits.memory_mb:
                stopped = f"took more than {limits.memory_mb} MB of memory, and was stopped"
    process.kill()
    process.join()
    return judged, stopped or "its process ended without an answer"


def _memory_mb(process: Any) -> float:
    import psutil

    try:
        return process.memory_info().rss / 1e6
    except psutil.Error:
        return 0.0


def _work(
    connection: Connection, place: Path, submission: Submission, names: list[str], limits: Limits, salt: int
) -> None:
    import psutil
    import torch

    torch.set_num_threads(1)
    known = exercises()
    for name in names:  # what the package imports and compiles when it is first called comes before the limits
        exercise = known[name]
        call(exercise.reference, exercise.cases()[0], through=exercise.through, seconds=300)
    os.chdir(place)
    sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, until the process ends
    _forbid(place.resolve())
    _cap_memory(limits)
    connection.send(_memory_mb(psutil.Process()))
    shared = _prepared(submission)
    lesson = known[names[0]].lesson
    shared |= {name: one.reference for name, one in known.items() if one.lesson == lesson}
    for name in names:
        connection.send(_best(known[name], submission.answers[name], shared, salt))
    os._exit(0)  # nothing that a learner registered to run at the end runs


def _forbid(place: Path) -> None:
    """From here on, refuse the network, other programs, files outside `place`, and the solutions."""
    sys.dont_write_bytecode = True
    package = Path(__file__).resolve().parents[1]
    solutions = (package.parent / "notebooks", package / "course" / "tasks")

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(FORBIDDEN):
            raise PermissionError(f"{event} is not allowed while answers are graded")
        if event not in ("open", *CHANGES) or not isinstance(arguments[0], str | bytes | os.PathLike):
            return
        path = Path(os.fsdecode(arguments[0])).resolve()
        changes = event != "open" or (isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"))
        if changes and place not in path.parents and path != Path(os.devnull) and not _compiled(path):
            raise PermissionError(f"changing {path} is not allowed while answers are graded")
        if any(folder in path.parents for folder in solutions) and not _imported(path):
            raise PermissionError(f"reading {path.name} is not allowed while answers are graded")

    sys.addaudithook(watch)


def _compiled(path: Path) -> bool:
    """Whether numba keeps a compiled function there."""
    return "__pycache__" in path.parts and ".nb" in path.name


def _imported(path: Path) -> bool:
    """Whether Python itself opens a module's file, for an import or to quote a line."""
    return path.suffix in (".py", ".pyc") and sys._getframe(2).f_code.co_filename.startswith("<frozen")


def _cap_memory(limits: Limits) -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        import psutil

        most = psutil.Process().memory_info().vms + limits.memory_mb * 1_000_000 + 500_000_000
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _prepared(submission: Submission) -> dict[str, Any]:
    """The names that the answers may need; a statement that fails here is left out, as it may need a whole lesson."""
    shared: dict[str, Any] = {"__name__": "__main__"}
    for number, text in enumerate(submission.preamble):
        with contextlib.suppress(Exception, SystemExit):
            _run(text, f"<cell {number}>", shared)
    return shared


def _run(text: str, filename: str, names: dict[str, Any]) -> None:
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    exec(compile(text, filename, "exec"), names)


def _best(exercise: Exercise, texts: list[str], shared: dict[str, Any], salt: int) -> Judged:
    """The first definition that passes; when none does, the last one that was begun.

    Later answers may call earlier ones: what passed goes on in `shared`, otherwise the package's own, as in the lesson.
    """
    shared.pop(exercise.name, None)  # an answer, or a helper of it, that calls it by name means itself
    tried = []
    for text in texts:
        tried.append(_one(exercise, text, shared, salt))
        if tried[-1].status == "passed":
            return tried[-1]
    shared[exercise.name] = exercise.reference
    return next((one for one in tried if one.status != "not started"), tried[0])


def _one(exercise: Exercise, text: str, names: dict[str, Any], salt: int) -> Judged:
    try:
        _run(text, f"<{exercise.name}>", names)
        function = names[exercise.name]
    except SyntaxError as error:
        return Judged(exercise.name, "not yet", f"line {error.lineno} is no Python: {error.msg}")
    except (Exception, SystemExit) as error:
        return Judged(exercise.name, "not yet", f"its cell stops with {type(error).__name__}: {error}")
    result = judge(_with_other_inputs(exercise, salt), function)
    if result.status == "not started":
        return Judged(exercise.name, result.status)
    look = _worth_a_look(exercise, text, function, names)
    if result.passed:
        return Judged(exercise.name, result.status, look=look)
    if judge(exercise, function).passed:
        look = (*look, "right on the inputs that the check shows, wrong on others")
    rows = dict(result.rows)
    return Judged(exercise.name, result.status, result.cause, rows.get("Tried", ""), rows.get("Came out", ""), look)


def _with_other_inputs(exercise: Exercise, salt: int) -> Exercise:
    """The exercise on inputs that no check has shown, and on which two right answers agree: no tie, no edge of a range.

    Parameters
    ----------
    salt
        Draws the inputs.
    """

    def inputs(rng: np.random.Generator) -> dict[str, Any]:
        seed = int(rng.integers(2**31))
        draws = (exercise.inputs(np.random.default_rng([salt, seed, number])) for number in range(N_DRAWS))
        return next((drawn for drawn in draws if _fair(exercise, drawn)), exercise.inputs(np.random.default_rng(seed)))

    return replace(exercise, inputs=inputs)


def _fair(exercise: Exercise, drawn: dict[str, Any]) -> bool:
    one, other = (
        call(function, drawn, through=exercise.through, seconds=300)
        for function in (exercise.reference, exercise.alternative)
    )
    return one.error is None and one.same_as(other)


def _worth_a_look(exercise: Exercise, text: str, function: Any, names: dict[str, Any]) -> tuple[str, ...]:
    tree = ast.parse(text)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    found = []
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    parameters = {argument.arg for node in functions for argument in node.args.args}
    if parameters and not parameters & used:
        found.append("does not use what it is given")
    allowed = _named(exercise.faulty.__code__) if isinstance(exercise, Mend) else set()  # what is handed out
    if own := sorted(_from_package(function, names) - allowed):
        found.append(f"calls the package's own {', '.join(own)}")
    if around := sorted(used & LOOKS_AROUND):
        found.append(f"looks around with {', '.join(around)}")
    return tuple(found)


def _from_package(function: Any, names: dict[str, Any], seen: set[int] | None = None) -> set[str]:
    """Names of the package's functions that a function, or a helper of its notebook, may call."""
    seen = set() if seen is None else seen
    code = getattr(function, "__code__", None)
    if code is None or id(code) in seen:
        return set()
    seen.add(id(code))
    found: set[str] = set()
    for name in _named(code):
        value = names.get(name)
        module = getattr(value, "__module__", None) or getattr(value, "__name__", "")
        if "scrcl_edu" in (name.split(".")[0], str(module).split(".")[0]):
            if name not in exercises():  # an earlier exercise's answer, put there by us
                found.add(name)
        elif callable(value):
            found |= _from_package(value, names, seen)
    return found


def _named(code: Any) -> set[str]:
    """Names of the notebook and modules that a function may use; attributes such as `.fit` are none of them."""
    inner = [constant for constant in code.co_consts if hasattr(constant, "co_names")]
    own = {
        one.argval for one in dis.get_instructions(code) if one.opname in ("LOAD_GLOBAL", "LOAD_NAME", "IMPORT_NAME")
    }
    return own.union(*map(_named, inner))
