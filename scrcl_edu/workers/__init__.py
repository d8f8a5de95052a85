"""Several processes, on one machine or many, that train as one: each holds some of the cells. Lesson 13 shows how.

The losses need of other workers' cells only sums over all cells, a log-sum-exp, d x d products and the rows of
neighbors across the cut; :mod:`~scrcl_edu.workers.team` moves these, :mod:`~scrcl_edu.workers.splitting` says who holds
what.
"""
