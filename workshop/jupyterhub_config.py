"""The course on one server: `jupyterhub -f workshop/jupyterhub_config.py`. Every setting is an environment variable.

WORKSHOP_PASSWORD    what learners type (each with a name of their own); without it system users log in by PAM
WORKSHOP_INSTRUCTORS names of instructors, with commas between
WORKSHOP_ADMIN_PASSWORD  what instructors type
WORKSHOP_SPAWNER     local (system users), simple (no users, for a try at home), systemd, or docker  [local]
WORKSHOP_MEMORY      memory of one learner  [1500M]
WORKSHOP_CPU         processors of one learner  [1.0]
WORKSHOP_IDLE        seconds after which an idle server is ended  [3600]
WORKSHOP_BOARD       1: switch the board on, at /services/board
WORKSHOP_BOARD_PORT  its port on this machine  [8766]
WORKSHOP_ADDRESS     where to listen  [http://0.0.0.0:8000]
WORKSHOP_STATE       where the hub keeps its database and cookie secret  [the current folder]
WORKSHOP_IMAGE       the image that `docker` starts  [scrcl-edu]
WORKSHOP_HUB_ADDRESS where its containers reach the hub: this machine in Docker's network  [172.17.0.1]
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
COURSE = HERE.parent
GROUP = "scrcl-learners"
SPAWNERS = {
    "local": "jupyterhub.spawner.LocalProcessSpawner",
    "simple": "jupyterhub.spawner.SimpleLocalProcessSpawner",
    "systemd": "systemdspawner.SystemdSpawner",
    "docker": "dockerspawner.DockerSpawner",
}


def setting(name: str, default: str = "") -> str:
    return os.environ.get(f"WORKSHOP_{name}", default)


def has_account(name: str) -> bool:
    """Whether a learner's system account is there; made at the first login.

    A shared password opens no account that the hub has not made itself: not root's, and no colleague's.
    """
    import grp
    import pwd

    try:
        grp.getgrnam(GROUP)
    except KeyError:
        subprocess.run(["groupadd", GROUP], check=True)
    try:
        return pwd.getpwnam(name).pw_gid == grp.getgrnam(GROUP).gr_gid
    except KeyError:
        made = subprocess.run(["useradd", "--create-home", "--gid", GROUP, "--shell", "/bin/bash", name], check=False)
        return made.returncode == 0


c = get_config()  # noqa: F821, jupyterhub's
state = Path(setting("STATE", ".")).resolve()
instructors = {name.strip() for name in setting("INSTRUCTORS").split(",") if name.strip()}

c.JupyterHub.bind_url = setting("ADDRESS", "http://0.0.0.0:8000")
c.JupyterHub.db_url = f"sqlite:///{state / 'jupyterhub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(state / "jupyterhub_cookie_secret")
c.ConfigurableHTTPProxy.pid_file = str(state / "proxy.pid")
# A hub that is started again finds its learners' servers still running: nobody loses a kernel.
c.JupyterHub.cleanup_servers = False
c.ConfigurableHTTPProxy.should_start = True
c.JupyterHub.cleanup_proxy = True

# Who may come in
c.Authenticator.allow_all = True
c.Authenticator.username_pattern = r"^[a-z][a-z0-9_-]{0,30}$"
c.Authenticator.admin_users = instructors
c.JupyterHub.load_groups = {"instructors": {"users": sorted(instructors)}}
if setting("PASSWORD"):
    c.JupyterHub.authenticator_class = "shared-password"
    c.SharedPasswordAuthenticator.user_password = setting("PASSWORD")
    if setting("ADMIN_PASSWORD"):
        c.SharedPasswordAuthenticator.admin_password = setting("ADMIN_PASSWORD")

# What each learner gets
kind = setting("SPAWNER", "local")
if kind in ("local", "systemd") and setting("PASSWORD"):  # who logs in by PAM has an account
    c.Authenticator.post_auth_hook = lambda authenticator, handler, model: model if has_account(model["name"]) else None
c.JupyterHub.spawner_class = SPAWNERS[kind]
c.Spawner.mem_limit = setting("MEMORY", "1500M")
c.Spawner.cpu_limit = float(setting("CPU", "1.0"))
c.Spawner.start_timeout = c.Spawner.http_timeout = 120
c.Spawner.default_url = "/lab/tree/00_start_here.ipynb"
threads = str(max(1, int(c.Spawner.cpu_limit)))
c.Spawner.environment = {
    # One learner's threads do not crowd out the others', whatever the machine shows.
    "OMP_NUM_THREADS": threads,
    "NUMBA_NUM_THREADS": threads,
    "OMP_WAIT_POLICY": "PASSIVE",
}
if kind == "docker":
    c.DockerSpawner.image = setting("IMAGE", "scrcl-edu")
    c.DockerSpawner.remove = True
    c.DockerSpawner.volumes = {"scrcl-edu-{username}": "/home/learner/course"}
    c.JupyterHub.hub_ip = "0.0.0.0"
    c.JupyterHub.hub_connect_ip = setting("HUB_ADDRESS", "172.17.0.1")
else:
    c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]  # one read-only environment: the hub's own
    c.Spawner.notebook_dir = "~/course" if kind != "simple" else ""

    def limited(spawner: object) -> None:
        """Local processes have no limit of their own: the shell that starts a server sets one on its address space."""
        memory = int(spawner.mem_limit)
        # Address space is about three times what is used: libraries are mapped, not read.
        spawner.cmd = ["/bin/sh", "-c", f'ulimit -v {3 * memory // 1024}; exec "$0" "$@"', *c.Spawner.cmd]

    def hand_out(spawner: object) -> None:
        """Put the notebooks into the learner's home, as the learner; see handout.py for what is kept."""
        name = spawner.user.name
        command = [sys.executable, str(HERE / "handout.py"), str(COURSE / "notebooks" / "student")]
        if kind == "simple":
            target = Path(spawner.home_dir_template.format(username=name)) / "course"
            spawner.notebook_dir = str(target)
            subprocess.run([*command, str(target)], check=False)
        else:
            import pwd

            user = pwd.getpwnam(name)
            if setting("PASSWORD"):  # an account that the hub has made: nobody else looks into it
                os.chmod(user.pw_dir, 0o700)
            subprocess.run(
                [*command, f"{user.pw_dir}/course"], user=user.pw_uid, group=user.pw_gid, extra_groups=[], check=False
            )

    def before_start(spawner: object) -> None:
        if kind in ("local", "simple"):
            limited(spawner)
        hand_out(spawner)

    c.Spawner.pre_spawn_hook = before_start

# Services
idle = setting("IDLE", "3600")
c.JupyterHub.services = [
    {
        "name": "idle",
        "command": [sys.executable, "-m", "jupyterhub_idle_culler", f"--timeout={idle}", "--cull-every=60"],
    }
]
c.JupyterHub.load_roles = [
    {
        "name": "idle",
        "services": ["idle"],
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
    }
]
if setting("BOARD") == "1":
    code, port = secrets.token_urlsafe(6), int(setting("BOARD_PORT", "8766"))
    c.JupyterHub.services.append(
        {
            "name": "board",
            "url": f"http://127.0.0.1:{port}",
            "command": [sys.executable, "-c", "from scrcl_edu.classroom.board import hub_service; hub_service()"],
            "environment": {"SCRCL_EDU_BOARD_CODE": code},
            "oauth_no_confirm": True,
        }
    )
    c.JupyterHub.load_roles.append(
        {"name": "instructors", "groups": ["instructors"], "scopes": ["self", "access:services!service=board"]}
    )
    c.Spawner.environment["SCRCL_EDU_BOARD"] = f"http://127.0.0.1:{port}/services/board#{code}"
