"""Where the course runs: what this machine has, what is missing, and the command that mends it.

Only the standard library and `packaging` are imported at the top: on Colab this runs before anything imports numpy.
"""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from scrcl_edu import threads
from scrcl_edu.course.links import release

LESSON_GB = 1.5
DATA_GB = 2.0
GPU_ON_COLAB = "Runtime > Change runtime type > T4 GPU"
TO_REACH = ("https://raw.githubusercontent.com", "https://ndownloader.figshare.com", "https://zenodo.org")


@dataclass(frozen=True)
class Package:
    """A required package: its name, the installed version (None when absent), the range it has to be in."""

    requirement: Requirement
    installed: str | None

    @property
    def fits(self) -> bool:
        """Whether it is installed in a version of the range."""
        return self.installed is not None and self.requirement.specifier.contains(self.installed, prereleases=True)


@dataclass(frozen=True)
class Finding:
    """One line of the doctor: what was looked at, whether it is well, what there is, and the command that mends it."""

    topic: str
    well: bool
    text: str
    mend: str = ""


def packages(extra: str = "") -> list[Package]:
    """The packages that scrcl_edu requires, as they are installed here.

    Parameters
    ----------
    extra
        Name of an extra such as `"course"`: then only what the extra adds. Without, the base requirements.
    """
    found = []
    for line in metadata.requires("scrcl_edu") or []:
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None:
            wanted = not extra
        else:
            wanted = marker.evaluate({"extra": extra}) and (not extra or not marker.evaluate({"extra": ""}))
        if wanted:
            found.append(Package(requirement, _version(requirement.name)))
    return found


def place() -> str:
    """`"Colab"`, `"Binder"`, `"JupyterHub"`, or `"this computer"`."""
    if "google.colab" in sys.modules or "COLAB_RELEASE_TAG" in os.environ:
        return "Colab"
    if "BINDER_SERVICE_HOST" in os.environ or "BINDER_REPO_URL" in os.environ:
        return "Binder"
    return "JupyterHub" if "JUPYTERHUB_USER" in os.environ else "this computer"


def memory_gb() -> float:
    """Memory that this process may use, in GB: the machine's, or less where a container or a hub sets a limit."""
    import psutil

    limits = [psutil.virtual_memory().total]
    if os.environ.get("MEM_LIMIT", "").isdigit():
        limits.append(int(os.environ["MEM_LIMIT"]))
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            limits.append(int(Path(name).read_text()))
        except (OSError, ValueError):
            continue
    return min(limits) / 1e9


def device_name() -> str:
    """What torch computes on: `"CUDA (NVIDIA ...)"`, `"Apple GPU (MPS)"` or `"CPU"`."""
    import torch

    if torch.cuda.is_available():
        return f"CUDA ({torch.cuda.get_device_name()})"
    return "Apple GPU (MPS)" if torch.backends.mps.is_available() else "CPU"


def findings(*, network: bool = False) -> list[Finding]:
    """Everything that decides whether the course runs here.

    Parameters
    ----------
    network
        Also try whether the sources of the datasets answer. Otherwise nothing is opened.
    """
    found = [
        _python(),
        _packages("Packages", packages()),
        _packages("Course tools", packages("course"), extra="course"),
        _packages("Readers for R and loom files", packages("data"), extra="data", needed=False),
        _if_it_can_be_told("Torch", _device),
        _if_it_can_be_told("Products", _products),
        _if_it_can_be_told("Memory", _memory),
        Finding("Cores", True, threads.in_words()),
        _if_it_can_be_told("Data", _disk),
    ]
    return [*found, _network()] if network else found


def doctor(*, network: bool = False) -> str:
    """What `scrcl-edu doctor` prints: a line for each finding, below it the command that mends it.

    Parameters
    ----------
    network
        Also try whether the sources of the datasets answer.
    """
    found = findings(network=network)
    lines = [f"scrcl_edu {metadata.version('scrcl_edu')} on {place()}"]
    for finding in found:
        lines.append(f"{'ok  ' if finding.well else 'MEND'}  {finding.topic}: {finding.text}")
        if finding.mend:
            lines.append(f"      {finding.mend}")
    if not network:
        lines.append("      Network: not tried; `scrcl-edu doctor --network` tries it. The lessons need none.")
    wrong = [finding.topic for finding in found if not finding.well]
    lines.append(f"To mend: {', '.join(wrong)}." if wrong else "All is well: `make course` or any lesson will run.")
    return "\n".join(lines)


def platform_check(profile: str = "fast") -> None:
    """Print where the lesson runs and whether all that it needs is there; every lesson's set-up cell calls this.

    The lines that begin with `Platform:` differ between machines and are not compared when lessons are checked.

    Parameters
    ----------
    profile
        `"fast"` or `"full"`, the lesson's profile.
    """
    device = device_name()
    python = ".".join(map(str, sys.version_info[:3]))
    print(f"Platform: {place()}, Python {python}, {device}, {threads.n_cores()} cores, {memory_gb():.0f} GB of memory")
    if device == "CPU" and place() == "Colab":
        print(f"Platform: no GPU is switched on; {GPU_ON_COLAB} does it, and profile fast runs without")
    elif device == "CPU" and profile == "full":
        print("Platform: profile full takes hours without a GPU; profile fast shows the same in minutes")
    missing = [package for package in packages() if not package.fits]
    if missing:
        print(f"Missing or in another version: {', '.join(p.requirement.name for p in missing)}. Run: {_pip(missing)}")
    else:
        print("Ready: everything that this lesson needs is here.")


