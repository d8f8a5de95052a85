"""A learner's side of the board: nothing is sent before `join`, all of it can be seen, and it can be stopped."""

from __future__ import annotations

import json
import os
import queue
import secrets
import threading
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from scrcl_edu.course import events
from scrcl_edu.course.showing import box, publish
from scrcl_edu.errors import SettingsError

BOARD = "SCRCL_EDU_BOARD"
SECONDS = 2.0  # how long a message may take; what is slower is dropped
WAITING = 100  # messages; what does not fit is dropped

_sender: _Sender | None = None


def join(address: str | None = None) -> None:
    """Take part in the instructor's board: from now on each check and each guess is counted there, without your name.

    Parameters
    ----------
    address
        What the instructor gives, `http://HOST:PORT#CODE`; on a class's server it is known already.

    Raises
    ------
    SettingsError
        When there is no address, or it is not of this form.
    """
    global _sender
    address = address or os.environ.get(BOARD, "")
    if not address:
        raise SettingsError("there is no board here; the instructor gives an address such as http://HOST:PORT#CODE")
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.netloc or not parts.fragment:
        raise SettingsError(f"{address!r} is no address of a board; it looks like http://HOST:PORT#CODE")
    leave(quiet=True)
    _sender = _Sender(f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}/events", parts.fragment)
    _sender.put("", "", "", "", None)
    events.listeners.append(_sender.hear)
    rows = [
        ("Sent", "which task, whether it passed, the name of the mistake, and your guesses; a random number for you"),
        ("Not sent", "your name, your code, your results"),
        ("See it", "sent() shows every message of this session"),
        ("Stop it", "leave() ends it and takes your counts off the board"),
    ]
    publish(box(f"You take part in the board at {parts.netloc}", rows))


def leave(*, quiet: bool = False) -> None:
    """Stop taking part; what was counted of you is taken off the board."""
    global _sender
    if _sender is not None:
        events.listeners.remove(_sender.hear)
        _sender.end()
    if not quiet:
        publish(box("You do not take part in any board", [("Again", "join()")] if _sender else []))
    _sender = None


def sent() -> list[dict[str, Any]]:
    """Every message that was sent from this notebook, as it was sent."""
    return list(_sender.messages) if _sender else []


class _Sender:
    """Sends from a thread of its own: a check never waits for the board, and a board that is gone harms nobody."""

    def __init__(self, url: str, code: str) -> None:
        self.url, self.code = url, code
        self.learner = secrets.token_hex(16)
        self.messages: list[dict[str, Any]] = []
        self._waiting: queue.Queue[tuple[str, dict[str, Any]] | None] = queue.Queue(WAITING)
        threading.Thread(target=self._work, daemon=True, name="board").start()

    def hear(self, event: events.Event) -> None:
        """A listener of the course."""
        if event.kind == "quiz" or event.status == "not started":
            return
        if event.kind == "predict" and event.status != "guessed":
            return  # the reveal tells nothing new
        value = event.value["guess"] if event.kind == "predict" else None
        self.put(event.task, event.kind, event.status, event.mistake, value)

    def put(self, task: str, kind: str, status: str, mistake: str, value: Any) -> None:
        """Queue a message; when the queue is full it is dropped."""
        message = {"learner": self.learner, "task": task, "kind": kind, "status": status, "mistake": mistake}
        message["value"] = value
        try:
            self._waiting.put_nowait(("POST", message))
        except queue.Full:
            return
        self.messages.append(message)

    def end(self) -> None:
        """Take this learner off the board, and end the thread."""
        for item in (("DELETE", {"learner": self.learner}), None):
            try:
                self._waiting.put_nowait(item)
            except queue.Full:
                return

    def _work(self) -> None:
        while (item := self._waiting.get()) is not None:
            self._send(*item)

    def _send(self, method: str, message: dict[str, Any]) -> None:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.code}"}
        try:
            body = json.dumps(message).encode()
            request = urllib.request.Request(self.url, body, headers, method=method)
            with urllib.request.urlopen(request, timeout=SECONDS):
                pass
        except (OSError, ValueError, TypeError):
            return
