"""A fresh clone installs, everywhere the same versions, and every link leads to one repository."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import scrcl_edu
from scrcl_edu.course import links
from scrcl_edu.errors import SettingsError

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
BASE = PROJECT["project"]["dependencies"]
EXTRAS = PROJECT["project"]["optional-dependencies"]
LOCK = [Requirement(line) for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").split("\n") if line]
TORCH = Requirement((ROOT / "requirements-torch.txt").read_text(encoding="utf-8").strip())


def names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for line in requirements}


def locked(python: str) -> dict[str, str]:
    """Version by name of what the lock installs on Linux with this Python."""
    where = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": "linux",
        "os_name": "posix",
    }
    here = [line for line in LOCK if line.marker is None or line.marker.evaluate(where)]
    versions = {canonicalize_name(line.name): str(line.specifier).removeprefix("==") for line in here}
    assert len(versions) == len(here), "a package is locked twice"
    return versions


def copy_of_the_files(folder: Path, *patterns: str) -> Path:
    for pattern in patterns:
        for path in ROOT.glob(pattern):
            (folder / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folder / path.relative_to(ROOT))
    return folder


# Versions


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_lock_holds_every_requirement_in_its_range(python):
    versions = locked(python)
    for line in [*BASE, *EXTRAS["course"], *EXTRAS["data"], *EXTRAS["test"]]:
        wanted = Requirement(line)
        version = (
            next(iter(TORCH.specifier)).version if wanted.name == "torch" else versions[canonicalize_name(wanted.name)]
        )
        assert version in wanted.specifier, f"{wanted} is locked as {version}"


def test_lock_pins_exactly_and_names_neither_torch_nor_cuda_nor_a_host():
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*-", text, re.MULTILINE)
    assert all([clause.operator for clause in line.specifier] == ["=="] for line in LOCK)
    assert not [line.name for line in LOCK if re.match(r"torch$|triton|nvidia|cuda", line.name)]


def test_torch_is_pinned_in_one_place():
    assert [clause.operator for clause in TORCH.specifier] == ["=="]
    for name in ("pyproject.toml", "Makefile", "environment.yml", ".ci/run", "binder/postBuild"):
        assert str(TORCH) not in (ROOT / name).read_text(encoding="utf-8")


OPTIONAL = ("course", "data", "benchmark", "classroom", "hub")
APART = "sc3s"  # asks for numpy 1, and is installed without its dependencies; see rivals.py


def test_everything_that_the_package_imports_is_required():
    """At the top of a module outside the course: a base requirement. Elsewhere an extra may do."""
    by_module = metadata.packages_distributions()
    by_module |= {"scvi": ["scvi-tools"], "banksy": ["pybanksy"]}  # not installed for the tests
    base, more = names(BASE), names([line for extra in OPTIONAL for line in EXTRAS[extra]])
    undeclared = set()
    for path in sorted((ROOT / "scrcl_edu").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            modules = []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules = [node.module]
            for module in (
                {module.split(".")[0] for module in modules} - sys.stdlib_module_names - {"scrcl_edu", "google"}
            ):
                distributions = {canonicalize_name(name) for name in by_module.get(module, [module])}
                optional = node not in tree.body or {"course", "classroom"} & set(path.parts)
                if distributions.isdisjoint(base | more if optional else base) and module != APART:
                    undeclared.add(f"{path.name} imports {module}")
    assert not undeclared


def test_nothing_in_the_base_requirements_moves_what_colab_has():
    """Walk from the package through what Colab lacks: every range on the way admits Colab's versions."""
    colab = {
        "numpy": "2.1.3",
        "pandas": "2.2.3",
        "matplotlib": "3.10.0",
        "ipython": "7.34.0",
        "ipywidgets": "7.7.1",
        "torch": next(iter(TORCH.specifier)).version,
    }
    waiting, seen, met = list(BASE), set(), set()
    while waiting:
        wanted = Requirement(waiting.pop())
        name = canonicalize_name(wanted.name)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        if name in colab:
            met.add(name)
            assert colab[name] in wanted.specifier, f"{wanted} would replace Colab's {colab[name]}"
        elif name not in seen:
            seen.add(name)
            waiting += metadata.requires(name) or []
    assert met == colab.keys()
    assert {"scanpy", "anndata", "umap-learn"} <= seen


def test_jupyterlab_is_not_in_the_base_requirements():
    assert names(BASE).isdisjoint({"jupyterlab", "notebook", "nbval", "papermill", "ipykernel"})


# Binder and conda


@pytest.fixture
def binder_pack(monkeypatch):
    """What Binder would choose for this repository, in a folder with exactly the files that decide it."""
    from repo2docker.app import Repo2Docker

    monkeypatch.chdir(ROOT)
    packs = (pack("docker.io/library/buildpack-deps:jammy") for pack in Repo2Docker().buildpacks)
    return next(pack for pack in packs if pack.detect())


