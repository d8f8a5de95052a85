"""Speed and memory of the package, measured: `python -m benchmarks`. Results and their tables are in this folder."""
