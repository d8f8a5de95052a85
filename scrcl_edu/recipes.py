"""Named settings: `paper/<dataset>` as published, `robust` the default, which needs no label and no tuning.

The numbers stand in recipes.yaml; here is what they mean.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from numbers import Integral, Real
from typing import Any, Literal, get_args, get_origin, get_type_hints

from scrcl_edu.errors import SettingsError


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Every setting of a fit.

    Parameters
    ----------
    name, task
        "scrna" builds the cell graph on expression, "spatial" on coordinates and votes afterwards.
    n_top_genes, hvg_flavor, features
        Number of highly variable genes, how they are chosen, and the form in which the encoders read them.
    n_neighbors, n_gene_neighbors
        Of the cell graph (the cell itself counted for scrna, others only for spatial) and of the gene graph.
    gene_graph_features
        The form of the genes' profiles in which their neighbors are searched.
    graph_components
        Principal components in which neighbors are searched; None is the paper's rule, 50 from 10,000 cells on.
    filter_steps
        Low-pass steps of view 1 and view 2.
    temperature, weight_distribution, weight_neighborhood, weight_consistency
        Of the losses (t, 1, lambda1, lambda2).
    n_hidden, out_dim, dropout
        Of the model; out_dim 0 is the number of clusters.
    epochs, learning_rate, weight_decay
        Of Adam.
    embedding, clustering, n_starts
        What is clustered (z = [z1, z2], e = [e1, e2], ez = e and z side by side, e1 or e2), how, and with how many
        starts. "pca" and "consensus" go together, and nothing is trained: of all other settings only those of the
        genes count.
    vote_neighbors
        Spots that vote after clustering (spatial); 0 is no vote.
    """

    name: str
    task: Literal["scrna", "spatial"] = "scrna"
    n_top_genes: int = 2000
    hvg_flavor: Literal["seurat", "seurat_v3"] = "seurat"
    features: Literal["counts", "log", "scaled", "scaled_uncentered"] = "counts"
    n_neighbors: int = 15
    n_gene_neighbors: int = 5
    gene_graph_features: Literal["counts", "log", "scaled", "scaled_uncentered"] = "counts"
    graph_components: int | None = None
    filter_steps: tuple[int, int] = (0, 0)
    temperature: float = 0.1
    weight_distribution: float = 1.0
    weight_neighborhood: float = 100.0
    weight_consistency: float = 1.0
    n_hidden: int = 1500
    out_dim: int = 0
    dropout: float = 0.3
    epochs: int = 500
    learning_rate: float = 1e-4
    weight_decay: float = 0.1
    embedding: Literal["z", "e", "ez", "e1", "e2", "pca"] = "z"
    clustering: Literal["kmeans", "kmeans_as_published", "consensus"] = "kmeans"
    n_starts: int = 20
    vote_neighbors: int = 0

    def __post_init__(self) -> None:
        for setting, kind in get_type_hints(Recipe).items():
            value = getattr(self, setting)
            if get_origin(kind) is Literal and value not in (choices := get_args(kind)):
                raise SettingsError(f"{setting} is {value!r}; choose {', '.join(choices[:-1])} or {choices[-1]}")
            if kind in (int, float) and not isinstance(value, Integral if kind is int else Real):
                raise SettingsError(f"{setting} is {value!r}; give a {'whole ' if kind is int else ''}number")
        for setting, lowest in (
            ("epochs", 0),
            ("n_top_genes", 2),
            ("n_neighbors", 1),
            ("n_hidden", 1),
            ("n_starts", 1),
        ):
            if getattr(self, setting) < lowest:
                raise SettingsError(f"{setting} is {getattr(self, setting)}; choose {setting} >= {lowest}")
        if (self.embedding == "pca") != (self.clustering == "consensus"):
            raise SettingsError(
                f"embedding {self.embedding!r} does not go with clustering {self.clustering!r}: 'pca' and 'consensus' "
                "go together; for the consensus of plain baselines choose the recipe 'consensus'"
            )
        if len(self.filter_steps) != 2 or min(self.filter_steps) < 0:
            raise SettingsError(f"filter_steps is {self.filter_steps}; give two numbers >= 0, such as (5, 0)")

    def with_(self, **settings: Any) -> Recipe:
        """The same recipe with some settings changed.

        Examples
        --------
        >>> from scrcl_edu.recipes import recipe
        >>> mine = recipe("robust").with_(epochs=60, n_neighbors=10)
        >>> mine.title
        'robust with epochs=60, n_neighbors=10'
        """
        if unknown := sorted(settings.keys() - _fields()):
            raise SettingsError(f"there is no setting {unknown[0]!r}; choose from {', '.join(sorted(_fields()))}")
        return dataclasses.replace(self, **settings)

    @property
    def changed(self) -> dict[str, Any]:
        """The settings that differ from those of the recipe of this name; empty for a recipe of one's own."""
        if self.name not in _table():
            return {}
        original = recipe(self.name)
        return {s: v for s in sorted(_fields()) if (v := getattr(self, s)) != getattr(original, s)}

    @property
    def title(self) -> str:
        """The name, and what was changed: what ran, in words."""
        changes = ", ".join(f"{setting}={value}" for setting, value in self.changed.items())
        return f"{self.name} with {changes}" if changes else self.name

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Recipe:
        """The recipe that :meth:`as_dict` gave, also after it was stored in an .h5ad file."""
        plain = {name: value.item() if getattr(value, "ndim", None) == 0 else value for name, value in values.items()}
        first, second = (int(steps) for steps in values["filter_steps"])
        return cls(**plain | {"filter_steps": (first, second)})

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON and AnnData's `uns`; a setting that is None is left out."""
        values = dataclasses.asdict(self) | {"filter_steps": list(self.filter_steps)}
        return {name: value for name, value in values.items() if value is not None}


