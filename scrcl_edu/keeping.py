"""The trained model of a fit as a file, and back beside the cells that it was trained on."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from scrcl_edu import __version__
from scrcl_edu.devices import choose_device
from scrcl_edu.errors import CheckpointError
from scrcl_edu.files import atomic_path
from scrcl_edu.inputs import build, identity_of, of_fit, read_features
from scrcl_edu.model import Inputs, ScRCL
from scrcl_edu.parts import Parts
from scrcl_edu.saving import check_fit

if TYPE_CHECKING:
    from anndata import AnnData


def save_model(path: str | Path, model: ScRCL, identity: dict[str, str], *, overwrite: bool = False) -> None:
    """Write the weights of a model, and what the data and settings are that they belong to.

    Raises
    ------
    OutputError
        When it cannot be written, or is there without `overwrite`.
    """
    content = io.BytesIO()
    torch.save({"version": __version__, "fitted": json.dumps(identity), "model": model.state_dict()}, content)
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(content.getbuffer())


def load_model(
    path: str | Path, adata: AnnData, *, key: str = "scrcl", device: str = "cpu", parts: Parts | None = None
) -> tuple[ScRCL, Inputs]:
    """The model that `fit(model_file=...)` or `scrcl-edu fit --model` kept, with the inputs that it reads.

    Parameters
    ----------
    path
        The file. No code in it is ever run.
    adata
        After that fit, as it is or read from its file: a model belongs to its cells and their graphs.
    key
        Name of the fit.
    device
        As in :func:`scrcl_edu.fit`.
    parts
        Those of the fit, if it was given any.

    Returns
    -------
    The model in evaluation mode and its inputs: ``training.embed(model, inputs)`` gives again the encodings, refined
    cells and programs that the fit stored.

    Raises
    ------
    CheckpointError
        When the file is missing, damaged, or belongs to another fit.
    DataError
        When there is no fit under `key`.

    Examples
    --------
    >>> import scrcl_edu
    >>> from scrcl_edu.training import embed
    >>> adata = scrcl_edu.datasets.simulate(200, 100, 3, genes_per_program=15, seed=0)
    >>> adata = scrcl_edu.fit(adata, n_clusters=3, epochs=5, model_file="model.pt")  # doctest: +SKIP
    >>> model, inputs = scrcl_edu.load_model("model.pt", adata)  # doctest: +SKIP
    >>> bool((embed(model, inputs).e1.numpy() == adata.obsm["X_scrcl_e1"]).all())  # doctest: +SKIP
    True
    """
    check_fit(adata, key)
    weights, fitted = _read(Path(path))
    light, settings = of_fit(adata, key)
    facts, features = adata.uns[key], read_features(light, settings, parts)
    told = {"n_clusters": int(facts["n_clusters"]), "seed": int(facts["seed"])}
    here = identity_of(light, settings, features, key=key, **told)
    here |= {f"part {name}": function for name, function in (parts.named if parts else {}).items()}
    for what in sorted(fitted.keys() | here.keys()):
        if fitted.get(what) != here.get(what):
            raise CheckpointError(
                f"{path} belongs to a fit of other {what} ({fitted.get(what)} instead of {here.get(what)}); "
                "give the result of the fit that kept it"
            )
    model, inputs = build(light, settings, features, device=choose_device(device), key=key, parts=parts, **told)
    try:
        model.load_state_dict(weights)
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged; fit again with --model (model_file=)") from error
    return model.eval(), inputs


def _read(path: Path) -> tuple[Any, dict[str, str]]:
    if not path.is_file():
        raise CheckpointError(f"{path} is not there as a file; give what fit --model (model_file=) kept")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        return state["model"], dict(json.loads(state["fitted"]))
    except Exception as error:  # whatever a damaged archive makes torch raise
        raise CheckpointError(
            f"{path} is damaged or not a model; give what fit --model (model_file=) kept, or fit again"
        ) from error
