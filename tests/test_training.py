"""The loop: what stops it, what a checkpoint holds, and that going on ends where the uninterrupted run would."""

import errno
import json
import os
import pickle
import signal
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from scrcl_edu import __version__, training
from scrcl_edu.errors import CheckpointError, OutputError, SettingsError, TrainingError
from scrcl_edu.graphs import cell_graph, gene_graph
from scrcl_edu.model import Inputs, ScRCL
from scrcl_edu.training import Interrupted, embed, train

EPOCHS = 6
IDENTITY = {"n_hidden": "8", "data": "ab12", "seed": "0"}


@pytest.fixture(scope="module")
def inputs():
    counts = np.random.default_rng(0).poisson(2.0, (40, 30)).astype(np.float32)
    return Inputs.build(counts, counts, cell_graph(np.log1p(counts), n_neighbors=5), gene_graph(counts))


def new_model(seed=0, n_hidden=8):
    torch.manual_seed(seed)
    return ScRCL(40, 30, n_hidden=n_hidden, out_dim=3, dropout=0.3)


def stopped_after(epoch, model, inputs, checkpoint, **settings):
    """Train until a real SIGINT arrives during `epoch`."""
    with pytest.raises(Interrupted) as stop:
        train(
            model,
            inputs,
            epochs=EPOCHS,
            checkpoint=checkpoint,
            on_epoch=lambda now, _: now == epoch and signal.raise_signal(signal.SIGINT),
            **settings,
        )
    return stop.value


@pytest.fixture
def checkpoint(tmp_path, inputs):
    path = tmp_path / "run.checkpoint"
    stopped_after(2, new_model(), inputs, path, identity=IDENTITY)
    return path


def resume(checkpoint, inputs, model=None, **changed):
    model = model or new_model()
    return train(model, inputs, epochs=EPOCHS, checkpoint=checkpoint, identity=IDENTITY | changed, resume=True)


# The history and what training changes


def test_history_holds_every_loss_of_every_epoch_and_the_total_is_their_weighted_sum(inputs):
    model = new_model()
    history = train(model, inputs, epochs=3)
    assert set(history) == {"distribution", "neighborhood", "consistency", "total"}
    assert {len(values) for values in history.values()} == {3}
    parts = [np.array(history[name]) for name in ("distribution", "neighborhood", "consistency")]
    weighted = parts[0] + model.weight_neighborhood * parts[1] + model.weight_consistency * parts[2]
    np.testing.assert_allclose(history["total"], weighted, rtol=1e-6)


def test_training_lowers_the_loss(inputs):
    history = train(new_model(), inputs, epochs=40, learning_rate=1e-3)
    assert np.mean(history["total"][-5:]) < np.mean(history["total"][:5])


def test_on_epoch_gets_each_epoch_from_one_with_its_losses(inputs):
    seen = []
    history = train(new_model(), inputs, epochs=3, on_epoch=lambda epoch, losses: seen.append((epoch, losses["total"])))
    assert seen == list(zip([1, 2, 3], history["total"], strict=True))


def test_no_epoch_leaves_the_first_weights(inputs):
    model = new_model()
    assert train(model, inputs, epochs=0)["total"] == []
    for ours, first in zip(model.parameters(), new_model().parameters(), strict=True):
        assert torch.equal(ours, first)


def test_embedding_is_the_same_twice_because_dropout_is_off(inputs):
    model = new_model()
    for first, second in zip(embed(model, inputs), embed(model, inputs), strict=True):
        assert torch.equal(first, second)


@pytest.mark.parametrize("learning_rate", [0, -1e-3, float("nan")])
def test_learning_rate_that_is_not_positive_is_an_error(inputs, learning_rate):
    with pytest.raises(SettingsError, match=f"learning_rate is {learning_rate}; choose a positive number"):
        train(new_model(), inputs, epochs=1, learning_rate=learning_rate)


# Interrupt and resume


