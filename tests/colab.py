"""Imitate Colab: its Python and its versions, the package installed as a lesson's first cell does, ipywidgets 7.

Not a test that pytest collects, because it downloads for minutes: `make colab-test`. It fails when installing changes
one of Colab's versions, when the widgets' tests fail under ipywidgets 7, or when a lesson does not run.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLACE = ROOT / "out" / "colab"
# Colab's backend of August 2026 (Python 3.13.15), as far as lessons meet it; torch is requirements-torch.txt's.
COLAB = {
    "numpy": "2.1.3",
    "scipy": "1.16.3",
    "scikit-learn": "1.6.1",
    "pandas": "2.2.3",
    "matplotlib": "3.10.0",
    "ipywidgets": "7.7.1",
    "anywidget": "0.9.21",
    "ipython": "7.34.0",
}
LESSON = "02_graphs"
TORCH_CPU = "https://download.pytorch.org/whl/cpu"
FIRST_CELL = "from scrcl_edu.course.platform import prepare_colab; prepare_colab()"
WIDGETS_ALIVE = """
import nbformat, sys
from nbclient import NotebookClient

lesson = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(lesson, timeout=600, kernel_name="python3", resources={"metadata": {"path": sys.argv[2]}}).execute()
outputs = [output for cell in lesson.cells for output in cell.get("outputs", [])]
views = [output for output in outputs if "application/vnd.jupyter.widget-view+json" in output.get("data", {})]
assert len(views) >= 4, f"{len(views)} widgets are shown"
print(f"{sys.argv[1]}: {len(lesson.cells)} cells ran, {len(views)} widgets are shown")
"""


def python() -> str:
    """Colab's Python 3.13 where there is one, else the one that runs this."""
    this = sys.executable if sys.version_info[:2] == (3, 13) else None
    for name in (os.environ.get("COLAB_PYTHON"), this, shutil.which("python3.13")):
        if name and subprocess.run([name, "-c", "import venv"], capture_output=True, check=False).returncode == 0:
            return name
    print("There is no Python 3.13 here (COLAB_PYTHON=/path/to/python3.13 names one); going on with this one.")
    return sys.executable


def torch_index() -> list[str]:
    """Where torch's small CPU build is, for machines without a GPU: pip alone would ask there for every package."""
    if not shutil.which("nvidia-smi"):
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{TORCH_CPU}/torch/", timeout=3):
            return ["--extra-index-url", TORCH_CPU]
    return []


def run(*command: str | Path, **more: object) -> None:
    done = subprocess.run([str(part) for part in command], cwd=ROOT, check=False, **more)
    if done.returncode:
        sys.exit(f"failed: {' '.join(str(part) for part in command)[:200]}")


def versions(of: Path) -> dict[str, str]:
    listed = subprocess.run(
        [of, "-m", "pip", "list", "--format=json"], check=True, capture_output=True, text=True
    ).stdout
    return {package["name"].lower(): package["version"] for package in json.loads(listed)}


def main() -> None:
    colab = PLACE / "bin" / "python"
    pip = [colab, "-m", "pip", "install", "--quiet", "--quiet", "--disable-pip-version-check"]
    run(python(), "-m", "venv", "--clear", PLACE)
    pinned = [f"{name}=={version}" for name, version in COLAB.items()]
    torch = (ROOT / "requirements-torch.txt").read_text(encoding="utf-8").strip()
    run(*pip, *pinned, torch, *torch_index())
    run(
        *pip,
        *pinned,
        "setuptools",
        "ipykernel<7",
        "nbclient",
        "nbformat",
        "requests",
        "pyyaml",
        "tqdm",
    )
    before = versions(colab)

    run(*pip, "--no-deps", ROOT)
    run(colab, "-c", FIRST_CELL)
    after = versions(colab)
    moved = {name: (version, after.get(name)) for name, version in before.items() if after.get(name) != version}
    if moved:
        sys.exit(f"installing changed {moved}")
    print(f"Python and {len(before)} packages kept their versions; {len(after) - len(before)} were added:")
    print(", ".join(f"{name} {after[name]}" for name in [*COLAB, "torch"]))

    run(*pip, "--no-deps", "pytest", "pluggy", "iniconfig", "hypothesis", "attrs", "sortedcontainers")
    environment = os.environ | {"SCRCL_EDU_PROGRESS": str(PLACE / "progress.json"), "MPLBACKEND": "Agg"}
    run(colab, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_course_widgets.py", env=environment)
    lesson, folder = ROOT / "notebooks" / f"{LESSON}.ipynb", ROOT / "notebooks"
    run(
        colab,
        "-c",
        WIDGETS_ALIVE,
        lesson.relative_to(ROOT),
        folder,
        env=os.environ | {"SCRCL_EDU_PROGRESS": environment["SCRCL_EDU_PROGRESS"]},
    )


if __name__ == "__main__":
    main()
