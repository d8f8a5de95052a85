"""For The Littlest JupyterHub: bring a learner's notebooks up to date at each start, as the learner. See README.md."""

from __future__ import annotations

COURSE = "/srv/scrcl-edu"
ENVIRONMENT = "/opt/tljh/user/bin"
START = (
    f"{ENVIRONMENT}/python {COURSE}/workshop/handout.py {COURSE}/notebooks/student ~/course; "
    f'exec {ENVIRONMENT}/jupyterhub-singleuser "$@"'
)

c.Spawner.cmd = ["/bin/sh", "-c", START, "singleuser"]  # noqa: F821, jupyterhub's
c.Spawner.default_url = "/lab/tree/course/00_start_here.ipynb"  # noqa: F821
c.Spawner.environment = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}  # noqa: F821
