"""Rehearse a class on a real JupyterHub: `make hub-test`. Needs root, since every learner gets a system account.

Simulated learners log in, open their servers, run lesson 02 through their kernels, get an exercise wrong and then
right. Meanwhile memory, starting times and answers are measured; then it is tried what must not be possible, and what
must not be lost.
"""

from __future__ import annotations

import argparse
import contextlib
import getpass
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import requests

from scrcl_edu.classroom.tally import FEWEST

ROOT = Path(__file__).resolve().parents[1]
LESSON = "02_graphs.ipynb"
PASSWORD = "a-long-password-of-the-class"
INSTRUCTOR, INSTRUCTORS_PASSWORD = "rehearsal-teacher", "another-long-password-that-only-teachers-have"
NO_SUCH_ACCOUNT = 6  # what userdel says
RESULTS = ROOT / "workshop" / "rehearsal.json"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def hub(state: Path, url: str, log: Path) -> Iterator[subprocess.Popen]:
    """A JupyterHub of ours; its servers go on when it ends, as they do when it is started again."""
    bin_folders = [str(Path(sys.executable).parent), str(ROOT / "out" / "hub" / "node_modules" / ".bin")]
    environment = os.environ | {
        "PATH": os.pathsep.join([*bin_folders, os.environ["PATH"]]),
        "WORKSHOP_PASSWORD": PASSWORD,
        "WORKSHOP_INSTRUCTORS": INSTRUCTOR,
        "WORKSHOP_ADMIN_PASSWORD": INSTRUCTORS_PASSWORD,
        "WORKSHOP_ADDRESS": url,
        "WORKSHOP_STATE": str(state),
        "WORKSHOP_BOARD": "1",
        "WORKSHOP_BOARD_PORT": str(free_port()),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "jupyterhub", "-f", str(ROOT / "workshop" / "jupyterhub_config.py")]
    command += [
        f"--JupyterHub.hub_port={free_port()}",
        f"--ConfigurableHTTPProxy.api_url=http://127.0.0.1:{free_port()}",
    ]
    with log.open("ab") as out:
        process = subprocess.Popen(command, cwd=state, env=environment, stdout=out, stderr=subprocess.STDOUT)
        try:
            wait_for(lambda: requests.get(f"{url}/hub/health", timeout=5).ok, 120, f"the hub does not start; see {log}")
            yield process
        finally:
            process.terminate()
            process.wait(60)


def wait_for(holds: Any, seconds: float, problem: str) -> Any:
    """Ask again and again, errors of the network included, until it holds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(requests.RequestException):
            if found := holds():
                return found
        time.sleep(0.2)
    raise SystemExit(problem)


class Learner:
    """A simulated learner with a browser's cookies."""

    def __init__(self, url: str, name: str) -> None:
        self.url, self.name, self.web = url, name, requests.Session()
        self.seconds: list[float] = []

    def log_in(self, password: str = PASSWORD) -> bool:
        """Type name and password; whether the hub lets one in."""
        page = self.web.get(f"{self.url}/hub/login", timeout=60)
        token = re.search(r'name="_xsrf" value="([^"]+)"', page.text).group(1)
        form = {"username": self.name, "password": password, "_xsrf": token}
        done = self.web.post(f"{self.url}/hub/login", data=form, timeout=60)
        return done.ok and "/hub/login" not in done.url

    def start_server(self) -> float:
        """Seconds until JupyterLab answers."""
        began = time.monotonic()
        self.web.get(f"{self.url}/hub/spawn", timeout=120)
        wait_for(self.at_home, 240, f"{self.name}'s server does not start")
        return time.monotonic() - began

    def at_home(self) -> bool:
        page = self.web.get(f"{self.url}/user/{self.name}/lab", timeout=60)
        return page.ok and page.url.split("?")[0].endswith("/lab") and "JupyterLab" in page.text

    def api(self, method: str, path: str, owner: str | None = None, **more: Any) -> requests.Response:
        token = next((c.value for c in self.web.cookies if c.name == "_xsrf" and c.path.startswith("/user/")), "")
        url = f"{self.url}/user/{owner or self.name}/api/{path}"
        return self.web.request(method, url, headers={"X-XSRFToken": token}, timeout=60, allow_redirects=False, **more)

    def open_kernel(self) -> None:
        self.kernel = self.api("POST", "kernels", json={"name": "python3"}).json()["id"]
        self.socket = self.connect(self.kernel, self.name)

    def connect(self, kernel: str, owner: str) -> Any:
        import websocket

        cookies = "; ".join(f"{c.name}={c.value}" for c in self.web.cookies if f"/user/{owner}/".startswith(c.path))
        address = f"{self.url.replace('http', 'ws', 1)}/user/{owner}/api/kernels/{kernel}/channels"
        return websocket.create_connection(address, cookie=cookies, timeout=300, origin=self.url)

    def run(self, code: str) -> str:
        """Run a cell and give its text; how long the answer took is kept."""
        began, mark = time.monotonic(), uuid.uuid4().hex
        header = {"msg_id": mark, "msg_type": "execute_request", "username": "", "session": mark, "version": "5.3"}
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
        self.socket.send(json.dumps(message | {"buffers": []}))
        said: list[str] = []
        while True:
            answer = json.loads(self.socket.recv())
            if answer["parent_header"].get("msg_id") != mark:
                continue
            kind, content = answer["msg_type"], answer["content"]
            if kind == "stream":
                said.append(content["text"])
            elif kind in ("display_data", "execute_result"):
                said.append(content["data"].get("text/plain", ""))
            elif kind == "error":
                said.append(f"{content['ename']}: {content['evalue']}")
            elif kind == "status" and content["execution_state"] == "idle":
                self.seconds.append(time.monotonic() - began)
                return "\n".join(said)

    def memory_mb(self) -> float:
        """What this learner's processes take, shared libraries divided among those who share them."""
        total = 0
        for process in psutil.process_iter(["username"]):
            with contextlib.suppress(psutil.Error):
                if process.info["username"] == self.name:
                    total += process.memory_full_info().pss
        return total / 1e6


