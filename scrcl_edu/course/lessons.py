"""The fourteen lessons by number, and where their notebooks are."""

from __future__ import annotations

from pathlib import Path

from scrcl_edu.errors import InputFileError, SettingsError

LESSONS = {
    "00": "00_start_here",
    "01": "01_preprocessing",
    "02": "02_graphs",
    "03": "03_encoders",
    "04": "04_distribution_alignment",
    "05": "05_neighborhood_alignment",
    "06": "06_gene_refinement",
    "07": "07_training",
    "08": "08_evaluation",
    "09": "09_biology",
    "10": "10_spatial_domains",
    "11": "11_the_papers_table",
    "12": "12_your_own_part",
    "13": "13_beyond_one_machine",
}


def find_notebooks(folder: str | Path | None = None) -> Path:
    """Find the folder with the lessons.

    Parameters
    ----------
    folder
        Where they are; looked for in the current folder, above it, and beside the package when not given.

    Raises
    ------
    InputFileError
        When no folder with lessons is there.
    """
    if folder is not None:
        if not _holds_lessons(Path(folder)):
            raise InputFileError(
                f"{folder} holds no lessons (files such as 03_encoders.ipynb); give the folder that does"
            )
        return Path(folder).resolve()
    here = Path.cwd()
    beside_package = Path(__file__).resolve().parents[2] / "notebooks"
    for place in [here, *(above / "notebooks" for above in (here, *here.parents)), beside_package]:
        if _holds_lessons(place):
            return place
    raise InputFileError(
        f"no lessons were found in {here} or above it; go to the folder of the course, "
        "or give the folder with the notebooks (--notebooks FOLDER)"
    )


def _holds_lessons(folder: Path) -> bool:
    return any(folder.glob("[0-9][0-9]_*.ipynb")) or any((folder / "src").glob("[0-9][0-9]_*.py"))


def choose(files: list[Path], only: str | list[str] | None) -> list[Path]:
    """Keep the lessons that were asked for.

    Parameters
    ----------
    files
        Files of lessons, each name beginning with two digits.
    only
        Numbers or names, as a list or with commas between: `"03,05"`; None keeps all.

    Raises
    ------
    SettingsError
        When one of them is not a lesson.
    """
    files = sorted(files)
    if only is None:
        return files
    chosen = []
    for wish in only.split(",") if isinstance(only, str) else only:
        wish = wish.strip()
        match = [file for file in files if wish and wish in (file.stem, file.stem[:2], str(int(file.stem[:2])))]
        if not match:
            there = ", ".join(file.stem[:2] for file in files)
            raise SettingsError(f"there is no lesson {wish!r}; the lessons are {there} (for example --only 03,05)")
        chosen += match
    return sorted(set(chosen))
