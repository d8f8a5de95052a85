"""The loop: forward pass, losses, gradient, Adam; with a history, checkpoints and a clean stop. Lesson 07 builds it.

No label enters here.
"""

from __future__ import annotations

import contextlib
import io
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from scrcl_edu import __version__
from scrcl_edu.all_cells import HERE, AllCells
from scrcl_edu.errors import CheckpointError, SettingsError, Stopped, TrainingError
from scrcl_edu.files import atomic_path
from scrcl_edu.memory import kept_between_epochs
from scrcl_edu.model import Inputs, Losses, Outputs, ScRCL

History = dict[str, list[float]]

CHECKPOINT_SECONDS = 10.0
_SHARE_OF_TIME = 0.05  # checkpoints take at most this share of the training
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory")


class Interrupted(Stopped):
    """Training was stopped between two epochs.

    Attributes
    ----------
    epoch
        How many were done.
    checkpoint
        The file that holds them; None if not asked for.
    signal
        What stopped it.
    """

    def __init__(self, epoch: int, epochs: int, checkpoint: Path | None, signal: int) -> None:
        there = f"\n{checkpoint} holds the state: the same command with --resume goes on."
        super().__init__(
            f"Stopped after epoch {epoch} of {epochs}; nothing else was written.{there if checkpoint else ''}", signal
        )
        self.epoch, self.checkpoint = epoch, checkpoint


def train(
    model: ScRCL,
    inputs: Inputs,
    *,
    epochs: int,
    learning_rate: float = 1e-4,
    weight_decay: float = 0.1,
    on_epoch: Callable[[int, dict[str, float]], Any] | None = None,
    stop_after: Callable[[int, History], bool] | None = None,
    checkpoint: str | Path | None = None,
    identity: dict[str, str] | None = None,
    resume: bool = False,
) -> History:
    """Train in place.

    Parameters
    ----------
    model, inputs
        On the same device.
    epochs
        Passes over all cells, counted from the first start also when resuming.
    learning_rate, weight_decay
        Of Adam; the decay is its own (L2), not AdamW's.
    on_epoch
        Called with the epoch's number, from 1, and its losses; what it returns is ignored.
    stop_after
        Called with the epoch's number and the history so far; training ends when it says so.
    checkpoint
        File from which `resume` continues. It is written every 10 seconds, or less often where that would take more
        than a twentieth of the time, and when Ctrl-C or SIGTERM stops the training.
    identity
        What a checkpoint must agree on to be continued, such as settings and a digest of the data.
    resume
        Continue from `checkpoint`. On a CPU the result is bit for bit that of an uninterrupted run.

    Returns
    -------
    History: for each loss (`distribution`, `neighborhood`, `consistency`, `total`) its value before each step.

    Raises
    ------
    TrainingError
        When a loss is not finite, or the device is out of memory.
    CheckpointError
        When the checkpoint is damaged or belongs to something else.
    Interrupted
        After Ctrl-C or SIGTERM, once the epoch is done and the checkpoint written.
    """
    if not learning_rate > 0:
        raise SettingsError(f"learning_rate is {learning_rate}; choose a positive number, usually 1e-5 to 5e-3")
    optimizer = adam(model, learning_rate=learning_rate, weight_decay=weight_decay)
    history: History = {name: [] for name in Losses._fields}
    if resume:
        load_checkpoint(checkpoint, model, optimizer, history, identity or {}, cells=inputs.cells)
    keeper = _Keeper(checkpoint, model, optimizer, history, identity or {}, inputs.cells)
    with _interruptible() as stop, kept_between_epochs():
        for epoch in range(len(history["total"]) + 1, epochs + 1):
            with explained_memory(*inputs.view_1.shape):
                losses = step(model, inputs, optimizer)
            for name, value in losses.items():
                history[name].append(value)
            _check_finite(epoch, losses)
            if on_epoch is not None:
                on_epoch(epoch, losses)
            if stop_after is not None and stop_after(epoch, history):
                break
            stopped, due = inputs.cells.any(bool(stop), keeper.is_due())
            if stopped:
                keeper.save()
                raise Interrupted(epoch, epochs, keeper.path, stop[0] if stop else signal.SIGTERM)
            if due:
                keeper.save()
    return history