def cells(path: Path) -> list[str]:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def do_the_lesson(learner: Learner) -> dict[str, float]:
    """The student edition from top to bottom; the first exercise is got wrong, then right."""
    student = cells(Path(f"~{learner.name}").expanduser() / "course" / LESSON)
    solved = next(code for code in cells(ROOT / "notebooks" / LESSON) if code.startswith("def cell_graph("))
    wrong = re.sub(r"### BEGIN SOLUTION.*", "return expression", solved, flags=re.DOTALL)
    wrong = wrong.replace("expression", re.search(r"def cell_graph\((\w+)", solved).group(1))
    peak = 0.0
    for code in student:
        said = learner.run(code)
        assert "Traceback" not in said, said
        if re.search(r'\bcheck\("cell_graph"', code):
            learner.run(wrong)
            assert "not yet" in learner.run('from scrcl_edu.course import check; check("cell_graph", cell_graph)')
            learner.run(solved)
            assert "passed" in learner.run('check("cell_graph", cell_graph)')
        peak = max(peak, learner.memory_mb())
    return {"peak_mb": peak}


def check(what: str, holds: bool) -> None:
    print(f"  {'yes' if holds else 'NO '}  {what}", flush=True)
    if not holds:
        raise SystemExit(f"not so: {what}")


def try_what_must_not_be(ann: Learner, bob: Learner) -> None:
    """Ann tries to reach what is Bob's."""
    home = Path(f"~{bob.name}").expanduser()
    said = ann.run(f"import os; os.listdir({str(home)!r})")
    check("a learner cannot list another's files", "PermissionError" in said)
    said = ann.run(f"open({str(home / 'course' / LESSON)!r}).read(1)")
    check("a learner cannot read another's notebook", "PermissionError" in said)
    check(
        "a learner cannot reach another's server", ann.api("GET", "contents", owner=bob.name).status_code in (403, 404)
    )
    refused = False
    try:
        ann.connect(bob.kernel, bob.name).close()
    except Exception:  # websocket-client has an exception for every way to be refused
        refused = True
    check("a learner cannot reach another's kernel", refused)
    ports = {
        c.laddr.port for c in psutil.net_connections("tcp") if c.status == "LISTEN" and c.pid in processes_of(bob.name)
    }
    answers = [ann.run(f"import requests; print(requests.get('http://127.0.0.1:{port}/user/{bob.name}/api/contents', "
                       "timeout=5, allow_redirects=False).status_code)") for port in sorted(ports)]  # fmt: skip
    check("another's ports answer nobody without a token", all("200" not in answer for answer in answers))
    said = ann.run(f"import os; os.kill({sorted(processes_of(bob.name))[0]}, 0)")
    check("a learner cannot end another's processes", "PermissionError" in said)


