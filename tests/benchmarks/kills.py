"""Kill runs of four models at random times by the clock, resume them, and compare the results with those never killed.

    python -m tests.benchmarks.kills [N] [SEED]

The runs save after every step, so that kills meet saves; a run is killed up to three times before it may end.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path
from time import monotonic, sleep

from tests.kills import RUNS, child, ended, go, quiet, resumed, whole_run

STEPS = 60


def main(total: int = 100, seed: int = 0) -> None:
    """Print how many runs were killed, how often, and how many came out bit for bit the same."""
    print(f"seed {seed}")
    sys.stdout.flush()  # a fork must not print it again
    quiet()
    rng, found = random.Random(seed), Counter[str]()
    with tempfile.TemporaryDirectory() as place:
        wholes, times = {}, {}
        for name in RUNS:
            begun = monotonic()
            wholes[name] = whole_run(name, Path(place, name, "whole"), STEPS)
            times[name] = monotonic() - begun
        for i in range(total):
            name = rng.choice(list(RUNS))
            folder = Path(place, name, str(i))
            for _ in range(rng.randint(1, 3)):
                pid = child(lambda: go(name, folder, STEPS))  # noqa: B023 -- used at once
                sleep(rng.uniform(0, times[name]))
                os.kill(pid, signal.SIGKILL)
                found["kills"] += 1
                found["of runs that had ended"] += ended(pid) == 0
            found["runs"] += 1
            found["half-written files found"] += len(list(folder.glob(".*.tmp")))
            found["survived"] += resumed(name, folder, wholes[name], STEPS)
    print(
        ", ".join(f"{name}: {number}" for name, number in found.items()), f"lost: {total - found['survived']}", sep=", "
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