def recipe(name: str | Recipe) -> Recipe:
    """Look up a recipe by name.

    Parameters
    ----------
    name
        "robust", "robust/spatial", "consensus", "paper/<dataset>", or a recipe, which is returned as it is.

    Raises
    ------
    SettingsError
        When there is no such recipe; the message lists those that are there.
    """
    if isinstance(name, Recipe):
        return name
    table = _table()
    if name not in table:
        raise SettingsError(f"there is no recipe {name!r}; choose one of {', '.join(sorted(table))}")
    settings = dict(table[name])
    return Recipe(name=name, **settings | {"filter_steps": tuple(settings.get("filter_steps", (0, 0)))})


def choose(name: str | Recipe = "robust", *, spatial: bool = False, **changes: Any) -> Recipe:
    """The recipe that a user means: by name, for tissue or not, with some settings changed.

    Parameters
    ----------
    name
        As :func:`recipe` takes it.
    spatial
        The cells are spots with coordinates: "robust" then means "robust/spatial".
    changes
        Settings by name; those that are None stay as they are.

    Raises
    ------
    SettingsError
        When a name or value is not allowed, or the recipe is not for tissue although `spatial` is set.
    """
    found = recipe("robust/spatial" if spatial and name == "robust" else name)
    if spatial and found.task != "spatial":
        raise SettingsError(
            f"--spatial does not go with recipe {found.name!r}, which is not for tissue (spatial=True); "
            "leave one of them out"
        )
    return found.with_(**{setting: value for setting, value in changes.items() if value is not None})


def recipe_names() -> list[str]:
    """All names that :func:`recipe` understands."""
    return sorted(_table())


def published(dataset: str) -> dict[str, float]:
    """What the paper reports for a dataset: `accuracy_percent`, `n_cells`, `n_classes` (some rows have fewer)."""
    return dict(_file()["published"].get(dataset, {}))


@cache
def _fields() -> frozenset[str]:
    return frozenset(field.name for field in dataclasses.fields(Recipe))


@cache
def _file() -> dict[str, Any]:
    import yaml

    return yaml.safe_load((files("scrcl_edu") / "recipes.yaml").read_text(encoding="utf-8"))


@cache
def _table() -> dict[str, dict[str, Any]]:
    content = _file()
    paper = {f"paper/{name}": content["paper"][row.pop("task")] | row for name, row in _rows(content)}
    return paper | content["recipes"]


def _rows(content: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(name, dict(row)) for name, row in content["paper"]["rows"].items()]
