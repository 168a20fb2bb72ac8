"""Make many steps of a tiny model, and print how much memory the process has meanwhile, and what the run leaves.

python -m tests.benchmarks.steps [STEPS]
"""

from __future__ import annotations

import gc
import sys
import tempfile
from pathlib import Path

from models.mnist_two_layer import TwoLayer
from tests.kills import CLASSES, INPUTS, WEIGHTS, data, quiet
from tinygrad_lite.train import train

POINTS = 10


def megabytes() -> float:
    """Return the resident memory of this process (Linux)."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def main(steps: int = 1_000_000) -> None:
    """Print the memory at ten points of the run, and the size of the curve and of the checkpoint."""
    quiet()

    def report(step: int, *_: object) -> None:
        if step % (steps // POINTS) == 0 or step == 1000:
            print(f"step {step:,}: {megabytes():.1f} MB, {len(gc.get_objects()):,} objects", flush=True)

    with tempfile.TemporaryDirectory() as place:
        net = TwoLayer(INPUTS, 3, CLASSES)
        metrics = train(net, data(), steps=steps, optimizer="adam", batch_size=8, lr=1e-3, out=place, report=report)
        size = Path(place, WEIGHTS).stat().st_size
    print(f"curve: {len(metrics['curve'])} points; checkpoint: {size:,} bytes")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
