"""Runs that are killed, in forks of one process: at an event, in the middle of a write, or from outside; then resumed.

    python -m tests.kills COUNT      # as many kills over four models, at fixed moments; prints what became of them as JSON

Every event that Python's audit hooks report about files, and every step, is a moment to die at.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from models.mnist_two_layer import TwoLayer
from tinygrad_lite import manual_seed, nn, softmax_cross_entropy
from tinygrad_lite.data import Dataset, Split
from tinygrad_lite.train import record, train
from tinygrad_lite.train import run as policy

INPUTS, CLASSES, M, STEPS = 6, 4, 37, 12
LIMIT = 120  # seconds: no child lives longer
WEIGHTS = "weights.safetensors"
Moment = tuple[str, int]  # ("event", n): at the n-th; ("write", n): when a file grows beyond n bytes


class Layers(nn.Module):
    """An MLP with one more layer in the middle."""

    def __init__(self, middle: nn.Module) -> None:
        manual_seed(0)
        self.body = nn.Sequential(nn.Linear(INPUTS, 8), middle, nn.ReLU(), nn.Linear(8, CLASSES))

    def forward(self, X: Any) -> Any:
        return self.body(X.T).T

    def loss(self, X: Any, Y: Any) -> Any:
        return softmax_cross_entropy(self(X), Y, axis=0).mean()


RUNS: dict[str, tuple[Callable[[], nn.Module], dict[str, Any]]] = {
    "SGD": (lambda: TwoLayer(INPUTS, 3, CLASSES), {"optimizer": "sgd"}),
    "Adam": (lambda: TwoLayer(INPUTS, 3, CLASSES), {"optimizer": "adam", "batch_size": 8}),
    "batch norm": (lambda: Layers(nn.BatchNorm1d(8)), {"optimizer": "momentum", "batch_size": 8, "lr": 0.01}),
    "dropout": (lambda: Layers(nn.Dropout(0.3)), {"optimizer": "adamw", "batch_size": 8, "seed": 5}),
}


def data() -> Dataset:
    """Return a small data set, the same every time."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, M)
    X = (np.eye(INPUTS)[:, labels] + 0.3 * rng.random((INPUTS, M))).astype(np.float32)
    split = Split(X, np.eye(CLASSES, dtype=np.float32)[labels].T, labels)
    return Dataset(split, split, "made up")


def child(work: Callable[[], object]) -> int:
    """Start a fork that does the work and ends with 0, or 1 on an error."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.alarm(LIMIT)
        work()
        code = 0
    finally:
        os._exit(code)


def ended(pid: int) -> int:
    """Wait for a child; return its exit code, or minus the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def go(name: str, folder: Path, steps: int = STEPS, **options: Any) -> dict[str, Any]:
    """Train or resume one of the runs, saving after every step."""
    make, settings = RUNS[name]
    policy.SAVE_EVERY, policy.SAVE_PART, policy.SAVE_COST = -1.0, 10**9, 0
    return train(make(), data(), steps=steps, out=folder, resume=True, **settings, **options)


def dying(name: str, folder: Path, moment: Moment) -> None:
    """Train until the moment has come."""
    kind, place = moment
    if kind == "write":
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (place, place))
        go(name, folder)
        return
    events = count(1)

    def pass_or_die(event: str, arguments: tuple[Any, ...] = ()) -> None:
        of_a_file = event in ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "step")
        if of_a_file and (event == "step" or str(folder) in str(arguments[0])) and next(events) == place:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(pass_or_die)
    go(name, folder, report=lambda *_: pass_or_die("step"))


def resumed(name: str, folder: Path, whole: bytes, steps: int = STEPS) -> bool:
    """Resume in this process; whether the result is that of the run that was never killed, and nothing else is left."""
    go(name, folder, steps)
    names = {path.name for path in folder.iterdir()}
    return (folder / WEIGHTS).read_bytes() == whole and names == {WEIGHTS, "metrics.json", ".lock"}


def quiet() -> None:
    """Draw no pictures and say nothing on stderr."""
    record._plot = lambda path, metrics: None
    record._draw = lambda path, net, X, Y: None
    sys.stderr = None


def whole_run(name: str, folder: Path, steps: int = STEPS) -> bytes:
    """Return the weights file of a run that nobody kills."""
    go(name, folder, steps)
    return (folder / WEIGHTS).read_bytes()


def main(total: int) -> None:
    """Kill as many runs at moments spread over their lives, resume each, and print the counts."""
    quiet()
    found = {"attempts": 0, "died": 0, "survived": 0}
    each = total // len(RUNS)
    with tempfile.TemporaryDirectory() as place:
        for name in RUNS:
            whole = whole_run(name, Path(place, name, "whole"))
            for i in range(each):
                folder = Path(place, name, str(i))
                # about 90 events make a run; every fifth death is one in the middle of a write
                moment = ("write", len(whole) * (i + 1) // (each + 2)) if i % 5 == 4 else ("event", 1 + i * 84 // each)
                code = ended(child(lambda: dying(name, folder, moment)))  # noqa: B023 -- used at once
                found["attempts"] += 1
                found["died"] += code in (-signal.SIGKILL, -signal.SIGXFSZ)
                found["survived"] += resumed(name, folder, whole)
    print(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]))
