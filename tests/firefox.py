"""Firefox without a window, by its own remote protocol (Marionette): enough to open a page, press keys and look."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FIREFOX = next(filter(None, map(shutil.which, ("firefox", "firefox-esr"))), None)


class Firefox:
    """A session; commands are those of WebDriver."""

    def __init__(self, port: int, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while True:
            try:
                self.wire = socket.create_connection(("127.0.0.1", port), timeout=seconds)
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.3)
        self.numbers = itertools.count(1)
        self._read()  # how it greets
        self.command("WebDriver:NewSession", {})

    def command(self, name: str, parameters: dict[str, Any]) -> Any:
        text = json.dumps([0, next(self.numbers), name, parameters]).encode()
        self.wire.sendall(b"%d:%s" % (len(text), text))
        _, _, error, result = self._read()
        assert error is None, error
        return result

    def run(self, code: str, *arguments: Any) -> Any:
        """What a script returns on the page."""
        return self.command("WebDriver:ExecuteScript", {"script": code, "args": arguments})["value"]

    def press(self, key: str, times: int = 1) -> None:
        """A key of its own, such as a letter, or WebDriver's code for one that writes nothing."""
        strokes = [{"type": kind, "value": key} for kind in ("keyDown", "keyUp")] * times
        self.command("WebDriver:PerformActions", {"actions": [{"type": "key", "id": "keys", "actions": strokes}]})

    def picture(self, path: Path) -> None:
        taken = self.command("WebDriver:TakeScreenshot", {"full": True, "hash": False})
        path.write_bytes(base64.b64decode(taken["value"]))

    def _read(self) -> Any:
        head = b""
        while not head.endswith(b":"):
            head += self.wire.recv(1)
        text = b""
        while len(text) < int(head[:-1]):
            text += self.wire.recv(int(head[:-1]) - len(text))
        return json.loads(text)


@contextlib.contextmanager
def firefox(folder: Path) -> Iterator[Firefox]:
    """A Firefox whose profile is in `folder`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "user.js").write_text(f'user_pref("marionette.port", {port});\n', encoding="utf-8")
    command = [str(FIREFOX), "--headless", "--no-remote", "--marionette", "--profile", str(folder)]
    with (folder / "firefox.log").open("w", encoding="utf-8") as log:
        started = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            session = Firefox(port)
            with session.wire:
                yield session
        finally:
            started.terminate()
            started.wait(30)