@pytest.mark.parametrize("epoch", [1, 3, EPOCHS])
def test_resumed_run_ends_bit_for_bit_where_the_uninterrupted_one_does(tmp_path, inputs, epoch):
    whole = new_model()
    history = train(whole, inputs, epochs=EPOCHS)

    path = tmp_path / "run.checkpoint"
    stop = stopped_after(epoch, new_model(), inputs, path)
    assert (stop.epoch, stop.checkpoint) == (epoch, path)
    torch.manual_seed(99)  # another process would not be in the same random state either
    resumed = new_model(seed=99)
    assert train(resumed, inputs, epochs=EPOCHS, checkpoint=path, resume=True) == history
    for name, weights in whole.state_dict().items():
        assert torch.equal(weights, resumed.state_dict()[name]), name


def test_run_can_be_interrupted_and_resumed_twice(tmp_path, inputs):
    path = tmp_path / "run.checkpoint"
    stopped_after(2, new_model(), inputs, path)
    stopped_after(4, new_model(), inputs, path, resume=True)
    history = train(new_model(), inputs, epochs=EPOCHS, checkpoint=path, resume=True)
    assert history == train(new_model(), inputs, epochs=EPOCHS)


def test_interrupt_without_a_checkpoint_says_that_there_is_none(inputs):
    assert stopped_after(2, new_model(), inputs, None).checkpoint is None


def test_second_interrupt_stops_at_once_and_keeps_the_older_checkpoint(tmp_path, inputs):
    path = tmp_path / "run.checkpoint"
    stopped_after(2, new_model(), inputs, path)
    before = path.read_bytes()
    seen = []

    def press_twice(epoch, _):
        seen.append(epoch)
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt) as stop:
        train(new_model(), inputs, epochs=EPOCHS, checkpoint=path, on_epoch=press_twice, resume=True)
    assert not isinstance(stop.value, Interrupted)
    assert seen == [3]
    assert path.read_bytes() == before


def test_ctrl_c_is_handled_as_before_once_training_has_ended(tmp_path, inputs):
    before = signal.getsignal(signal.SIGINT)
    train(new_model(), inputs, epochs=1)
    assert signal.getsignal(signal.SIGINT) is before
    stopped_after(1, new_model(), inputs, tmp_path / "run.checkpoint")
    assert signal.getsignal(signal.SIGINT) is before


def test_training_works_in_a_thread_where_signals_cannot_be_caught(inputs):
    histories = []
    worker = threading.Thread(target=lambda: histories.append(train(new_model(), inputs, epochs=2)))
    worker.start()
    worker.join()
    assert len(histories[0]["total"]) == 2


# Checkpoints that cannot be continued


def test_missing_checkpoint_is_named(tmp_path, inputs):
    with pytest.raises(
        CheckpointError, match=r"no checkpoint .*nowhere.* to resume from; start again without --resume"
    ):
        resume(tmp_path / "nowhere", inputs)
    with pytest.raises(CheckpointError, match="no checkpoint None"):
        resume(None, inputs)


@pytest.mark.parametrize(
    ("what", "theirs", "ours"), [("data", "ab12", "cd34"), ("n_hidden", "8", "16"), ("seed", "0", "1")]
)
def test_checkpoint_of_other_data_settings_or_seed_is_refused_and_the_difference_named(
    checkpoint, inputs, what, theirs, ours
):
    with pytest.raises(CheckpointError, match=rf"made with other {what} \({theirs} instead of {ours}\); use the same"):
        resume(checkpoint, inputs, **{what: ours})


def test_checkpoint_of_another_version_is_refused(checkpoint, inputs, monkeypatch):
    monkeypatch.setattr(training, "__version__", "999.0")
    with pytest.raises(CheckpointError, match=rf"is from scrcl_edu {__version__}, this is 999.0; delete it and start"):
        resume(checkpoint, inputs)


def rewrite(change):
    def damage(path):
        state = torch.load(path, weights_only=True)
        torch.save(change(state), path)

    return damage


def with_identity(state, identity):
    return state | {"identity": identity}


