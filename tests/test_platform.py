"""The doctor and the set-up cells say what is there, what is missing, and the command that mends it."""

from __future__ import annotations

import ast
import re
import socket
import subprocess
import sys
import types
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from scrcl_edu.course import links, platform
from scrcl_edu.course.platform import Package

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def without(monkeypatch):
    """Make `platform` believe that packages are absent (None) or installed in another version."""
    real = platform._version

    def believe(**versions: str | None) -> None:
        monkeypatch.setattr(platform, "_version", lambda name: versions.get(name.replace("-", "_"), real(name)))
        for name in (name for name, version in versions.items() if version is None):
            monkeypatch.setitem(sys.modules, name, None)

    return believe


@pytest.fixture
def on_colab(monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))


@pytest.fixture
def commands(monkeypatch):
    """Instead of running pip, keep what would have been run, with the text of the constraints."""
    kept = []

    def run(command, **_):
        constraints = command[command.index("--constraint") + 1] if "--constraint" in command else None
        kept.append((command, Path(constraints).read_text(encoding="utf-8") if constraints else None))
        return subprocess.CompletedProcess(command, returncode=run.returncodes.pop(0) if run.returncodes else 0)

    run.returncodes = []
    run.kept = kept
    monkeypatch.setattr(platform.subprocess, "run", run)
    return run


def finding(topic: str) -> platform.Finding:
    return next(found for found in platform.findings() if found.topic == topic)


@pytest.mark.parametrize("host", ["192.0.2.1", "example.org", "2001:db8::1"])
def test_no_test_reaches_another_machine(host):
    with pytest.raises(OSError, match=f"a test tried to reach {host}; tests may only open connections to localhost"):
        socket.create_connection((host, 80), timeout=1)


