"""Addresses of the course: all of them come from the one line `Repository` in pyproject.toml.

A department that forks the course changes that line and runs `make links`.
"""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit

from scrcl_edu import __version__
from scrcl_edu.errors import SettingsError

ROOT = Path(__file__).resolve().parents[2]
LINKED = (
    "README.md",
    "CITATION.cff",
    "docs/**/*.md",
    "notebooks/src/*.py",
    "notebooks/*.ipynb",
    "notebooks/student/*.ipynb",
)


def repository(root: Path = ROOT) -> str:
    """Address of the project's repository, without a slash at the end.

    Parameters
    ----------
    root
        Folder of the checkout; where it holds no pyproject.toml, the installed package's metadata answer.

    Raises
    ------
    SettingsError
        When the address is not `https://HOST/OWNER/NAME`.
    """
    project = Path(root) / "pyproject.toml"
    if project.is_file():
        address = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["urls"]["Repository"]
    else:
        urls = dict(line.split(", ", 1) for line in metadata.metadata("scrcl_edu").get_all("Project-URL", []))
        address = urls["Repository"]
    address = address.rstrip("/").removesuffix(".git")
    if not re.fullmatch(r"https://[^/\s]+/[^/\s]+/[^/\s]+", address):
        raise SettingsError(f"Repository is {address!r}; write https://github.com/OWNER/NAME in pyproject.toml")
    return address


def binder(lesson: str, *, root: Path = ROOT) -> str:
    """Address that opens `notebooks/<lesson>.ipynb` in JupyterLab on Binder."""
    return f"https://mybinder.org/v2/gh/{_slug(repository(root))}/main?urlpath=lab/tree/notebooks/{lesson}.ipynb"


def colab(lesson: str, *, root: Path = ROOT) -> str:
    """Address that opens `notebooks/<lesson>.ipynb` on Colab."""
    return f"https://colab.research.google.com/github/{_slug(repository(root))}/blob/main/notebooks/{lesson}.ipynb"


def badges(lesson: str, *, root: Path = ROOT) -> str:
    """Markdown of the two launch links of a lesson, words rather than pictures so that every reader gets them."""
    return (
        f"[Open {lesson} on Binder]({binder(lesson, root=root)}) · [Open {lesson} on Colab]({colab(lesson, root=root)})"
    )


def release(root: Path = ROOT) -> str:
    """Address of the tagged release that belongs to this version: what Colab installs."""
    return f"{repository(root)}/archive/refs/tags/v{__version__}.tar.gz"


def relink(root: Path = ROOT) -> list[Path]:
    """Put the repository of pyproject.toml in place of the one that CITATION.cff still names, in every linked file.

    Parameters
    ----------
    root
        Folder of the checkout.

    Returns
    -------
    The files that were changed.
    """
    root = Path(root)
    citation = (root / "CITATION.cff").read_text(encoding="utf-8")
    (old,), new = re.findall(r"^repository-code: (\S+)$", citation, re.MULTILINE), repository(root)
    changed = []
    for path in sorted({path for pattern in LINKED for path in root.glob(pattern)}):
        text = path.read_text(encoding="utf-8")
        renewed = re.sub(_whole(old), new, text)
        renewed = re.sub(rf"(?<=/gh/){_whole(_slug(old))}|(?<=/github/){_whole(_slug(old))}", _slug(new), renewed)
        if renewed != text:
            path.write_text(renewed, encoding="utf-8")
            changed.append(path)
    return changed


def _slug(address: str) -> str:
    return urlsplit(address).path.strip("/")


def _whole(text: str) -> str:
    """Pattern for `text` where no longer name of a repository goes on."""
    return re.escape(text) + r"(?![\w-])"


if __name__ == "__main__":
    for changed_path in relink():
        print(f"changed {changed_path.relative_to(ROOT)}")
    print(f"Every link leads to {repository()}")
