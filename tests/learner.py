"""A JupyterLab of its own, and a lesson in it as a learner meets it: opened, run, read, rewritten."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import nbformat
from browsing import PICTURES, wait_for

from scrcl_edu.course.lessons import LESSONS as NAMES

ROOT = Path(__file__).resolve().parents[1]


@contextlib.contextmanager
def jupyterlab(folder: Path, lessons: Sequence[Path], *, theme: str = "JupyterLab Light") -> Iterator[str]:
    """Address of a JupyterLab that holds these lessons without their outputs; `{name}` in it is a lesson's name.

    What a learner does is kept in `progress.json` of the folder.
    """
    notebooks, settings = folder / "notebooks", folder / "settings" / "@jupyterlab"
    notebooks.mkdir()
    for path in lessons:
        lesson = nbformat.read(path, as_version=4)
        for cell in lesson.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        nbformat.write(lesson, notebooks / path.name)
    for name, text in {
        "notebook-extension/tracker": '{"windowingMode": "none"}',  # every cell is in the page, also out of sight
        "apputils-extension/notification": '{"fetchNews": "false", "checkForUpdates": false}',
        "apputils-extension/themes": f'{{"theme": "{theme}"}}',
    }.items():
        (settings / name).parent.mkdir(parents=True, exist_ok=True)
        (settings / f"{name}.jupyterlab-settings").write_text(text, encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(8)
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "SCRCL_EDU_PROGRESS": str(folder / "progress.json"),
        "PYTHONPATH": str(ROOT),
    }
    PICTURES.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"]
    command += ["--ServerApp.port_retries=0", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={notebooks}"]
    with (PICTURES / "jupyterlab.log").open("w", encoding="utf-8") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(lambda: server.poll() is not None or _answers(f"{address}/api?token={token}"), "JupyterLab", 90)
            assert server.poll() is None, f"JupyterLab stopped; see {PICTURES / 'jupyterlab.log'}"
            yield f"{address}/lab/tree/{{name}}.ipynb?reset&token={token}"
        finally:
            server.terminate()
            server.wait(30)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as reply:
            return reply.status == 200
    except OSError:
        return False


class Lesson:
    """One lesson in one page, and what a learner does there."""

    def __init__(self, page: Any, number: str) -> None:
        self.page, self.number = page, number
        self.panel = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")

    def open(self, address: str) -> None:
        self.page.goto(address.format(name=NAMES[self.number]), timeout=90_000)
        wait_for(lambda: self.panel.locator(".jp-CodeCell").count() > 5, "lesson", 90)
        self.idle(90)

    def idle(self, seconds: float = 30) -> None:
        state = self.panel.locator(".jp-Notebook-ExecutionIndicator")
        wait_for(lambda: state.count() and state.first.get_attribute("data-status") == "idle", "idle kernel", seconds)

    def run_all(self) -> None:
        self.choose_run_all()
        try:
            wait_for(lambda: any(self.prompts()), "cell begun", 60)
        except AssertionError:  # a kernel that was still starting takes no cells; a learner would choose it again
            self.choose_run_all()
        try:
            wait_for(self.finished, "last cell run", 600)
        except AssertionError as error:
            raise AssertionError(f"{error}; prompts: {self.prompts()}") from None
        self.idle()

    def choose_run_all(self) -> None:
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.locator(".lm-Menu-itemLabel", has_text=re.compile(r"^Run All Cells$")).click()

    def prompts(self) -> list[str]:
        """What stands beside each unfolded code cell: nothing at first, * while it waits, then its number."""
        prompts = self.panel.locator(".jp-CodeCell .jp-InputPrompt:not(.jp-Placeholder-prompt)")
        return [text.strip(" []:") for text in prompts.all_inner_texts()]

    def finished(self) -> bool:
        if self.panel.locator('[data-mime-type="application/vnd.jupyter.error"]').count():
            raise AssertionError("a cell stopped with an error")
        return bool(self.prompts()) and all(prompt.isdigit() for prompt in self.prompts())

    def cell(self, text: str) -> Any:
        """The code cell whose source holds a text."""
        editor = self.page.locator(".jp-InputArea-editor", has_text=text)
        return self.panel.locator(".jp-CodeCell").filter(has=editor).first

    def rewrite(self, cell: Any, source: str) -> None:
        cell.locator(".cm-content").first.click()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(source)

    def run(self, cell: Any) -> None:
        before = cell.locator(".jp-InputPrompt").first.inner_text()
        cell.locator(".cm-content").first.click()
        self.page.keyboard.press("Control+Enter")
        prompt = cell.locator(".jp-InputPrompt").first
        wait_for(lambda: re.search(r"\d", now := prompt.inner_text()) and now != before, "output of the cell", 60)

    def picture(self, name: str, of: Any = None) -> None:
        if of is not None:
            of.scroll_into_view_if_needed()
        self.page.screenshot(path=PICTURES / f"{self.number}_{name}.png")