def processes_of(name: str) -> set[int]:
    return {p.pid for p in psutil.process_iter(["username"]) if p.info["username"] == name}


def try_what_must_not_be_lost(ann: Learner, bob: Learner) -> None:
    path = f"contents/{LESSON}"
    notebook = ann.api("GET", path).json()["content"]
    notebook["cells"][0]["source"] = "# Mine"
    saved = ann.api("PUT", path, json={"type": "notebook", "format": "json", "content": notebook})
    check("work is saved", saved.ok)
    pid = int(ann.run("import os; print(os.getpid())"))
    os.kill(pid, signal.SIGKILL)
    wait_for(
        lambda: ann.api("GET", f"kernels/{ann.kernel}").json().get("execution_state") != "dead", 60, "no new kernel"
    )
    ann.open_kernel()
    check("after a killed kernel a new one answers", "2" in ann.run("print(1 + 1)"))
    check("and what was saved is there", ann.api("GET", path).json()["content"]["cells"][0]["source"] == "# Mine")
    full_home(bob)


def full_home(bob: Learner) -> None:
    """A disk of 3 MB in place of a folder of Bob's: saving fails there, and the file that was there stays whole."""
    folder = Path(f"~{bob.name}").expanduser() / "course" / "full"
    folder.mkdir(exist_ok=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], capture_output=True).returncode:
        print("  --   a full home: not tried, this machine mounts nothing")
        return
    try:
        shutil.chown(folder, bob.name)
        bob.run(f"open({str(folder / 'kept.txt')!r}, 'w').write('mine')")
        bob.run(f"open({str(folder / 'rest')!r}, 'wb').write(bytes(10**7))")
        body = {"type": "file", "format": "text", "content": "y" * 4_000_000}
        refused = not bob.api("PUT", "contents/full/kept.txt", json=body).ok
        check("on a full disk saving says that it failed", refused)
        check("and what was saved before is whole", (folder / "kept.txt").read_text() == "mine")
    finally:
        subprocess.run(["umount", str(folder)], check=False)


def rehearse(n_learners: int, log: Path) -> dict[str, Any]:
    url = f"http://127.0.0.1:{free_port()}"
    names = [f"rehearsal{number:02d}" for number in range(n_learners)]
    learners = [Learner(url, name) for name in names]
    with tempfile.TemporaryDirectory() as place:
        state = Path(place)
        try:
            with hub(state, url, log):
                figures = at_once(learners)
                print("What must not be possible:", flush=True)
                try_what_must_not_be(*learners[:2])
                check("a name that the hub has not made is refused", refused_names(url))
                print("The board:", flush=True)
                try_the_board(url, learners)
                print("What must not be lost:", flush=True)
                try_what_must_not_be_lost(*learners[:2])
                learners[1].run("kept = 42")
            with hub(state, url, log):
                wait_for(lambda: learners[1].api("GET", "status").ok, 60, "no server after the hub was started again")
                learners[1].socket = learners[1].connect(learners[1].kernel, learners[1].name)
                check("a hub that is started again loses no kernel", "42" in learners[1].run("print(kept)"))
        finally:
            tidy([*names, INSTRUCTOR])
    return figures


def try_the_board(url: str, learners: list[Learner]) -> None:
    """Everybody joins and makes the same mistake; the instructor sees how many, and nobody else sees anything."""
    counts, name = f"{url}/services/board/counts", "homophily"
    for learner in learners:
        said = learner.run("from scrcl_edu.classroom import join, sent; join(); print(sent())")
        assert "Not sent" in said, said
        learner.run(f"from scrcl_edu.course import check; check('{name}', lambda graph, labels: 3)")
    check("a learner does not see the board", learners[0].web.get(counts, timeout=60).status_code == 403)
    check("a stranger is asked to log in", "/hub/login" in requests.get(counts, timeout=60).url)
    forged = requests.post(f"{url}/services/board/events", json={"learner": "0" * 32}, timeout=60)
    check("without the code of the class nothing is counted", forged.status_code == 403)
    teacher = Learner(url, INSTRUCTOR)
    check("the class's password does not let in an instructor", not teacher.log_in())
    check("an instructor's does", teacher.log_in(INSTRUCTORS_PASSWORD))
    told = wait_for(lambda: everybody(teacher.web.get(counts, timeout=60), len(learners)), 30, "the board counts wrong")
    task = next(task for task in told["tasks"] if task["task"] == name)
    check("the instructor sees how many are stuck", task["statuses"] == {"tried": len(learners)})
    check("and in what, with a sentence to say", bool(task["mistakes"][0]["say"]))
    page = teacher.web.get(f"{url}/services/board/", timeout=60)
    check("the page is there", page.ok and "Where the class is" in page.text)