def adam(model: ScRCL, *, learning_rate: float, weight_decay: float) -> torch.optim.Adam:
    """The optimizer of the paper, in torch's fused form where every torch has one."""
    fused = next(model.parameters()).device.type in ("cpu", "cuda")
    return torch.optim.Adam(model.parameters(), lr=learning_rate, weight_decay=weight_decay, fused=fused)


def step(model: ScRCL, inputs: Inputs, optimizer: torch.optim.Optimizer) -> dict[str, float]:
    """One training step; returns the losses before it."""
    model.train()
    optimizer.zero_grad()
    losses = model.losses(model(inputs), inputs)
    losses.total.backward()
    inputs.cells.join_gradients(model)
    optimizer.step()
    values = torch.stack(losses).tolist()  # one transfer from the device for all four
    return dict(zip(Losses._fields, values, strict=True))


def train_and_embed(model: ScRCL, inputs: Inputs, **settings: Any) -> tuple[History, Outputs]:
    """:func:`train` with these settings, then :func:`embed`."""
    history = train(model, inputs, **settings)
    with explained_memory(*inputs.view_1.shape):
        return history, embed(model, inputs)


@torch.no_grad()
def embed(model: ScRCL, inputs: Inputs) -> Outputs:
    """Encodings, refined cells and programs in evaluation mode, without gradients."""
    model.eval()
    return model(inputs)


def save_checkpoint(
    path: str | Path,
    model: ScRCL,
    optimizer: torch.optim.Optimizer,
    history: History,
    identity: dict[str, str],
    cells: AllCells = HERE,
) -> None:
    """Write all that training needs to go on; a file of that name is replaced only when the new one is complete."""
    state = {
        "version": __version__,
        "identity": json.dumps(identity, sort_keys=True),
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "history": history,
        "random_state": torch.get_rng_state(),
        "products": torch.get_float32_matmul_precision(),
    }
    if torch.cuda.is_available():
        state["random_state_cuda"] = torch.cuda.get_rng_state()
    if (state := cells.collected(state)) is None:
        return
    content = io.BytesIO()  # torch turns a full disk into a RuntimeError without an errno
    torch.save(state, content)
    with atomic_path(path, overwrite=True) as temporary:
        temporary.write_bytes(content.getbuffer())


def load_checkpoint(
    path: str | Path | None,
    model: ScRCL,
    optimizer: torch.optim.Optimizer,
    history: History,
    identity: dict[str, str],
    *,
    cells: AllCells = HERE,
) -> None:
    """Put a checkpoint's state into `model`, `optimizer`, `history` and torch's random generator.

    Raises
    ------
    CheckpointError
        When it is missing, damaged, or from another version, other data or other settings.
    """
    state = cells.own(lambda: _read_checkpoint(path, identity))
    try:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random_state"])
        if "random_state_cuda" in state and torch.cuda.is_available():
            torch.cuda.set_rng_state(state["random_state_cuda"])
        history.update({name: list(values) for name, values in state["history"].items()})
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged; delete it and start without --resume") from error


def _read_checkpoint(path: str | Path | None, identity: dict[str, str]) -> dict[str, Any]:
    if path is None or not Path(path).exists():
        raise CheckpointError(f"there is no checkpoint {path} to resume from; start again without --resume")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        version, theirs = state["version"], dict(json.loads(state["identity"]))
    except Exception as error:  # whatever a damaged archive makes torch raise
        raise CheckpointError(f"{path} is damaged or not a checkpoint; delete it and start without --resume") from error
    if version != __version__:
        raise CheckpointError(
            f"{path} is from scrcl_edu {version}, this is {__version__}; delete it and start without --resume"
        )
    for what in sorted(theirs.keys() | identity.keys()):
        if theirs.get(what) != identity.get(what):
            raise CheckpointError(
                f"{path} was made with other {what} ({theirs.get(what)} instead of {identity.get(what)}); "
                f"use the same {what}, or delete it and start without --resume"
            )
    return state


