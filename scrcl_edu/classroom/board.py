"""The board: a page on which an instructor sees, live, where a class is stuck. A small web server, alone or in a hub.

Learners' notebooks send to `/events` with the class's code; the page and its counts are for instructors only.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tornado.web

from scrcl_edu.classroom.tally import DAY, FEWEST, Tally
from scrcl_edu.errors import DataError, SettingsError

STATIC = Path(__file__).with_name("static")
LARGEST_MESSAGE = 2000  # bytes
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
COOKIE = "scrcl_edu_board"


@dataclass
class Rate:
    """How often each sender may send: a bucket of `burst` messages that fills by `per_second`.

    Attributes
    ----------
    per_second, burst
        Of one sender. A class behind one address shares it, so the limit by address is larger than the one by learner.
    most
        Senders that are remembered; the one that was silent longest is forgotten first.
    """

    per_second: float
    burst: float
    most: int = 5000
    clock: Callable[[], float] = time.monotonic
    _full: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def allows(self, sender: str) -> bool:
        """Whether one more message may come now; counts it if so."""
        now = self.clock()
        level, since = self._full.pop(sender, (self.burst, now))
        level = min(self.burst, level + (now - since) * self.per_second)
        allowed = level >= 1
        self._full[sender] = (level - allowed, now)
        if len(self._full) > self.most:
            self._full.popitem(last=False)
        return allowed


class _Handler(tornado.web.RequestHandler):
    def set_default_headers(self) -> None:
        for name, value in HEADERS.items():
            self.set_header(name, value)

    def write_error(self, status_code: int, **_: Any) -> None:
        self.finish({"error": self._reason})

    def refuse(self, status: int, reason: str) -> None:
        """End with a reason of ours; nothing of the request is repeated."""
        self.set_status(status)
        self.finish({"error": reason})


class Events(_Handler):
    """Where notebooks send."""

    def prepare(self) -> None:
        code = self.request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(code.encode(), self.settings["class_code"].encode()):
            self.refuse(403, "the code of the class is not right")
        elif not self.settings["by_address"].allows(self.request.remote_ip or ""):
            self.refuse(429, "too many messages")

    def post(self) -> None:
        message = self._message()
        if message is None:
            return
        try:
            self.settings["tally"].take(message)
        except DataError as error:
            self.refuse(400, str(error))
        else:
            self.set_status(204)

    def delete(self) -> None:
        message = self._message()
        if message is not None:
            self.settings["tally"].leave(message.get("learner"))
            self.set_status(204)

    def _message(self) -> dict[str, Any] | None:
        try:
            if len(self.request.body) > LARGEST_MESSAGE:
                raise ValueError("too large")
            message = json.loads(self.request.body)
        except (ValueError, RecursionError):
            self.refuse(400, f"a message is JSON of at most {LARGEST_MESSAGE} bytes")
            return None
        learner = message.get("learner") if isinstance(message, dict) else None
        if not isinstance(learner, str):
            self.refuse(400, "a message names its learner")
        elif not self.settings["by_learner"].allows(learner[:32]):
            self.refuse(429, "too many messages")
        else:
            return message
        return None


class _ForInstructors(_Handler):
    """Lets in whoever came once by the address that `scrcl-edu board` prints."""

    def get_current_user(self) -> str | None:
        key = self.settings["instructor_key"]
        given = self.get_query_argument("key", "") or self.get_cookie(COOKIE, "")
        return "instructor" if hmac.compare_digest(given.encode(), key.encode()) else None

    def prepare(self) -> Any:
        if not self.current_user:
            self.refuse(403, "this page is for the instructor; open the address that scrcl-edu board printed")
        return None


def pages(base: type[_Handler], prefix: str) -> list[tuple[Any, ...]]:
    """The routes, with the instructors' ones guarded by `base`."""

    class Page(base):  # type: ignore[misc, valid-type]
        def get(self) -> None:
            if self.get_query_argument("key", ""):
                # The key leaves the address bar, so that it is not on the screen of a class.
                self.set_cookie(COOKIE, self.get_query_argument("key"), httponly=True, samesite="Strict")
                self.redirect(f"{prefix}/")
            else:
                self.set_header("Content-Type", "text/html; charset=utf-8")
                self.finish((STATIC / "board.html").read_bytes())

    class Counts(base):  # type: ignore[misc, valid-type]
        def get(self) -> None:
            self.finish(self.settings["tally"].view(fewest=self.settings["fewest"]))

    class Static(_Handler, tornado.web.StaticFileHandler):
        pass

    return [
        (rf"{prefix}/events", Events),
        (rf"{prefix}/counts", Counts),
        (rf"{prefix}/static/(board\.(?:js|css))", Static, {"path": STATIC}),
        (rf"{prefix}/?", Page),
    ]


