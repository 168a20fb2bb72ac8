"""Measure `import tinygrad_lite` against `import numpy`, each in fresh interpreters, in turn.

python -m tests.benchmarks.start
"""

from __future__ import annotations

import subprocess
import sys
from statistics import median

CODE = "import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
ROUNDS = 30


def seconds(module: str) -> float:
    """Import a module in a fresh interpreter and return how long it took."""
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(module=module)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def main() -> None:
    """Print both medians and the ratio."""
    times: dict[str, list[float]] = {"numpy": [], "tinygrad_lite": []}
    for number in range(ROUNDS + 2):
        for module, found in times.items():
            taken = seconds(module)
            if number >= 2:  # the first ones compile and fill the file cache
                found.append(taken)
    numpy, own = (1e3 * median(found) for found in times.values())
    print(f"import numpy {numpy:.1f} ms, import tinygrad_lite {own:.1f} ms, ratio {own / numpy:.2f} (goal ≤ 1.3)")


if __name__ == "__main__":
    main()
