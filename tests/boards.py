"""A board that is served in a thread, and what learners' notebooks send to it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator

from scrcl_edu.classroom import board, joining
from scrcl_edu.course import events
from scrcl_edu.course.tasks import catalogue

CODE, KEY = "class-code", "instructor-key"
TASK = "cell_graph"
GUESS = next(n for n, task in catalogue().items() if task.kind == "predict" and getattr(task.shape, "high", None))


def message(learner: int | str = 0, **changes):
    learner = f"{learner:032x}" if isinstance(learner, int) else learner
    usual = {"task": TASK, "kind": "check", "status": "tried", "mistake": "counts itself", "value": None}
    return {"learner": learner} | usual | changes


def guess(learner: int, value):
    return message(learner, task=GUESS, kind="predict", status="guessed", mistake="", value=value)


@contextlib.contextmanager
def serving(**settings):
    """A board in a thread, and its address."""
    loop, started, address = asyncio.new_event_loop(), threading.Event(), []

    async def run():
        import tornado.netutil

        app = board.application(class_code=CODE, instructor_key=KEY, **settings)
        (socket,) = tornado.netutil.bind_sockets(0, "127.0.0.1")
        import tornado.httpserver

        server = tornado.httpserver.HTTPServer(app, max_body_size=4000)
        server.add_sockets([socket])
        address.append(f"http://127.0.0.1:{socket.getsockname()[1]}")
        started.set()
        await stop.wait()
        server.stop()

    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(run(),), daemon=True)
    thread.start()
    started.wait(30)
    try:
        yield address[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)


@contextlib.contextmanager
def learner_at(address: str) -> Iterator[None]:
    """Somebody who takes part: what is checked and guessed inside is sent; the counts stay afterwards."""
    joining.join(f"{address}#{CODE}")
    try:
        yield
    finally:
        sender, joining._sender = joining._sender, None
        events.listeners.remove(sender.hear)
