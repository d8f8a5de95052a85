"""How workers find each other: started by torchrun, which tells each its number and where to meet."""

from __future__ import annotations

import contextlib
import datetime
import os
import signal
import sys
from collections.abc import Iterator

import torch
import torch.distributed as dist

from scrcl_edu.errors import ScrclError, Stopped
from scrcl_edu.workers.team import Team, WorkerLost

_TOLD = "scrcl_edu/told"
PATIENCE = datetime.timedelta(hours=6)  # for what worker 0 does alone; an ended worker is noticed at once


@contextlib.contextmanager
def from_torchrun() -> Iterator[Team]:
    """Join the workers that torchrun started; gloo for what is on CPUs, NCCL for what is on GPUs.

    Yields
    ------
    The team, on worker 0 alone. The others do what it says and then end the process: with status 0, or 1 after an
    error, which worker 0 reports; when it was worker 0 that ended, one of the others says so.
    """
    store, rank, size = next(dist.rendezvous("env://"))
    dist.init_process_group(store=store, rank=rank, world_size=size, timeout=PATIENCE)
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    team = Team()
    if rank:
        _follow(team, store)
    try:
        yield team
        team.dismiss()
    except WorkerLost as lost:
        _say_once(lost, store)
        sys.exit(1)
    except BaseException:
        store.add(_TOLD, 1)  # this process says itself why it ends
        raise
    finally:
        with contextlib.suppress(RuntimeError):
            dist.destroy_process_group()


def _follow(team: Team, store: dist.Store) -> None:
    status = 0
    try:
        team.follow()
    except WorkerLost as lost:
        _say_once(lost, store)
        status = 1
    except (ScrclError, Stopped) as error:  # worker 0 meets it as well
        status = 128 + error.signal if isinstance(error, Stopped) else 1
    sys.stdout.flush()
    os._exit(status)  # the process group of a lost worker does not end in good order


def _say_once(lost: WorkerLost, store: dist.Store) -> None:
    """One line on standard error, from whoever finds out first."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # torchrun stops those who are left while they speak
    first = True
    with contextlib.suppress(RuntimeError):
        first = store.add(_TOLD, 1) == 1
    if first:
        print(f"Error: {lost}", file=sys.stderr, flush=True)
