"""Message passing: the six nodes of lesson 03, and what an additional edge does to them."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from scrcl_edu.encoders import gcn_operator
from scrcl_edu.explorables.questions import question

QUICK = True
EDGES = [(0, 1), (1, 2), (0, 3), (3, 4), (4, 3), (5, 3)]
PLACES = [(0, 1), (0.5, 1), (1, 1), (0.5, 0), (1, 0), (0, 0)]
MORE = (1, 3)


def make() -> dict[str, Any]:
    """Edges, places, what the nodes say, and the package's operator on them."""
    heard = [operator(edges)[3, 0] for edges in (EDGES, [*EDGES, MORE])]
    truth = ("it becomes smaller", "it stays the same", "it becomes larger")[1 + int(np.sign(heard[1] - heard[0]))]
    return {
        "edges": EDGES,
        "places": PLACES,
        "values": [1, 0, 0, 0, 0, 0],
        "operator": operator(EDGES).round(6).tolist(),
        "more": MORE,
        "question": question("one_more_edge", truth),
    }


def operator(edges: list[tuple[int, int]]) -> np.ndarray:
    """What a graph convolution multiplies with, shape (6, 6)."""
    source, target = zip(*edges, strict=True)
    graph = sp.csr_matrix((np.ones(len(edges)), (source, target)), shape=(6, 6))
    return gcn_operator(graph).toarray()
