"""Run the lessons through papermill, some at a time; measure time and memory; go on after a failure."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from scrcl_edu.course.build import own_progress, strictly
from scrcl_edu.course.lessons import choose, find_notebooks
from scrcl_edu.errors import InputFileError, SettingsError

if TYPE_CHECKING:
    import psutil

PROFILES = ("fast", "full")


@dataclass(frozen=True)
class LessonResult:
    """How one lesson went.

    Attributes
    ----------
    name
        File name without its ending.
    ok
        Whether every cell ran.
    seconds
        Wall-clock time, the kernel's start included.
    peak_mb
        Largest memory of the kernel and its children together, in MB (10^6 bytes).
    slowest
        Number, from 1, and seconds of the slowest cell; None when no cell ran.
    problem
        The cell that failed and its error; empty when `ok`.
    """

    name: str
    ok: bool
    seconds: float
    peak_mb: float
    slowest: tuple[int, float] | None
    problem: str = ""

    def line(self) -> str:
        """One line for people."""
        cell = f"slowest cell {self.slowest[0]} ({self.slowest[1]:.1f} s)" if self.slowest else ""
        text = f"{self.name:<28} {'ok' if self.ok else 'FAILED':<6} {self.seconds:6.1f} s {self.peak_mb:6.0f} MB  "
        return (text + (cell if self.ok else self.problem)).rstrip()


def run_lessons(
    only: str | list[str] | None = None,
    *,
    profile: Literal["fast", "full"] = "fast",
    seed: int = 0,
    jobs: int = 1,
    folder: str | Path | None = None,
    out: str | Path | None = None,
    report: Callable[[str], None] = print,
) -> list[LessonResult]:
    """Execute worked lessons, each in a process of its own, and keep going when one fails.

    Parameters
    ----------
    only
        Numbers of lessons, such as `"03,05"`; all when not given.
    profile
        `fast` fits two cores and the course's times; `full` trains longer, on a GPU when there is one.
    seed
        The lessons' parameter `SEED`.
    jobs
        How many lessons run at a time; each takes up to 1.5 GB.
    folder
        The notebooks' folder; found by itself when not given.
    out
        Where the executed copies go; created when missing, and a folder that is deleted afterwards when not given.
    report
        Called with one line for each lesson, and with the summary.

    Returns
    -------
    One :class:`LessonResult` for each lesson.

    Raises
    ------
    SettingsError
        When the profile or a lesson is unknown, or jobs is less than 1.
    InputFileError
        When there are no lessons.
    """
    if profile not in PROFILES:
        raise SettingsError(f"profile is {profile!r}; choose fast or full")
    if jobs < 1:
        raise SettingsError(f"jobs is {jobs}; give the number of lessons to run at a time, 1 or more")
    folder = find_notebooks(folder)
    lessons = choose(list(folder.glob("[0-9][0-9]_*.ipynb")), only)
    if not lessons:
        raise InputFileError(f"{folder} holds no worked lessons yet; make them with scrcl-edu build")
    results, start, stop = [], time.perf_counter(), threading.Event()
    # The sentences were written for this profile and seed; with others a reader sees what does not hold, and goes on.
    judged = strictly() if (profile, seed) == ("fast", 0) else contextlib.nullcontext()
    with tempfile.TemporaryDirectory() as temporary, own_progress(), judged:
        target = Path(out) if out is not None else Path(temporary)
        target.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(jobs) as pool:
            running = [pool.submit(_run, lesson, target, folder, profile, seed, stop) for lesson in lessons]
            try:
                for one in running:
                    results.append(one.result())
                    report(results[-1].line())
            except BaseException:
                stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    report(summary(results, time.perf_counter() - start))
    return results


def summary(results: list[LessonResult], seconds: float) -> str:
    """Count, time from first to last, largest memory of one lesson, and the names of what failed."""
    failed = [result.name for result in results if not result.ok]
    peak = max(result.peak_mb for result in results)
    text = f"{len(results) - len(failed)} of {len(results)} lessons ran, {seconds:.0f} s in all, at most {peak:.0f} MB"
    return text + (f"; failed: {', '.join(failed)}" if failed else "")


def _run(lesson: Path, out: Path, folder: Path, profile: str, seed: int, stop: threading.Event) -> LessonResult:
    target = out / lesson.name
    command = [sys.executable, "-m", "papermill", str(lesson), str(target), "-p", "PROFILE", profile]
    command += ["-p", "SEED", str(seed), "--cwd", str(folder), "-k", "python3", "-l", "python", "--no-progress-bar"]
    target.unlink(missing_ok=True)
    start = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, env=dict(os.environ))
        try:
            peak = _watch(process, stop)
        except BaseException:
            process.terminate()
            process.wait()
            raise
        seconds = time.perf_counter() - start
        said.seek(0)
        words = said.read().decode(errors="replace").strip().splitlines()
    slowest, problem = _inspect(target)
    if process.returncode and not problem:
        problem = words[-1] if words else f"papermill ended with code {process.returncode}"
    ok = process.returncode == 0
    return LessonResult(lesson.stem, ok, seconds, peak / 1e6, slowest, "" if ok else problem)


def _watch(process: subprocess.Popen, stop: threading.Event) -> float:
    import psutil

    peak, papermill = 0.0, psutil.Process(process.pid)
    while process.poll() is None:
        if stop.is_set():
            raise KeyboardInterrupt
        with contextlib.suppress(psutil.Error):
            peak = max(peak, sum(_memory(child) for child in papermill.children(recursive=True)))
        time.sleep(0.1)
    return peak


def _memory(process: psutil.Process) -> int:
    import psutil

    with contextlib.suppress(psutil.Error):
        return process.memory_info().rss
    return 0


def _inspect(target: Path) -> tuple[tuple[int, float] | None, str]:
    import nbformat

    if not target.is_file():
        return None, ""
    added = {"injected-parameters", "papermill-error-cell-tag"}  # not among the cells that an author counts
    cells = [c for c in nbformat.read(target, as_version=4).cells if not added & set(c.metadata.get("tags", []))]
    times, problem = [], ""
    for number, cell in enumerate(cells, start=1):
        times.append((cell.metadata.get("papermill", {}).get("duration") or 0.0, number))
        for output in cell.get("outputs", []):
            if output.output_type == "error" and not problem:
                problem = f"cell {number}: {output.ename}: {' '.join(str(output.evalue).split())[:200]}"
    longest = max(times, default=(0.0, 0))
    return ((longest[1], longest[0]) if longest[0] else None), problem