def colab_cell() -> str:
    """How the set-up cell of every lesson begins: it installs what Colab lacks and does nothing elsewhere."""
    return f'''\
# @title Set-up: on Colab this installs the course first
import subprocess, sys

if "google.colab" in sys.modules:
    course = "{release()}"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, course], check=True)
    from scrcl_edu.course.platform import prepare_colab

    prepare_colab()'''


def prepare_colab() -> None:
    """Install what is missing on Colab without touching what is there, then say whether a restart is needed."""
    missing = [package for package in packages() if not package.fits]
    if missing:
        _install([str(package.requirement) for package in missing])
        importlib.invalidate_caches()
    print(restart_advice())
    if shutil.which("nvidia-smi") is None:
        print(f"No GPU is switched on: {GPU_ON_COLAB} does it. The lesson goes on with profile fast.")


def restart_advice() -> str:
    """One sentence: whether a module in memory is of another version than the one now installed."""
    stale = []
    for name in ("numpy", "pandas", "scipy", "matplotlib", "torch"):
        loaded, installed = getattr(sys.modules.get(name), "__version__", None), _version(name)
        # torch's wheels say 2.13.0 in their metadata and 2.13.0+cu130 in memory
        if loaded and installed and loaded.split("+")[0] != installed.split("+")[0]:
            stale.append(f"{name} {loaded} is in memory and {installed} is installed")
    if stale:
        return f"Restart needed: {'; '.join(stale)}; choose Runtime > Restart session, then run from the top."
    return "No restart is needed."


def _install(requirements: list[str]) -> None:
    """Let pip add `requirements` while every installed package keeps its version; move some only when it must."""
    kept = {dist.metadata["Name"]: dist.version for dist in metadata.distributions() if dist.metadata["Name"]}
    wanted = {Requirement(line).name for line in requirements}
    pip = [sys.executable, "-m", "pip", "install", "--quiet", *requirements]
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder) / "installed.txt"
        lines = [f"{name}=={version}" for name, version in kept.items() if name not in wanted]
        constraints.write_text("\n".join(lines), encoding="utf-8")
        kept_all = subprocess.run([*pip, "--constraint", str(constraints)], capture_output=True, check=False)
    if kept_all.returncode:
        subprocess.run(pip, check=True)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _pip(wrong: list[Package]) -> str:
    return "pip install " + " ".join(
        f'"{package.requirement.name}{package.requirement.specifier}"' for package in wrong
    )


def _if_it_can_be_told(topic: str, find: Callable[[], Finding]) -> Finding:
    try:
        return find()
    except ImportError as error:
        return Finding(topic, False, f"cannot be told: {error}", "Mend the packages first")


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    well = (3, 11) <= sys.version_info[:2] <= (3, 13)
    mend = "" if well else "Install Python 3.12, then: PYTHON=python3.12 make course"
    return Finding("Python", well, f"{version} (3.11 to 3.13 are supported)", mend)


def _packages(topic: str, found: list[Package], *, extra: str = "", needed: bool = True) -> Finding:
    wrong = [package for package in found if not package.fits]
    if not wrong:
        return Finding(topic, True, f"all {len(found)} are here, in versions that fit")
    parts = []
    for package in wrong:
        name, wanted = package.requirement.name, package.requirement.specifier
        state = f"is {package.installed}" if package.installed else "is missing"
        parts.append(f"{name} {state} (needs {wanted})")
    text = "; ".join(parts) if needed else f"{'; '.join(parts)}; only some datasets need them"
    return Finding(topic, not needed, text, f'pip install "scrcl_edu[{extra}]"' if extra else _pip(wrong))


def _device() -> Finding:
    name = device_name()
    mend = ""
    if name == "CPU" and shutil.which("nvidia-smi"):
        mend = "An NVIDIA GPU is here, but this torch cannot use it: pip install --force-reinstall torch"
    elif name == "CPU" and place() == "Colab":
        mend = f"A GPU can be switched on: {GPU_ON_COLAB}"
    text = f"{_version('torch')} computes on {name}"
    return Finding("Torch", True, text + ("; profile fast needs no GPU" if name == "CPU" else ""), mend)


def _products() -> Finding:
    from scrcl_edu import products

    return Finding("Products", True, products.in_words())


def _memory() -> Finding:
    import psutil

    total, free = memory_gb(), psutil.virtual_memory().available / 1e9
    free = min(total, free)
    well = free >= LESSON_GB
    mend = "" if well else "Shut down other kernels and close other programs, then try again"
    return Finding("Memory", well, f"{free:.1f} of {total:.1f} GB free; a lesson needs up to {LESSON_GB} GB", mend)


def _disk() -> Finding:
    from scrcl_edu.datasets.download import cache_folder

    folder = Path(cache_folder())
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(there).free / 1e9
    files = [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []
    kept = f"{len(files)} files, {sum(path.stat().st_size for path in files) / 1e6:.0f} MB" if files else "nothing yet"
    well = free >= DATA_GB
    mend = "" if well else "Free some space, or set SCRCL_EDU_DATA to a folder on a larger disk"
    return Finding(
        "Data", well, f"kept in {folder} ({kept}); {free:.0f} GB free, downloads need up to {DATA_GB:.0f}", mend
    )


def _network() -> Finding:
    import urllib.error
    import urllib.request

    silent = []
    for address in TO_REACH:
        try:
            urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=5).close()
        except urllib.error.HTTPError:
            continue
        except OSError:
            silent.append(address.removeprefix("https://"))
    if not silent:
        return Finding("Network", True, "the sources of the datasets answer")
    mend = "The lessons go on with the data that ship; downloads say where to put a file by hand"
    return Finding("Network", True, f"no answer from {', '.join(silent)}", mend)