def test_binder_builds_a_conda_environment_with_python_312(binder_pack):
    from repo2docker.buildpacks import CondaBuildPack

    assert type(binder_pack) is CondaBuildPack
    assert Path(binder_pack.environment_yaml_path) == Path("binder/environment.yml")
    assert binder_pack.python_version == "3.12"


def test_binder_keeps_the_layer_of_dependencies_when_a_lesson_changes(binder_pack):
    assert "binder/environment.yml" in binder_pack.get_preassemble_script_files()
    assert any("env update" in script for _, script in binder_pack.get_preassemble_scripts())
    assert not any("env update" in script for _, script in binder_pack.get_assemble_scripts())


def test_binder_runs_post_build(binder_pack):
    assert binder_pack.get_post_build_scripts() == ["binder/postBuild"]
    text = (ROOT / "binder/postBuild").read_text(encoding="utf-8")
    assert os.access(ROOT / "binder/postBuild", os.X_OK)
    assert "set -euo pipefail" in text
    assert re.search(r"^pip install .*--no-deps", text, re.MULTILINE)
    subprocess.run(["bash", "-n", ROOT / "binder/postBuild"], check=True)


def pip_lines(environment: Path) -> tuple[list[str], list[str]]:
    dependencies = yaml.safe_load(environment.read_text(encoding="utf-8"))["dependencies"]
    return [d for d in dependencies if isinstance(d, str)], next(d for d in dependencies if isinstance(d, dict))["pip"]


def test_binder_gets_the_versions_of_the_lock():
    conda, pip = pip_lines(ROOT / "binder/environment.yml")
    assert conda == ["python=3.12", "pip"]
    pins = dict(line.split("==") for line in pip if not line.startswith("--"))
    assert pins.pop("torch") == f"{next(iter(TORCH.specifier)).version}+cpu"
    assert names([*BASE, *EXTRAS["course"]]) - {"torch"} <= pins.keys()
    assert pins.items() <= locked("3.12").items()


def test_conda_users_get_the_lock():
    conda, pip = pip_lines(ROOT / "environment.yml")
    assert conda == ["python=3.12", "pip"]
    files = [line.removeprefix("-r ") for line in pip if line.startswith("-r ")]
    assert files == ["requirements-torch.txt", "requirements.lock"]
    assert "-e ." in pip


# Two commands


def test_ci_only_runs_make_test():
    commands = [
        line for line in (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines() if not line.startswith("#")
    ]
    assert commands == ["set -euo pipefail", 'cd "$(dirname "$0")/.."', "make test"]
    assert os.access(ROOT / ".ci/run", os.X_OK)


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(["make", *arguments], cwd=folder, env=clean, capture_output=True, text=True, check=False)


def test_make_says_when_python_is_too_old(tmp_path):
    folder = copy_of_the_files(tmp_path, "Makefile", "requirements*", "pyproject.toml")
    old = folder / "python-old"
    old.write_text("#!/bin/sh\necho 3.9\n", encoding="utf-8")
    old.chmod(0o755)
    done = make(folder, "course", "PYTHON=./python-old")
    assert done.returncode != 0
    assert "is Python 3.9; scrcl_edu needs 3.11, 3.12 or 3.13" in done.stdout
    assert "PYTHON=python3.12 make test" in done.stdout


def test_make_says_when_there_is_no_python(tmp_path):
    folder = copy_of_the_files(tmp_path, "Makefile", "requirements*", "pyproject.toml")
    done = make(folder, "test", "PYTHON=python-nowhere")
    assert done.returncode != 0
    assert "There is no python-nowhere here" in done.stdout


def test_make_says_when_python_makes_no_environments(tmp_path):
    folder = copy_of_the_files(tmp_path, "Makefile", "requirements*", "pyproject.toml")
    bare = folder / "python-bare"
    bare.write_text('#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; *) echo 3.12;; esac\n', encoding="utf-8")
    bare.chmod(0o755)
    done = make(folder, "test", "PYTHON=./python-bare")
    assert done.returncode != 0
    assert "apt-get install python3.12-venv" in done.stdout


def test_setting_up_happens_once_and_again_when_the_lock_changes(tmp_path):
    folder = copy_of_the_files(tmp_path, "Makefile", "requirements*", "pyproject.toml")
    calls = folder / "calls"
    fake = """#!/bin/sh
[ "$1" = -c ] || { echo "$*" >> calls; exit; }
case "$2" in *print*) echo 3.12;; esac
"""
    for name in ("python-fake", ".venv/bin/python", ".venv/bin/scrcl-edu"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(fake, encoding="utf-8")
        (folder / name).chmod(0o755)

    def installs() -> int:
        before = calls.read_text(encoding="utf-8").count("pip install") if calls.exists() else 0
        done = make(folder, "course", "PYTHON=./python-fake")
        assert done.returncode == 0, done.stdout + done.stderr
        return calls.read_text(encoding="utf-8").count("pip install") - before

    assert installs() == 3
    assert installs() == 0
    stamp = folder / ".venv/.ready-3.12"
    os.utime(folder / "requirements.lock", (stamp.stat().st_mtime + 5,) * 2)
    assert installs() == 3


def test_wheel_holds_the_package_with_its_data_and_nothing_else(tmp_path):
    patterns = ["pyproject.toml", "LICENSE*", "README.md", "scrcl_edu/**/*.py", "scrcl_edu/**/*.yaml", "data/results/*"]
    folder = copy_of_the_files(tmp_path / "copy", *patterns)
    wheel = tmp_path / "wheel"
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheel)]
    subprocess.run(build, cwd=folder, check=True, capture_output=True)
    packed = zipfile.ZipFile(next(wheel.glob("*.whl"))).namelist()
    assert {name.split("/")[0].split("-")[0] for name in packed} == {"scrcl_edu"}
    ours = {str(path.relative_to(ROOT)) for path in (ROOT / "scrcl_edu").rglob("*.yaml")}
    assert ours
    assert ours <= set(packed)
    stored = {f"scrcl_edu/data/results/{path.name}" for path in (ROOT / "data/results").iterdir()}
    assert stored <= set(packed)