def test_a_test_reaches_its_own_server():
    with socket.create_server(("localhost", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=1).close()


# doctor


def test_doctor_finds_this_environment_well():
    text = platform.doctor()
    assert "MEND" not in text
    assert text.splitlines()[-1] == "All is well: `make course` or any lesson will run."
    for topic in ("Python", "Packages", "Course tools", "Torch", "Memory", "Cores", "Data"):
        assert re.search(rf"^ok    {topic}: ", text, re.MULTILINE), topic


def test_doctor_names_a_missing_package_and_the_command(without):
    without(igraph=None)
    found = finding("Packages")
    assert not found.well
    assert "igraph is missing" in found.text
    assert found.mend == 'pip install "igraph>=0.11"'
    assert platform.doctor().splitlines()[-1] == "To mend: Packages."


def test_doctor_names_a_version_out_of_range(without):
    without(scanpy="1.12.4")
    found = finding("Packages")
    assert "scanpy is 1.12.4 (needs <1.12,>=1.11.5)" in found.text
    assert found.mend == 'pip install "scanpy<1.12,>=1.11.5"'


def test_doctor_names_the_extra_of_a_missing_course_tool(without):
    without(papermill=None)
    assert finding("Course tools").mend == 'pip install "scrcl_edu[course]"'


def test_missing_readers_of_some_datasets_are_no_fault(without):
    without(rdata=None)
    found = finding("Readers for R and loom files")
    assert found.well
    assert "rdata is missing" in found.text
    assert "only some datasets need them" in found.text


def test_doctor_still_speaks_when_torch_and_psutil_are_missing(without):
    without(torch=None, psutil=None)
    text = platform.doctor()
    assert "torch is missing" in text
    assert "MEND  Torch: cannot be told" in text
    assert "MEND  Memory: cannot be told" in text


def test_a_cpu_build_of_torch_counts_as_its_version():
    assert Package(Requirement("torch>=2.4"), "2.13.0+cpu").fits
    assert not Package(Requirement("torch>=2.4"), "2.3.1").fits
    assert not Package(Requirement("torch>=2.4"), None).fits


def test_extras_are_not_in_the_base_requirements():
    base = {package.requirement.name for package in platform.packages()}
    course = {package.requirement.name for package in platform.packages("course")}
    assert {"torch", "scanpy", "click"} <= base
    assert {"jupyterlab", "papermill", "jupytext"} <= course
    assert base.isdisjoint(course)


def test_doctor_opens_no_connection_unless_asked(monkeypatch):
    import urllib.request

    asked = []

    def unreachable(request, timeout):
        asked.append(request.full_url)
        raise OSError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", unreachable)
    assert "Network: not tried" in platform.doctor()
    assert asked == []
    text = platform.doctor(network=True)
    assert asked == list(platform.TO_REACH)
    assert "no answer from raw.githubusercontent.com" in text
    assert text.splitlines()[-1].startswith("All is well")


def test_doctor_says_where_the_data_are_kept(monkeypatch, tmp_path):
    folder = tmp_path / "not" / "yet"
    monkeypatch.setenv("SCRCL_EDU_DATA", str(folder))
    assert f"kept in {folder} (nothing yet)" in finding("Data").text
    folder.mkdir(parents=True)
    (folder / "some.h5").write_bytes(b"x" * 2_000_000)
    assert f"kept in {folder} (1 files, 2 MB)" in finding("Data").text


def test_little_disk_and_little_memory_are_to_be_mended(monkeypatch):
    monkeypatch.setattr(platform.shutil, "disk_usage", lambda _: types.SimpleNamespace(free=0.5e9))
    monkeypatch.setattr(platform, "memory_gb", lambda: 1.0)
    assert "SCRCL_EDU_DATA" in finding("Data").mend
    assert "Shut down other kernels" in finding("Memory").mend


def test_a_hubs_limit_counts_as_the_memory(monkeypatch):
    monkeypatch.setenv("MEM_LIMIT", "2147483648")
    assert platform.memory_gb() == pytest.approx(2.147, abs=0.01)


def test_an_nvidia_gpu_that_torch_cannot_use_is_told(monkeypatch):
    monkeypatch.setattr(platform, "device_name", lambda: "CPU")
    monkeypatch.setattr(platform.shutil, "which", lambda name: "/usr/bin/nvidia-smi" if name == "nvidia-smi" else None)
    assert "An NVIDIA GPU is here, but this torch cannot use it" in finding("Torch").mend


# The lessons' set-up cell


@pytest.mark.parametrize(
    ("variable", "name"),
    [("COLAB_RELEASE_TAG", "Colab"), ("BINDER_REPO_URL", "Binder"), ("JUPYTERHUB_USER", "JupyterHub")],
)
def test_the_place_is_known_by_its_environment(monkeypatch, variable, name):
    for other in ("COLAB_RELEASE_TAG", "BINDER_SERVICE_HOST", "BINDER_REPO_URL", "JUPYTERHUB_USER"):
        monkeypatch.delenv(other, raising=False)
    assert platform.place() == "this computer"
    monkeypatch.setenv(variable, "something")
    assert platform.place() == name


def sanitized(text: str) -> str:
    """What nbval compares after the rules of the sanitize file."""
    rules = re.findall(r"^regex: (.*)$\s^replace: (.*)$", (ROOT / "tests/nbval_sanitize.cfg").read_text(), re.MULTILINE)
    assert len(rules) >= 4
    for regex, replacement in rules:
        text = re.sub(regex, replacement, text)
    return text


@pytest.mark.parametrize("device", ["CPU", "CUDA (NVIDIA H200)", "Apple GPU (MPS)"])
def test_set_up_cell_shows_the_same_on_every_machine_once_sanitized(monkeypatch, capsys, device):
    monkeypatch.setattr(platform, "device_name", lambda: device)
    platform.platform_check()
    shown = capsys.readouterr().out
    assert device in shown
    assert sanitized(shown) == "Platform: PLATFORM\nReady: everything that this lesson needs is here.\n"


def test_set_up_cell_names_what_is_missing(capsys, without):
    without(scanpy=None, igraph="0.9")
    platform.platform_check()
    assert (
        "Missing or in another version: igraph, scanpy. Run: "
        'pip install "igraph>=0.11" "scanpy<1.12,>=1.11.5"' in capsys.readouterr().out
    )


def test_full_profile_without_gpu_is_advised_against(monkeypatch, capsys):
    monkeypatch.setattr(platform, "device_name", lambda: "CPU")
    platform.platform_check("full")
    assert "profile fast shows the same in minutes" in capsys.readouterr().out


def test_colab_without_gpu_is_told_where_to_switch_it_on(monkeypatch, capsys, on_colab):
    monkeypatch.setattr(platform, "device_name", lambda: "CPU")
    platform.platform_check()
    assert "Runtime > Change runtime type > T4 GPU" in capsys.readouterr().out


def test_sanitizing_keeps_the_numbers_that_matter():
    kept = "274 cells, 3 classes; ARI 0.62; loss 1.5 at step 10; 15 neighbors, 2 GPUs, shape (700, 765)"
    assert sanitized(kept) == kept
    assert sanitized("trained in 12.3 s with 512 MB") == "trained in TIME with MEMORY"


# Colab's first cell


def test_first_cell_installs_the_tagged_release_without_its_requirements(on_colab, commands):
    source = platform.colab_cell()
    assert len(source.splitlines()) <= 15
    exec(compile(source, "first cell", "exec"), {})
    first, _ = commands.kept[0]
    assert first[1:4] == ["-m", "pip", "install"]
    assert "--no-deps" in first
    assert first[-1] == links.release()


def test_first_cell_does_nothing_elsewhere(commands):
    exec(compile(platform.colab_cell(), "first cell", "exec"), {})
    assert commands.kept == []


def test_first_cell_imports_only_the_standard_library_before_it_installs():
    top = ast.parse(platform.colab_cell()).body
    modules = {alias.name for node in top if isinstance(node, ast.Import) for alias in node.names}
    assert modules <= sys.stdlib_module_names


def test_colab_gets_only_what_is_missing_and_keeps_the_rest(capsys, commands, without):
    without(scanpy=None, igraph=None)
    platform.prepare_colab()
    command, constraints = commands.kept[0]
    wanted = [part for part in command if not part.startswith("-")]
    assert any(part.startswith("scanpy") for part in wanted)
    assert any(part.startswith("igraph") for part in wanted)
    assert not any(part.startswith(("numpy", "pandas", "torch")) for part in wanted)
    assert re.search(r"^numpy==", constraints, re.MULTILINE)
    assert not re.search(r"^scanpy==", constraints, re.MULTILINE)
    assert len(commands.kept) == 1
    assert "No restart is needed." in capsys.readouterr().out


def test_colab_installs_nothing_when_nothing_is_missing(capsys, commands):
    platform.prepare_colab()
    assert commands.kept == []
    assert "No restart is needed." in capsys.readouterr().out


def test_colab_tries_without_constraints_when_they_cannot_be_met(commands, without):
    without(scanpy=None)
    commands.returncodes += [1, 0]
    platform.prepare_colab()
    assert [constraints is None for _, constraints in commands.kept] == [False, True]


def test_a_module_of_another_version_in_memory_asks_for_a_restart(monkeypatch):
    import numpy as np

    monkeypatch.setattr(np, "__version__", "1.26.4")
    advice = platform.restart_advice()
    assert re.match(r"Restart needed: numpy 1\.26\.4 is in memory and 2\.\d+\.\d+ is installed; ", advice)
    assert "\n" not in advice


def test_a_build_for_cuda_in_memory_asks_for_no_restart(monkeypatch, without):
    import torch

    without(torch="2.13.0")
    monkeypatch.setattr(torch, "__version__", "2.13.0+cu130")
    assert platform.restart_advice() == "No restart is needed."


def test_colab_without_gpu_goes_on_with_fast(monkeypatch, capsys, commands):
    monkeypatch.setattr(platform.shutil, "which", lambda _: None)
    platform.prepare_colab()
    assert (
        "Runtime > Change runtime type > T4 GPU does it. The lesson goes on with profile fast."
        in capsys.readouterr().out
    )