def products_of(path: str | Path | None) -> str | None:
    """The precision of matrix products that a checkpoint was trained with; None where it cannot be told.

    To go on bit for bit, :func:`train` must be called under the same one, see :mod:`scrcl_edu.products`.
    """
    if path is None:
        return None
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)["products"]
    except Exception:  # a damaged file; train() says so
        return None


def _check_finite(epoch: int, losses: dict[str, float]) -> None:
    for name, value in losses.items():
        if value != value or abs(value) == float("inf"):
            raise TrainingError(
                f"the {name} loss is {value} in epoch {epoch}; choose a smaller learning rate or a higher temperature"
            )


@contextlib.contextmanager
def explained_memory(n_cells: int, n_genes: int) -> Iterator[None]:
    """Raise TrainingError, which says what to lower, when the block runs out of memory on any device."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:  # Apple's and the CPU's allocators raise a plain RuntimeError
        if not isinstance(error, MemoryError) and not any(words in str(error) for words in _OUT_OF_MEMORY):
            raise
        raise TrainingError(
            f"the device is out of memory with {n_cells} cells x {n_genes} genes; "
            "lower n_hidden, then n_top_genes, or use --device cpu"
        ) from error


@contextlib.contextmanager
def progress_bar(epochs: int, *, shown: bool | None = True) -> Iterator[Callable[[int, dict[str, float]], None]]:
    """A bar with the losses and the time left, drawn ten times a second at most.

    Parameters
    ----------
    epochs
        How many there will be.
    shown
        None shows it on a terminal only.

    Yields
    ------
    What `on_epoch` may call.
    """
    from tqdm.auto import tqdm

    last = -1.0
    with tqdm(total=epochs, unit="epoch", disable=None if shown is None else not shown) as bar:

        def update(epoch: int, losses: dict[str, float]) -> None:
            nonlocal last
            bar.update(epoch - bar.n)
            if time.monotonic() - last > 0.1:
                bar.set_postfix({name: f"{value:.3g}" for name, value in losses.items()}, refresh=False)
                last = time.monotonic()

        yield update


class _Keeper:
    """Writes the checkpoint when it is time: after some seconds, and never for more than a small share of the time."""

    def __init__(self, path: str | Path | None, *state: Any) -> None:
        self.path, self.state = Path(path) if path is not None else None, state
        self.saved, self.cost = time.monotonic(), 0.0

    def is_due(self) -> bool:
        pause = max(CHECKPOINT_SECONDS, self.cost / _SHARE_OF_TIME)
        return self.path is not None and time.monotonic() - self.saved >= pause

    def save(self) -> None:
        if self.path is not None:
            started = time.monotonic()
            save_checkpoint(self.path, *self.state)
            self.saved = time.monotonic()
            self.cost = self.saved - started


@contextlib.contextmanager
def _interruptible() -> Iterator[list[int]]:
    """Collect the first Ctrl-C or SIGTERM in a list that is read between epochs; the second one acts at once."""
    stop: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask_to_stop(number: int, _: Any) -> None:
        stop.append(number)
        # a shell's background job starts with Ctrl-C ignored: the second one has to interrupt there as well
        for each, handler in before.items():
            again = signal.default_int_handler if each == signal.SIGINT else signal.SIG_DFL
            signal.signal(each, again if handler in (signal.SIG_IGN, None) else handler)

    for number in before:
        signal.signal(number, ask_to_stop)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
