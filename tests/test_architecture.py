"""Who may import whom, how long a module may be, and that `import scrcl_edu` stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "scrcl_edu"
LAYERS = [
    "errors files plotting threads products memory devices saving neighbors matrices hdf5 all_cells dropout",
    "datasets preprocessing graphs recipes interpretation",
    "encoders alignment clustering chunks",
    "refinement evaluation baselines rivals consensus doubts parts",
    "model",
    "training inputs agreement",
    "workers keeping",
    "fitting assigning",
    "stability",
    "reporting",
    "evidence trial",
    "cli",
]
LAYER = {room: height for height, rooms in enumerate(LAYERS) for room in rooms.split()}
COMPONENTS = "preprocessing graphs encoders alignment refinement".split()
HEAVY = {"torch", "scanpy", "anndata", "sklearn", "matplotlib", "pandas", "scipy", "numba"}
FILES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name_of(path): path for path in FILES}


def imports(path: Path) -> set[str]:
    """Full names of everything that a file imports, inside functions too; of our own modules the deepest one."""
    name = name_of(path)
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            source = ".".join(part for part in (base, node.module) if part)
            deeper = {alias.name: f"{source}.{alias.name}" for alias in node.names}
            found |= {deeper[a] if deeper[a] in NAMES else source for a in deeper}
    return found


def room_of(name: str) -> str:
    return name.split(".")[1] if "." in name else ""


IMPORTS = {name: imports(path) for name, path in NAMES.items()}
OURS = {name: {other for other in found if other in NAMES and other != name} for name, found in IMPORTS.items()}


def test_every_module_has_its_place():
    rooms = {room_of(name) for name in NAMES} - {"", "course", "classroom", "explorables", "__main__"}
    assert rooms <= LAYER.keys(), f"say in LAYERS where these belong: {sorted(rooms - LAYER.keys())}"


def test_no_import_points_upwards():
    upwards = [
        f"{name} imports {other}"
        for name, others in OURS.items()
        for other in others
        if room_of(name) in LAYER and room_of(other) in LAYER and LAYER[room_of(other)] > LAYER[room_of(name)]
    ]
    assert not upwards


def test_no_import_goes_in_a_circle():
    try:
        TopologicalSorter({name: others - {"scrcl_edu"} for name, others in OURS.items()}).prepare()
    except CycleError as error:
        pytest.fail(f"circle: {' -> '.join(error.args[1])}")


def test_no_room_imports_one_that_imports_it():
    rooms: dict[str, set[str]] = {}
    for name, others in OURS.items():
        rooms.setdefault(room_of(name), set()).update({room_of(other) for other in others} - {room_of(name), ""})
    try:
        TopologicalSorter(rooms).prepare()
    except CycleError as error:
        pytest.fail(f"circle: {' -> '.join(error.args[1])}")


def test_only_the_command_line_imports_the_course_and_the_course_does_not_import_it():
    into_course = {name for name, others in OURS.items() if any(room_of(other) == "course" for other in others)}
    assert {room_of(name) for name in into_course} <= {"course", "classroom", "explorables", "cli"}
    into_explorables = {
        name for name, others in OURS.items() if any(room_of(other) == "explorables" for other in others)
    }
    assert {room_of(name) for name in into_explorables} <= {"explorables", "cli"}
    into_classroom = {name for name, others in OURS.items() if any(room_of(other) == "classroom" for other in others)}
    assert {room_of(name) for name in into_classroom} <= {"classroom", "cli"}
    into_cli = {name for name, others in OURS.items() if any(room_of(other) == "cli" for other in others)}
    assert {room_of(name) for name in into_cli} <= {"cli", "__main__"}


def test_the_package_itself_imports_nothing_of_its_own_but_how_many_threads_there_are():
    assert OURS["scrcl_edu"] == {"scrcl_edu.threads"}
    assert not OURS["scrcl_edu.threads"]


@pytest.mark.parametrize("component", COMPONENTS)
def test_components_know_no_recipe_no_file_and_no_command_line(component):
    names = [name for name in NAMES if room_of(name) == component]
    assert names, f"there is no module {component}"
    known = {module.removeprefix("scrcl_edu.").split(".")[0] for name in names for module in IMPORTS[name]}
    assert known.isdisjoint(
        {"recipes", "files", "datasets", "course", "pathlib", "io", "json", "yaml", "click", "argparse"}
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_stays_under_400_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("module", ["scrcl_edu", "scrcl_edu.cli", "scrcl_edu.course.platform"])
def test_import_stays_light(module):
    program = f"import sys, {module}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "scrcl_edu" in loaded
    assert HEAVY.isdisjoint(loaded), f"import {module} loads {sorted(HEAVY & set(loaded))}"


def test_colab_can_prepare_itself_before_numpy_is_in_memory():
    program = "import sys, scrcl_edu.course.platform; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
