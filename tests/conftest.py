"""What every test gets: one thread per worker, reproducible hypothesis, no network beyond this machine, ../shared."""

from __future__ import annotations

import ipaddress
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

if "PYTEST_XDIST_WORKER" in os.environ:  # before torch and numpy start their threads
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = "1"

# Lessons that are compared must not show what this machine's learner has guessed.
os.environ["SCRCL_EDU_PROGRESS"] = os.path.join(tempfile.mkdtemp(prefix="scrcl_edu-"), "progress.json")

settings.register_profile(
    "course", derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("course")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """Folder of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The developers' folder of golden numbers and small real data; a user does not have it, and the test skips."""
    folder = Path(os.environ.get("SCRCL_EDU_SHARED", ROOT.parent / "shared"))
    if not (folder / "golden").is_dir():
        pytest.skip(f"{folder} is absent: golden numbers and real data are there (SCRCL_EDU_SHARED names another)")
    return folder


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """Nothing but this machine can be reached: whatever else a test tries is an error that names the address."""
    connect, lookup = socket.socket.connect, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: object) -> None:
        if self.family != getattr(socket, "AF_UNIX", None):
            _refuse_unless_local(address[0])
        return connect(self, address)

    def guarded_lookup(host: str | bytes | None, *args: object, **kwargs: object) -> list:
        _refuse_unless_local(host)
        return lookup(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket, "getaddrinfo", guarded_lookup)
        yield


def _refuse_unless_local(host: str | bytes | None) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return
    try:
        local = ipaddress.ip_address(name).is_loopback or ipaddress.ip_address(name).is_unspecified
    except ValueError:
        local = False
    if not local:
        raise OSError(f"a test tried to reach {name}; tests may only open connections to localhost")


@pytest.fixture(scope="module")
def playwright() -> Iterator[Any]:
    """What drives browsers."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed; make browser-test does it")
    with api.sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def browser(playwright: Any) -> Iterator[Any]:
    """A Chromium without a window."""
    from browsing import CHROMIUM

    options = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
    yield chromium
    chromium.close()
