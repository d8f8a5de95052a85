"""How many threads are used: what the processor, a container or a hub gives, and what someone has set is left alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scrcl_edu import threads

LOOK = """
import scrcl_edu, json, os, numba, torch, threadpoolctl
from numba import njit, prange

@njit(parallel=True)
def add(x):
    total = 0.0
    for i in prange(len(x)):
        total += x[i]
    return total

import numpy as np
add(np.ones(1000))
pools = {p["internal_api"]: p["num_threads"] for p in threadpoolctl.threadpool_info()}
print(json.dumps({"torch": torch.get_num_threads(), "numba": numba.config.NUMBA_NUM_THREADS, **pools,
                  "wait": os.environ["OMP_WAIT_POLICY"]}))
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A machine of eight processors on whose files the control groups stand that a test writes."""
    monkeypatch.delenv("CPU_LIMIT", raising=False)
    monkeypatch.setattr(threads, "n_cores", lambda: 8)

    def made(group: str, **files: str) -> Path:
        (tmp_path / "proc/self").mkdir(parents=True)
        (tmp_path / "proc/self/cgroup").write_text(group)
        for name, text in files.items():
            path = tmp_path / "sys/fs/cgroup" / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return made


def test_without_a_quota_every_processor_is_used(machine):
    assert threads.allowed(machine("0::/\n", **{"cpu.max": "max 100000\n"})).number == 8


@pytest.mark.parametrize(("quota", "number"), [("50000 100000", 1), ("250000 100000", 2), ("1600000 100000", 8)])
def test_the_quota_of_version_2_counts_in_whole_processors(machine, quota, number):
    assert threads.allowed(machine("0::/\n", **{"cpu.max": quota})).number == number


def test_the_quota_of_a_group_around_counts_too(machine):
    found = threads.allowed(machine("0::/a/b\n", **{"a__b__cpu.max": "max 100000", "a__cpu.max": "300000 100000"}))
    assert found == (3, "a quota of 3 processors")


@pytest.mark.parametrize("path", ["/", "/docker/of/the/host"])  # a container sees its own group at the top
def test_the_quota_of_version_1_counts(machine, path):
    files = {"cpu,cpuacct__cpu.cfs_quota_us": "400000", "cpu,cpuacct__cpu.cfs_period_us": "100000"}
    assert threads.allowed(machine(f"4:cpu,cpuacct:{path}\n", **files)).number == 4


def test_version_1_without_a_quota_says_minus_one(machine):
    files = {"cpu__cpu.cfs_quota_us": "-1", "cpu__cpu.cfs_period_us": "100000"}
    assert threads.allowed(machine("4:cpu:/\n2:memory:/\n", **files)).number == 8


def test_the_limit_of_a_hub_counts(machine, monkeypatch):
    monkeypatch.setenv("CPU_LIMIT", "1.5")
    assert threads.allowed(machine("0::/\n")) == (1, "the hub's limit")


def test_where_there_are_no_control_groups_the_processors_count(tmp_path, monkeypatch):
    monkeypatch.delenv("CPU_LIMIT", raising=False)
    assert threads.allowed(tmp_path).number == threads.n_cores()


def looked_at(**variables: str) -> dict:
    environment = {name: value for name, value in os.environ.items() if name not in (*threads.COUNTS, *threads.PASSIVE)}
    done = subprocess.run(
        [sys.executable, "-c", LOOK], env=environment | variables, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_a_hub_s_limit_reaches_torch_numba_and_numpy_and_numba_does_not_raise_it():
    found = looked_at(CPU_LIMIT="1.0")
    assert found == {"torch": 1, "numba": 1, "openmp": 1, "openblas": 1, "wait": "PASSIVE"}


def test_an_explicit_setting_is_left_alone():
    found = looked_at(CPU_LIMIT="1.0", OMP_NUM_THREADS="2", OMP_WAIT_POLICY="ACTIVE")
    assert (found["numba"], found["wait"]) == (2, "ACTIVE")


@pytest.mark.parametrize("variable", threads.COUNTS)
def test_one_variable_alone_is_followed_by_the_other(monkeypatch, variable):
    for name in threads.COUNTS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, "3")
    threads.settle()
    assert {os.environ.get(name, "3") for name in threads.COUNTS} == {"3"}  # numba's is not set once it has begun
    assert os.environ["OMP_NUM_THREADS"] == "3"


def test_libraries_that_started_before_are_lowered_to_a_quota():
    program = "import torch; before = torch.get_num_threads(); import scrcl_edu; print(before, torch.get_num_threads())"
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment | {"CPU_LIMIT": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    before, after = map(int, done.stdout.split())
    assert (before, after) == (threads.n_cores(), 1)


def test_the_doctor_says_what_decided(monkeypatch):
    monkeypatch.setattr(threads, "allowed", lambda: threads.Threads(1, "the hub's limit"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert threads.in_words().endswith("; 1 thread at once, by the hub's limit")
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert threads.in_words().endswith("; 4 threads at once, as OMP_NUM_THREADS says")
