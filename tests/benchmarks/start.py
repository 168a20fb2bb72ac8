"""Measure `import tinygrad_lite` against `import numpy`, each in fresh interpreters, in turn.

python -m tests.benchmarks.start

The time is that of the processor, which other work on the machine disturbs least.  Both are compiled beforehand, as an
installed package is, and OpenBLAS starts no threads, whose start would be counted as NumPy's.
"""

from __future__ import annotations

import os
import subprocess
import sys
from statistics import median
from tempfile import TemporaryDirectory

CODE = "import time; t = time.process_time(); import {module}; print(time.process_time() - t)"
ROUNDS = 30


def seconds(module: str, compiled: str) -> float:
    """Import a module in a fresh interpreter and return how long it took."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled, "OPENBLAS_NUM_THREADS": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-c", CODE.format(module=module)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, timeout=120)
    return float(done.stdout)


def main() -> None:
    """Print both medians and the ratio."""
    times: dict[str, list[float]] = {"numpy": [], "tinygrad_lite": []}
    with TemporaryDirectory() as compiled:
        for number in range(ROUNDS + 2):
            for module, found in times.items():
                taken = seconds(module, compiled)
                if number >= 2:  # the first ones compile and fill the file cache
                    found.append(taken)
    numpy, own = (1e3 * median(found) for found in times.values())
    print(f"import numpy {numpy:.1f} ms, import tinygrad_lite {own:.1f} ms, ratio {own / numpy:.2f} (goal ≤ 1.3)")


if __name__ == "__main__":
    main()
