"""Several processes, on one machine or many, that train as one: each holds some of the cells. Lesson 13 shows how.

The losses need of other workers' cells only sums over all cells, a log-sum-exp, d x d products and the rows of
neighbors across the cut; :mod:`~scrcl_edu.workers.team` moves these, :mod:`~scrcl_edu.workers.splitting` says who holds
what.

Divided are features, encodings, the rows of the cell graph, the losses, the optimizer's memory of the cells' own
weights, and the encodings after training. Reading, choosing genes, searching neighbors, the number of clusters and
k-means are done once, on worker 0, which is how they give exactly what one process gives; worker 0 holds the features
of all cells for that.
"""
