"""Wrong answers as they are typed into a lesson, by the task that they are meant for."""

_TYPED = """
# share_of_zeros
def share_of_zeros(counts):
    return float((counts == 0).sum())

# homophily
def homophily(graph, labels):
    rows, columns = graph.nonzero()
    return float((labels[rows] == labels[columns]).sum())

# unit_rows
def unit_rows(x):
    return x / x.norm()

# report_over_seeds
def report_over_seeds(scores):
    return float(scores.mean()), float(scores.std())

# scale_and_clip
def scale_and_clip(log_values):
    return np.clip(log_values, None, 10)

# keep_good
def keep_good(counts, min_genes, min_cells):
    genes = (counts > 0).sum(axis=0) >= min_cells
    counts = counts[:, genes]
    return counts[(counts > 0).sum(axis=1) >= min_genes]

# neighbor_mean
def neighbor_mean(graph, values):
    smooth = values.copy()
    for cell in range(len(values)):
        smooth[cell] = values[graph[cell].indices].mean(axis=0)
    return smooth

# two_hops
def two_hops(x, graph):
    incoming = graph.T + torch.eye(len(graph), dtype=graph.dtype)
    degree = incoming.sum(dim=1)
    operator = incoming / torch.outer(degree, degree).sqrt()
    return operator.T @ (operator.T @ x)

# kept_epoch
def kept_epoch(losses, clusters, labels):
    return int(np.argmax(losses))

# held_out_difference
def held_out_difference(values, inside, held_out, n_genes):
    seen = values[~held_out]
    is_in = inside[~held_out]
    difference = seen[is_in].mean(axis=0) - seen[~is_in].mean(axis=0)
    best = np.argsort(difference)[-n_genes:]
    return (seen[is_in].mean(axis=0) - seen[~is_in].mean(axis=0))[best].mean()

# graph_of_loud_cells
def graph_of_loud_cells(counts):
    return graphs.cell_graph(counts, n_neighbors=11)

# save_the_thin_layer
def save_the_thin_layer(coordinates, clusters):
    return clustering.majority_vote(clusters, coordinates, n_neighbors=50)

# far_from_all
def far_from_all(points):
    return ((points[:, None] - points[None]) ** 2).sum(axis=(1, 2))

# fitting_temperature
def fitting_temperature(e):
    return 0.1

# resumable_descent
def resumable_descent(x, y, n_steps, state):
    weights = 0 * x[0] if state is None else state
    for _ in range(n_steps):
        weights = weights - 0.02 * 2 * x.T @ (x @ weights - y) / len(y)
    return weights
"""

_PARTS = (part.partition("\n") for part in _TYPED.split("\n# ")[1:])
TYPED = tuple((name, source.strip()) for name, _, source in _PARTS)
