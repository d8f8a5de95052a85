"""A command that torchrun started in several processes."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any


def with_workers(command: Callable[..., None]) -> Callable[..., None]:
    """Call a command with `team`: the workers that torchrun started, or None when it did not.

    Only the first worker runs the command; the others do what it says, and end with it.
    """

    @functools.wraps(command)
    def run(**options: Any) -> None:
        if "TORCHELASTIC_RUN_ID" not in os.environ:
            command(**options, team=None)
            return
        from scrcl_edu.workers.launching import from_torchrun

        with from_torchrun() as team:
            command(**options, team=team)

    return run


def account(of: dict[str, Any]) -> str:
    """What `uns` says about the workers, in one line."""
    if "bytes_per_epoch" not in of:
        return f"{of['n_workers']} workers, of whom one had something to do"
    return (
        f"{of['n_workers']} workers: {of['share_of_edges_cut']:.1%} of the edges are cut, "
        f"{of['bytes_per_epoch'] / 1e6:.3g} MB crossed in each epoch"
    )