DAMAGE = {
    "empty": lambda path: path.write_bytes(b""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "one block overwritten": lambda path: path.write_bytes(b"\0" * 512 + path.read_bytes()[512:]),
    "text": lambda path: path.write_text("not a checkpoint"),
    "JSON": lambda path: path.write_text(json.dumps({"version": __version__})),
    "a list": rewrite(lambda state: [state]),
    "without a version": rewrite(lambda state: {k: v for k, v in state.items() if k != "version"}),
    "without weights": rewrite(lambda state: {k: v for k, v in state.items() if k != "model"}),
    "without the random state": rewrite(lambda state: {k: v for k, v in state.items() if k != "random_state"}),
    "weights of another shape": rewrite(lambda state: state | {"model": new_model(n_hidden=9).state_dict()}),
    "an identity that is no table": rewrite(lambda state: with_identity(state, "[1]")),
    "an identity that is no JSON": rewrite(lambda state: with_identity(state, "{")),
    "a history that is a list": rewrite(lambda state: state | {"history": [1.0]}),
    "an optimizer of nothing": rewrite(lambda state: state | {"optimizer": {}}),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_damaged_or_foreign_checkpoint_is_refused(checkpoint, inputs, damage):
    damage(checkpoint)
    with pytest.raises(CheckpointError, match=r"run\.checkpoint is damaged.*; delete it and start without --resume"):
        resume(checkpoint, inputs)


class Attack:
    """What a pickle would run when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


@pytest.mark.parametrize("in_torch_format", [True, False])
def test_code_in_a_checkpoint_is_not_run(tmp_path, checkpoint, inputs, in_torch_format):
    attacked = tmp_path / "attacked"
    if in_torch_format:
        torch.save(torch.load(checkpoint, weights_only=True) | {"history": Attack(attacked)}, checkpoint)
    else:
        checkpoint.write_bytes(pickle.dumps(Attack(attacked), protocol=2))
    with pytest.raises(CheckpointError, match="is damaged or not a checkpoint"):
        resume(checkpoint, inputs)
    assert not attacked.exists()
    torch.load(checkpoint, weights_only=False) if in_torch_format else pickle.loads(checkpoint.read_bytes())
    assert attacked.exists()  # the attack is real: whoever trusts the file runs it


def fill_disk(monkeypatch):
    """From now on a file can be opened but takes no more than 100 bytes."""

    def write_bytes(path, content):
        with path.open("wb") as file:
            file.write(bytes(content)[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", write_bytes)


def test_checkpoint_on_a_full_disk_is_an_error_that_keeps_the_older_one(checkpoint, inputs, monkeypatch):
    before = checkpoint.read_bytes()
    fill_disk(monkeypatch)
    with pytest.raises(OutputError, match="was not written: the disk is full; free some space"):
        train(
            new_model(),
            inputs,
            epochs=EPOCHS,
            checkpoint=checkpoint,
            identity=IDENTITY,
            on_epoch=lambda *_: signal.raise_signal(signal.SIGINT),
        )
    assert checkpoint.read_bytes() == before
    assert list(checkpoint.parent.iterdir()) == [checkpoint]


# What stops training


def test_loss_that_is_not_finite_stops_and_names_the_epoch_and_the_loss(inputs):
    model = new_model()

    def break_weights(epoch, _):
        if epoch == 2:
            with torch.no_grad():
                model.projector.weight[0, 0] = float("inf")

    with pytest.raises(TrainingError, match=r"the consistency loss is nan in epoch 3; choose a smaller learning rate"):
        train(model, inputs, epochs=EPOCHS, on_epoch=break_weights)


def test_huge_learning_rate_stops_with_a_named_loss(inputs):
    named = r"the (distribution|neighborhood|consistency) loss is (nan|inf) in epoch [2-9]\b"
    with pytest.raises(TrainingError, match=named):
        train(new_model(), inputs, epochs=9, learning_rate=1e38)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        RuntimeError("MPS backend out of memory (MPS allocated: 5.44 GB)"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 40000000000 bytes"),
        MemoryError(),
    ],
    ids=["CUDA", "Apple", "CPU", "numpy"],
)
def test_out_of_memory_says_what_to_lower(inputs, monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(training, "step", fail)
    with pytest.raises(TrainingError, match="out of memory with 40 cells x 30 genes; lower n_hidden, then n_top_genes"):
        train(new_model(), inputs, epochs=1)


def test_another_error_of_torch_is_shown_as_it_is(inputs, monkeypatch):
    def fail(*_):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(training, "step", fail)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        train(new_model(), inputs, epochs=1)
