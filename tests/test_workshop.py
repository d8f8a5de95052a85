"""What a class's server needs: notebooks that come, and come again, and never cost a learner any work."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[1]
WORKSHOP = ROOT / "workshop"
pytestmark = pytest.mark.skipif(not WORKSHOP.is_dir(), reason="an installed package has no workshop")


@pytest.fixture(scope="module")
def handout():
    spec = importlib.util.spec_from_file_location("handout", WORKSHOP / "handout.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def folders(tmp_path):
    source, target = tmp_path / "course", tmp_path / "home" / "course"
    source.mkdir()
    (source / "02.ipynb").write_text("first edition")
    (source / "data").mkdir()
    (source / "data" / "x.csv").write_text("1")
    return source, target


def there(folder: Path) -> dict[str, str]:
    return {
        p.relative_to(folder).as_posix(): p.read_text()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and not p.name.startswith(".")
    }


def test_a_new_learner_gets_everything_and_a_second_start_changes_nothing(handout, folders):
    source, target = folders
    assert len(handout.hand_out(source, target)) == 2
    assert there(target) == there(source)
    assert handout.hand_out(source, target) == []


def test_what_the_learner_left_alone_is_replaced(handout, folders):
    source, target = folders
    handout.hand_out(source, target)
    (source / "02.ipynb").write_text("second edition")
    handout.hand_out(source, target)
    assert (target / "02.ipynb").read_text() == "second edition"


def test_what_the_learner_changed_is_kept_and_the_new_one_lies_beside_it_once(handout, folders):
    source, target = folders
    handout.hand_out(source, target)
    (target / "02.ipynb").write_text("my work")
    assert handout.hand_out(source, target) == []
    (source / "02.ipynb").write_text("second edition")
    for _ in range(3):
        handout.hand_out(source, target)
    assert there(target) == {"02.ipynb": "my work", "02 (new).ipynb": "second edition", "data/x.csv": "1"}


def test_what_the_learner_deleted_comes_back(handout, folders):
    source, target = folders
    handout.hand_out(source, target)
    (target / "02.ipynb").unlink()
    shutil.rmtree(target / "data")
    assert len(handout.hand_out(source, target)) == 2
    assert there(target) == there(source)


def test_what_the_course_renamed_stays_under_its_old_name_too(handout, folders):
    source, target = folders
    handout.hand_out(source, target)
    (target / "02.ipynb").write_text("my work")
    (source / "02.ipynb").rename(source / "03.ipynb")
    handout.hand_out(source, target)
    assert there(target) == {"02.ipynb": "my work", "03.ipynb": "first edition", "data/x.csv": "1"}


def test_a_lost_record_costs_nothing(handout, folders):
    source, target = folders
    handout.hand_out(source, target)
    (target / "02.ipynb").write_text("my work")
    (source / "02.ipynb").write_text("second edition")
    (target / handout.RECORD).write_text("{")
    handout.hand_out(source, target)
    assert (target / "02.ipynb").read_text() == "my work"


def test_a_disk_that_fills_up_leaves_what_was_there(handout, folders, monkeypatch):
    source, target = folders
    handout.hand_out(source, target)
    (source / "02.ipynb").write_text("second edition")

    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        handout.hand_out(source, target)
    assert there(target)["02.ipynb"] == "first edition"


@given(st.lists(st.sampled_from(["write", "delete", "new edition", "hand out"]), max_size=12))
def test_no_sequence_of_events_loses_a_learner_s_work(handout, tmp_path_factory, events):
    place = tmp_path_factory.mktemp("class")
    source, target = place / "course", place / "home"
    source.mkdir()
    (source / "a").write_text("edition 0")
    handout.hand_out(source, target)
    mine = None
    for number, event in enumerate(events, start=1):
        if event == "write":
            mine = f"work {number}"
            (target / "a").write_text(mine)
        elif event == "delete":
            mine = None
            (target / "a").unlink(missing_ok=True)
        elif event == "new edition":
            (source / "a").write_text(f"edition {number}")
        else:
            handout.hand_out(source, target)
        assert mine is None or (target / "a").read_text() == mine
    handout.hand_out(source, target)
    assert (target / "a").read_text() == (mine or (source / "a").read_text())


def test_the_script_says_what_it_did(tmp_path, folders):
    source, target = folders
    command = [sys.executable, str(WORKSHOP / "handout.py"), str(source), str(target)]
    assert "02.ipynb: new" in subprocess.run(command, capture_output=True, text=True, check=True).stdout
    wrong = subprocess.run([*command[:2], str(tmp_path / "none"), "x"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 1
    assert "SOURCE is a folder that is there" in wrong.stderr


def test_what_the_container_and_the_cluster_name_is_there():
    dockerfile = (WORKSHOP / "Dockerfile").read_text(encoding="utf-8")
    for name in re.findall(r"(?:COPY|-r|--constraint) ((?:requirements[\w.-]+ ?)+)", dockerfile):
        assert all((ROOT / part).is_file() for part in name.split())
    values = yaml.safe_load((WORKSHOP / "zero-to-jupyterhub.yaml").read_text(encoding="utf-8"))
    assert values["singleuser"]["defaultUrl"].rsplit("/")[-1] in {
        p.name for p in (ROOT / "notebooks/student").iterdir()
    }
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    assert (ROOT / ".devcontainer" / container["build"]["dockerfile"]).resolve() == WORKSHOP / "Dockerfile"


def test_the_hub_s_settings_are_what_its_first_lines_say():
    text = (WORKSHOP / "jupyterhub_config.py").read_text(encoding="utf-8")
    told = set(re.findall(r"^ *WORKSHOP_(\w+)", text, re.MULTILINE))
    used = set(re.findall(r'setting\("(\w+)"', text))
    assert used == told