def everybody(answer: requests.Response, n_learners: int) -> dict[str, Any] | None:
    """What the board tells, once all take part."""
    told = answer.json() if answer.ok else {}
    return told if told.get("learners") == n_learners else None


def refused_names(url: str) -> bool:
    return not any(Learner(url, name).log_in() for name in ("root", "daemon", getpass.getuser()))


def at_once(learners: list[Learner]) -> dict[str, Any]:
    """Everybody comes, and does the lesson, at the same time."""
    gate = threading.Barrier(len(learners))

    def one(learner: Learner) -> dict[str, float]:
        gate.wait()
        assert learner.log_in(), f"{learner.name} cannot log in"
        start = learner.start_server()
        rest = learner.memory_mb()
        learner.open_kernel()
        learner.run("1")
        gate.wait()
        return {"start_s": start, "rest_mb": rest, **do_the_lesson(learner)}

    before, load = psutil.virtual_memory().available, os.getloadavg()[0]
    with ThreadPoolExecutor(len(learners)) as pool:
        rows = list(pool.map(one, learners))
    seconds = sorted(s for learner in learners for s in learner.seconds)
    figures = {
        "learners": len(learners),
        "cores": os.cpu_count(),
        "rest_mb": round(statistics.mean(row["rest_mb"] for row in rows)),
        "work_mb": round(statistics.mean(row["peak_mb"] for row in rows)),
        "most_mb": round(max(row["peak_mb"] for row in rows)),
        "hub_mb": round(sum(p.memory_full_info().pss for p in hub_processes(learners)) / 1e6),
        "start_s": round(statistics.quantiles([row["start_s"] for row in rows], n=20)[-1], 1),
        "answer_p50_s": round(statistics.median(seconds), 2),
        "answer_p95_s": round(seconds[int(0.95 * len(seconds))], 2),
        "available_mb_before": round(before / 1e6),
        "load_before": round(load, 1),
    }
    print(json.dumps(figures, indent=1), flush=True)
    return figures


def hub_processes(learners: list[Learner]) -> list[psutil.Process]:
    names = {learner.name for learner in learners}
    return [p for p in psutil.Process().children(recursive=True) if p.username() not in names]


def tidy(names: list[str]) -> None:
    """Take away the accounts and processes that this rehearsal made, and say which could not be taken."""
    left = [name for name in names if not taken_away(name)]
    if left:
        print(f"These accounts are still there: {', '.join(left)}; userdel --remove NAME takes them away.", flush=True)


def taken_away(name: str) -> bool:
    """End what a learner runs, then delete the account; processes that are about to end hold it up for a moment."""
    for _ in range(50):
        for pid in processes_of(name):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        done = subprocess.run(["userdel", "--remove", name], capture_output=True, check=False).returncode
        if done in (0, NO_SUCH_ACCOUNT):
            return True
        time.sleep(0.2)
    return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--learners", type=int, default=8)
    parser.add_argument("--keep", action="store_true", help="write the figures into workshop/rehearsal.json")
    options = parser.parse_args()
    if options.learners < FEWEST:
        parser.error(
            f"--learners is {options.learners}; choose {FEWEST} or more, since the board shows no smaller class"
        )
    if os.name != "posix" or os.geteuid():
        sys.exit("This needs root: every learner gets a system account, which is taken away afterwards.")
    everyones = subprocess.run([sys.executable, "-c", ""], user="nobody", capture_output=True, check=False)
    if everyones.returncode:
        sys.exit(
            f"Learners may not run {sys.executable}; make .venv with a Python that everyone may run, such as "
            "PYTHON=/usr/bin/python3.11 make hub-test"
        )
    log = ROOT / "out" / "hub" / "hub.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    figures = rehearse(options.learners, log)
    if options.keep:
        RESULTS.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
