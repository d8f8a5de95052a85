"""Lesson 10, beyond its functions: two predictions, two sections on one slide, a thin layer, and an explanation."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.metrics import adjusted_rand_score

from scrcl_edu import clustering, graphs
from scrcl_edu.course.guesses import Number, Order
from scrcl_edu.course.task import Explanation, Mend, Mutant, Prediction, Property, Transfer


def sections_graph(coordinates: np.ndarray, section: np.ndarray, n_neighbors: int) -> sp.csr_matrix:
    """Connect each spot to its nearest other spots of the same section, in both directions."""
    graph = sp.lil_matrix((len(section), len(section)))
    for name in np.unique(section):
        mine = np.flatnonzero(section == name)
        graph[np.ix_(mine, mine)] = graphs.spatial_graph(coordinates[mine], n_neighbors=n_neighbors).toarray()
    return graph.tocsr()


def sections_graph_given(coordinates: np.ndarray, section: np.ndarray, n_neighbors: int) -> sp.csr_matrix:
    """The nearest spots in space; edges between sections are taken out."""
    graph = graphs.spatial_graph(coordinates, n_neighbors=n_neighbors).tocoo()
    inside = section[graph.row] == section[graph.col]
    kept = (graph.data[inside], (graph.row[inside], graph.col[inside]))
    return sp.csr_matrix(kept, shape=graph.shape)


def _moved_apart(coordinates: np.ndarray, section: np.ndarray, n_neighbors: int) -> sp.csr_matrix:
    number = np.unique(section, return_inverse=True)[1]
    apart = 10 * (np.ptp(coordinates, axis=0).max() + 1)
    return graphs.spatial_graph(coordinates + apart * number[:, None] * [1, 0], n_neighbors=n_neighbors)


def _one_direction(coordinates: np.ndarray, section: np.ndarray, n_neighbors: int) -> sp.csr_matrix:
    return sp.triu(_moved_apart(coordinates, section, n_neighbors)).tocsr()


def _two_sections(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "coordinates": rng.random((10, 2)).round(2) * 10,
        "section": np.array(["a", "b"])[rng.permutation(np.repeat([0, 1], 5))],
        "n_neighbors": 2,
    }


# One section is ten thousand times as wide as a step from spot to spot, and lies on top of the other.
_WIDE = {
    "coordinates": np.array([[0.0, 0], [9000, 0], [21000, 0], [1, 0], [8000, 1], [20000, 0]]),
    "section": np.array(["a", "a", "a", "b", "b", "b"]),
    "n_neighbors": 1,
}


def _of_few_near(coordinates: np.ndarray, section: np.ndarray, n_neighbors: int) -> sp.csr_matrix:
    graph = sp.lil_matrix((len(section), len(section)))
    distance = np.linalg.norm(coordinates[:, None] - coordinates, axis=2) + np.diag(np.full(len(section), np.inf))
    for spot, row in enumerate(np.argsort(distance, axis=1)[:, : 3 * n_neighbors]):
        graph[spot, row[section[row] == section[spot]][:n_neighbors]] = 1
    return graph.maximum(graph.T).tocsr()


def thin_layer(rng: np.random.Generator) -> dict[str, Any]:
    """900 spots in four layers, one of them a tenth as thick as the others; one cluster of four is wrong."""
    places = np.stack(np.meshgrid(np.arange(30.0), np.arange(30.0)), axis=-1).reshape(-1, 2)
    places += rng.uniform(-0.2, 0.2, places.shape)
    layers = np.digitize(places[:, 1], [9.5, 12.5, 21.5])
    wrong = rng.random(900) < 0.25
    clusters = np.where(wrong, rng.integers(0, 4, 900), layers)
    return {"coordinates": places, "clusters": clusters, "layers": layers}


def _small_vote(coordinates: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    for _ in range(2):
        clusters = clustering.majority_vote(clusters, coordinates, n_neighbors=8)
    return clusters


def _kept(answer: Any, data: dict[str, Any]) -> float:
    thin = data["layers"] == 1
    return float(np.mean(np.asarray(answer)[thin] == 1))


TASKS = (
    Prediction(
        name="wide_vote",
        lesson="10",
        difficulty=1,
        minutes=1,
        text="The true layers themselves are put to a vote: every one of the 700 spots takes the layer that most of "
        "its 400 nearest others have. How many of the six layers are left?",
        shape=Number(
            near=0.5,
            low=1,
            high=6,
            form=".0f",
            unit="layers",
            right="A thin layer never has a majority among so many, not even in its own middle.",
            too_low="The thick layers hold out: in their middle they have the majority even among so many.",
            too_high="This guess trusts that what is right stays right. A vote does not know what is right; whoever is "
            "fewer than the others nearby loses, everywhere.",
        ),
    ),
    Prediction(
        name="what_space_needs",
        lesson="10",
        difficulty=2,
        minutes=2,
        text="Three ways to encode the spots, each clustered by k-means: a wide random layer on the genes alone; the "
        "same layer on genes smoothed twice over the tissue; and the whole method, trained. Order them by ARI.",
        shape=Order(
            items=("random, no graph", "random, smoothed", "trained"),
            by="from the smallest ARI to the largest; where two are within two points, either order is right",
            right="Smoothing does nearly all of it.",
            means={
                ("random, smoothed", "random, no graph"): "This guess expects that smoothing blurs the borders more "
                "than it removes noise. With few molecules a spot the noise is the larger evil.",
                ("trained", "random, smoothed"): "This guess expects training to do harm. On this tissue the two are "
                "nearly level.",
            },
        ),
    ),
    Mend(
        name="sections_graph",
        lesson="10",
        difficulty=2,
        minutes=10,
        text="Two sections lie in one file, each with coordinates of its own. This function takes edges between the "
        "sections out, and no edge crosses. Still something is wrong with it. Find it, and mend it.",
        reference=sections_graph,
        faulty=sections_graph_given,
        symptom="Move one section by a meter, and spots of the other get other neighbors; before that, some have none.",
        inputs=_two_sections,
        edge_cases=(
            {
                "coordinates": np.array([[0.0, 0], [1, 0], [3, 0], [0.1, 0], [1.1, 0], [3.2, 0]]),
                "section": np.array(["a", "a", "a", "b", "b", "b"]),
                "n_neighbors": 1,
            },
            _WIDE,
        ),
        alternative=_moved_apart,
        mutants=(
            Mutant(
                "moved by a fixed step",
                lambda coordinates, section, n_neighbors: graphs.spatial_graph(
                    coordinates + 100 * np.unique(section, return_inverse=True)[1][:, None], n_neighbors=n_neighbors
                ),
                "You moved the sections apart by a fixed distance. A section may be wider than that: measure first.",
            ),
            Mutant(
                "of a few candidates",
                _of_few_near,
                "You look for spots of the section among some of the nearest only. There may be too few of them there: "
                "settle who may be chosen before anyone chooses.",
            ),
            Mutant(
                "sections joined",
                lambda coordinates, section, n_neighbors: graphs.spatial_graph(coordinates, n_neighbors=n_neighbors),
                "Now spots of different sections are joined, because their coordinates happen to be close.",
            ),
            Mutant(
                "asks for more",
                lambda coordinates, section, n_neighbors: sections_graph_given(coordinates, section, 2 * n_neighbors),
                "Choosing more and taking out what crosses leaves each spot with another number of neighbors. Which "
                "spots may be chosen at all?",
            ),
            Mutant(
                "one direction",
                _one_direction,
                "Each section has its own neighbors now. But an edge is kept in one direction only.",
            ),
        ),
        hints=(
            "Spots of the other section take places among the nearest, and are thrown out afterwards.",
            "Who may be chosen has to be settled before anyone chooses: section by section.",
        ),
        tested="edges of two sections with five spots each, and of two that lie on one another",
        not_tested="sections with fewer spots than neighbors, speed",
    ),
    Transfer(
        name="save_the_thin_layer",
        lesson="10",
        difficulty=3,
        minutes=12,
        text="900 spots of a section that this course has not shown, with clusters of which about one in five is "
        "wrong. There are four layers, and one of them is only three spots thick. Clean the clusters up, and keep the "
        "thin layer; you do not get to see the layers.",
        answer="a function of coordinates and clusters that gives new clusters, shape (900,), under the same numbers",
        function=True,
        data=thin_layer,
        hidden=("layers",),
        properties=(
            Property(
                "one cluster for each spot, out of those that were there",
                lambda answer, data: np.shape(answer) == (900,) and set(np.unique(answer)) <= {0, 1, 2, 3},
                "Hand back one cluster for each spot, shape (900,), with the numbers that came in.",
                wrong=lambda coordinates, clusters: clusters[:100],
            ),
            Property(
                "cleaner than before by at least 0.15 ARI",
                lambda answer, data: (
                    adjusted_rand_score(data["layers"], answer)
                    >= adjusted_rand_score(data["layers"], data["clusters"]) + 0.15
                ),
                "The map is not much cleaner than before. Neighbors in space know better.",
                wrong=lambda coordinates, clusters: clusters,
            ),
            Property(
                "two thirds of the thin layer are left",
                lambda answer, data: _kept(answer, data) >= 2 / 3,
                "The thin layer has lost too many of its spots. How many of a spot's voters lie inside a layer that is "
                "three spots thick?",
                wrong=lambda coordinates, clusters: clustering.majority_vote(clusters, coordinates, n_neighbors=60),
            ),
        ),
        solution=_small_vote,
        rubric=(
            "relates the number of voters to the thickness of a layer, not to the number of spots",
            "says how one would notice the loss of a thin layer without knowing the layers",
        ),
        hints=(
            "A layer three spots thick has about a third of the nearest 25 spots, and most of the nearest 8.",
            "A small vote can be repeated.",
        ),
    ),
    Explanation(
        name="smooth_is_not_right",
        lesson="10",
        difficulty=2,
        minutes=4,
        text="A new method shows a map of a tissue with beautiful, smooth domains, more contiguous than those of every "
        "rival. What does that show, what does it not show, and which comparison would you ask for?",
        model="It shows that the method uses the places, because what is averaged over neighbors in space becomes "
        "contiguous whether or not it is right: a vote of a few hundred neighbors gives smooth maps of anything. It "
        "does not show that borders lie where the tissue has them, nor that thin domains survived. I would ask for "
        "rivals that see the same places, such as smoothed values with k-means, and for a score against an annotation "
        "that nobody tuned on, or, without one, for genes that change at the borders.",
        rubric=(
            "says that contiguity follows from averaging in space",
            "asks for rivals with the same information",
            "names a test of being right: an annotation, or genes at the borders",
        ),
    ),
)
