"""`python -m benchmarks`: measure, then write JSON, figure and tables."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from benchmarks.process import ROOT, FailedError, facts, use_threads
from benchmarks.report import PARTS, draw, write_readme
from scrcl_edu.threads import n_cores


def main() -> None:
    """Measure the parts asked for and keep the others as they were."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", help=f"parts, such as losses,start (there are {', '.join(PARTS)})")
    parser.add_argument(
        "--quick", action="store_true", help="tiny sizes, to see that it runs; writes to out/benchmarks"
    )
    parser.add_argument("--threads", type=int, default=n_cores(), help="of each process (default: one for each core)")
    parser.add_argument("--out", type=Path, help="folder for README.md and results/ (default: benchmarks)")
    asked = parser.parse_args()
    names = [name.strip() for name in asked.only.split(",")] if asked.only else list(PARTS)
    if unknown := [name for name in names if name not in PARTS]:
        parser.error(f"there is no part {unknown[0]!r}; choose from {', '.join(PARTS)}")
    if asked.threads < 1:
        parser.error(f"--threads is {asked.threads}; choose at least 1")

    folder = asked.out or ROOT / ("out/benchmarks" if asked.quick else "benchmarks")
    results = folder / "results"
    results.mkdir(parents=True, exist_ok=True)
    written = results / "speed.json"
    report = {"parts": {}}
    if asked.only and written.exists():
        report = json.loads(written.read_text(encoding="utf-8"))

    use_threads(asked.threads)
    given = [f"--only {asked.only}"] * bool(asked.only) + ["--quick"] * asked.quick
    here = facts(" ".join(["python -m benchmarks", *given]), asked.threads)
    for name in names:
        print(f"{name}: measuring", file=sys.stderr, flush=True)
        started = time.perf_counter()
        result = PARTS[name].measure(quick=asked.quick)
        report["parts"][name] = {"facts": here, "targets": PARTS[name].targets(result), "result": result}
        # after every part: an interruption loses one part, not all
        written.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        draw(report, results / "speed.png")
        write_readme(folder / "README.md", report, "results/speed.png")
        print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    print(f"Written: {written.name}, speed.png and README.md")


if __name__ == "__main__":
    try:
        main()
    except FailedError as error:
        sys.exit(str(error))