def application(
    *,
    class_code: str,
    instructor_key: str = "",
    fewest: int = FEWEST,
    tally: Tally | None = None,
    prefix: str = "",
    base: type[Any] = _ForInstructors,
    **settings: Any,
) -> tornado.web.Application:
    """The board as a web application.

    Parameters
    ----------
    class_code
        Learners' notebooks send it; without it nothing is counted.
    instructor_key
        Opens the page when the board runs alone.
    fewest
        The smallest group that is shown.
    tally
        Where counts are kept.
    prefix
        Begins every address, such as `/services/board` in a hub.
    base
        Guards the instructors' pages.
    settings
        Handed to tornado.
    """
    if fewest < 1:
        raise SettingsError(f"fewest is {fewest}; choose 1 to show everything, or {FEWEST} as usual")
    return tornado.web.Application(
        pages(base, prefix),
        class_code=class_code,
        instructor_key=instructor_key,
        fewest=fewest,
        tally=tally or Tally(),
        by_address=Rate(per_second=50, burst=500),
        by_learner=Rate(per_second=1, burst=30),
        log_function=lambda handler: None,  # addresses of learners go into no log
        **settings,
    )


def run_board(
    *, address: str = "127.0.0.1", port: int = 8765, fewest: int = FEWEST, report: Callable[[str], None] = print
) -> None:
    """Serve a board until it is interrupted, for a day at most; nothing is written to disk.

    Parameters
    ----------
    address, port
        Where to listen; `0.0.0.0` lets the notebooks of a local network reach it.
    fewest
        The smallest group that is shown.
    report
        Called with the addresses for the instructor and for the class.

    Raises
    ------
    SettingsError
        When the address or the port cannot be used.
    """
    code, key = secrets.token_urlsafe(6), secrets.token_urlsafe(16)
    app = application(class_code=code, instructor_key=key, fewest=fewest)
    asyncio.run(_serve(app, address, port, lambda: _told(address, port, code, key, fewest, report)))


def _told(address: str, port: int, code: str, key: str, fewest: int, report: Callable[[str], None]) -> None:
    shown = _own_address() if address == "0.0.0.0" else address
    report(f"For you:       http://{shown}:{port}/?key={key}")
    report(f'For the class: from scrcl_edu.classroom import join; join("http://{shown}:{port}#{code}")')
    if fewest == 1:
        report("Groups of any size are shown; say so to the class.")
    report("Ctrl-C ends it; then everything that was counted is gone.")


def _own_address() -> str:
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("10.255.255.255", 1))  # sends nothing; asks which of our addresses would be used
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


async def _serve(app: tornado.web.Application, address: str, port: int, started: Callable[[], None]) -> None:
    try:
        server = app.listen(port, address, max_body_size=LARGEST_MESSAGE * 2, max_header_size=8192, xheaders=False)
    except OSError as error:
        raise SettingsError(f"{address}:{port} cannot be used ({error.strerror}); choose another --port") from error
    started()
    try:
        await asyncio.sleep(DAY)
    finally:
        server.stop()


def hub_service() -> None:
    """Serve the board as a service of JupyterHub, which says who is an instructor.

    It reads what the hub gives every service (JUPYTERHUB_SERVICE_URL and the like) and SCRCL_EDU_BOARD_CODE.
    """
    from urllib.parse import urlparse

    from jupyterhub.services.auth import HubOAuthCallbackHandler, HubOAuthenticated

    class _ForHubInstructors(HubOAuthenticated, _Handler):
        allow_admin = True
        hub_groups = frozenset({"instructors"})

        def prepare(self) -> Any:
            if not self.current_user:
                self.redirect(self.get_login_url())

        def check_xsrf_cookie(self) -> None:
            """Nothing here changes anything by a form."""

    prefix = os.environ["JUPYTERHUB_SERVICE_PREFIX"].rstrip("/")
    url = urlparse(os.environ["JUPYTERHUB_SERVICE_URL"])
    app = application(
        class_code=os.environ["SCRCL_EDU_BOARD_CODE"],
        prefix=prefix,
        base=_ForHubInstructors,
        cookie_secret=secrets.token_bytes(32),
    )
    app.add_handlers(".*", [(rf"{prefix}/oauth_callback", HubOAuthCallbackHandler)])
    asyncio.run(_serve(app, url.hostname or "127.0.0.1", url.port or 8765, lambda: None))
