"""Workers for a notebook: processes of this machine, started from it, that run its functions side by side.

Lesson 13 splits a loss with them. To train one's own cells, start the command line by torchrun instead.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import os
import pickle
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from multiprocessing.connection import Client, Connection, Listener
from subprocess import DEVNULL
from typing import Any

from scrcl_edu.errors import TrainingError

PATIENCE = 40.0  # seconds for an answer


class CrewError(TrainingError):
    """A function failed on a worker, or the workers wait for each other."""


class Crew:
    """Some processes, each with a :class:`~scrcl_edu.workers.team.Team`.

    Parameters
    ----------
    n_workers
        How many; each takes a core while it works, and memory for torch.
    """

    def __init__(self, n_workers: int = 2) -> None:
        self.n_workers = n_workers
        self._doors: list[Connection] = []
        self._running: list[subprocess.Popen[bytes]] = []
        atexit.register(self.close)

    def run(self, function: Callable[..., Any], *shares: tuple) -> list[Any]:
        """Call `function(team, *share)` on each worker, with the share of its number, and give back what they return.

        What a worker prints is printed here, with its number.

        Raises
        ------
        CrewError
            When the function fails on a worker, or somebody waits for a message that nobody sends. The workers are
            ended then; the next call starts new ones.
        """
        import cloudpickle

        if len(shares) != self.n_workers:
            raise CrewError(f"there are {len(shares)} shares for {self.n_workers} workers; give one tuple for each")
        if not self._doors:
            self._start()
        for door, share in zip(self._doors, shares, strict=True):
            door.send_bytes(cloudpickle.dumps((function, share)))
        results = []
        for rank, door in enumerate(self._doors):
            outcome, value, said = self._answer(rank, door)
            for line in said.splitlines():
                print(f"worker {rank}: {line}")
            if outcome == "failed":
                self.close()
                raise CrewError(f"on worker {rank}: {value}")
            results.append(value)
        return results

    def close(self) -> None:
        """End the workers."""
        for door in self._doors:
            door.close()
        for process in self._running:
            process.kill()
            process.wait()
        self._doors, self._running = [], []

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> None:
        key, meeting = secrets.token_bytes(16), tempfile.mkdtemp()
        environment = dict(os.environ) | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"} | _loopback()
        with Listener(("127.0.0.1", 0), authkey=key) as listener:
            port = str(listener.address[1])
            for rank in range(self.n_workers):
                command = [sys.executable, "-m", __name__, port, key.hex(), str(rank), str(self.n_workers), meeting]
                self._running.append(subprocess.Popen(command, env=environment, stdout=DEVNULL, stderr=DEVNULL))
            doors = [listener.accept() for _ in range(self.n_workers)]
        self._doors = [door for _, door in sorted(((door.recv(), door) for door in doors), key=lambda pair: pair[0])]

    def _answer(self, rank: int, door: Connection) -> tuple[str, Any, str]:
        try:
            if door.poll(PATIENCE):
                return pickle.loads(door.recv_bytes())
        except (EOFError, OSError) as error:
            self.close()
            raise CrewError(f"worker {rank} has ended") from error
        self.close()
        raise CrewError(
            f"worker {rank} has not answered for {PATIENCE:g} s: somebody waits for a message that nobody sends. "
            "Every worker must call `total` and `exchange` equally often and in the same order"
        )


def _loopback() -> dict[str, str]:
    """Gloo's name for the network that ends in this machine, where it can be told."""
    names = [name for _, name in socket.if_nameindex()] if hasattr(socket, "if_nameindex") else []
    loopback = next((name for name in names if name in ("lo", "lo0")), None)
    return {"GLOO_SOCKET_IFNAME": loopback} if loopback else {}


def _work(port: str, key: str, rank: str, n_workers: str, meeting: str) -> None:
    """One worker: receive functions and shares, call, answer, until the door is closed."""
    import cloudpickle
    import torch.distributed as dist

    from scrcl_edu.workers.team import Team

    door = Client(("127.0.0.1", int(port)), authkey=bytes.fromhex(key))
    door.send(int(rank))
    dist.init_process_group("gloo", init_method=f"file://{meeting}/meeting", rank=int(rank), world_size=int(n_workers))
    team = Team()
    while True:
        try:
            function, share = pickle.loads(door.recv_bytes())
        except (EOFError, OSError):  # the notebook has closed the door, or has ended
            os._exit(0)
        said, outcome = io.StringIO(), "done"
        with contextlib.redirect_stdout(said):
            try:
                value = function(team, *share)
            except Exception as error:
                outcome, value = "failed", f"{type(error).__name__}: {error}"
        door.send_bytes(cloudpickle.dumps((outcome, value, said.getvalue())))


if __name__ == "__main__":
    _work(*sys.argv[1:])