# Links


def test_links_come_from_one_line(tmp_path):
    (tmp_path / "pyproject.toml").write_text(
        '[project.urls]\nRepository = "https://github.com/some-lab/our-course"\n[project]\n', encoding="utf-8"
    )
    assert links.repository(tmp_path) == "https://github.com/some-lab/our-course"
    assert links.binder("02_graphs", root=tmp_path) == (
        "https://mybinder.org/v2/gh/some-lab/our-course/main?urlpath=lab/tree/notebooks/02_graphs.ipynb"
    )
    assert links.colab("02_graphs", root=tmp_path) == (
        "https://colab.research.google.com/github/some-lab/our-course/blob/main/notebooks/02_graphs.ipynb"
    )
    assert links.release(tmp_path) == (
        f"https://github.com/some-lab/our-course/archive/refs/tags/v{scrcl_edu.__version__}.tar.gz"
    )


def test_an_installed_package_knows_its_repository_without_the_checkout(tmp_path):
    assert links.repository(tmp_path) == links.repository(ROOT)


def test_a_repository_that_is_no_address_is_refused(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[project.urls]\nRepository = "our-course"\n[project]\n', encoding="utf-8")
    with pytest.raises(SettingsError, match=r"Repository is 'our-course'; write https://github\.com/OWNER/NAME"):
        links.repository(tmp_path)


def test_a_fork_changes_one_line(tmp_path):
    folder = copy_of_the_files(tmp_path, "pyproject.toml", *links.LINKED)
    (folder / "extra.md").write_text("untouched", encoding="utf-8")
    old = links.repository(folder)
    project = folder / "pyproject.toml"
    project.write_text(
        project.read_text(encoding="utf-8").replace(old, "https://github.com/some-lab/our-course"), encoding="utf-8"
    )
    changed = links.relink(folder)
    assert folder / "CITATION.cff" in changed
    assert links.relink(folder) == []
    slug = old.removeprefix("https://github.com/")
    for path in (path for pattern in links.LINKED for path in folder.glob(pattern)):
        assert slug not in path.read_text(encoding="utf-8"), f"{path.name} still links to {slug}"


def test_citation_names_this_version_and_this_repository():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["repository-code"] == links.repository()
    assert citation["version"] == scrcl_edu.__version__
    assert citation["license"] == PROJECT["project"]["license"] == "MIT"
    assert f"## {scrcl_edu.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def launch_links(text: str) -> set[str]:
    return set(re.findall(r"https://(?:mybinder\.org|colab\.research\.google\.com)/[^\s)\"'\\>]+", text))


def right_links() -> set[str]:
    lessons = [f"student/{path.stem}" for path in (ROOT / "notebooks" / "student").glob("*.ipynb")]
    return {link(lesson) for lesson in lessons for link in (links.binder, links.colab)}


def test_readme_names_the_two_commands_and_launches_lessons_that_exist():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make course" in text
    assert "make test" in text
    assert launch_links(text)
    assert launch_links(text) <= right_links()


@pytest.mark.parametrize("folder", ["", "student/"], ids=["worked", "student"])
def test_notebooks_launch_themselves(folder):
    for path in sorted((ROOT / "notebooks" / folder).glob("*.ipynb")):
        wanted = {links.binder(f"{folder}{path.stem}"), links.colab(f"{folder}{path.stem}")}
        assert launch_links(path.read_text(encoding="utf-8")) == wanted, f"{path.name} launches something else"
