"""Write binder/environment.yml from exact versions on standard input: `make lock` calls this.

Binder keeps the layer of dependencies only when environment.yml names no file of the repository, so it cannot say
`-r requirements.lock` and repeats the versions instead.
"""

import sys
from pathlib import Path

HEAD = """\
# Written by `make lock`: the versions of requirements.lock that a lesson needs.
# Binder reads this file and not the environment.yml above it.
name: scrcl-edu
channels:
  - conda-forge
dependencies:
  - python=3.12
  - pip
  - pip:
      - --extra-index-url https://download.pytorch.org/whl/cpu
"""


def environment(pins: str) -> str:
    """The file's text for `name==version` lines, torch as its CPU build, without the packages that CUDA needs."""
    lines = [line.strip() for line in pins.splitlines() if "==" in line]
    lines = [line for line in lines if not line.startswith(("nvidia-", "cuda-", "triton=="))]
    lines = [f"{line}+cpu" if line.startswith("torch==") else line for line in lines]
    return HEAD + "".join(f"      - {line}\n" for line in lines)


if __name__ == "__main__":
    Path(__file__).with_name("environment.yml").write_text(environment(sys.stdin.read()), encoding="utf-8")
