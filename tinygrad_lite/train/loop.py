"""The training loop: what may be asked for, the steps, Ctrl-C."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import repeat
from math import ceil, isfinite
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np

from ..nn import Module
from ..optim import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop
from ..random import manual_seed
from .checkpoint import Array, TrainingError
from .evaluate import CHUNK, accuracy, evaluating, loss_of, scores
from .run import Run, saved_run

if TYPE_CHECKING:
    from ..data import Dataset, Split

Report = Callable[[int, int, float, float | None], None]  # step, of how many, loss, accuracy of a classifier

# name: how to make it, its learning rate where none is given
OPTIMIZERS: dict[str, tuple[Callable[..., Optimizer], float]] = {
    "sgd": (SGD, 0.1),
    "momentum": (partial(SGD, momentum=0.9), 0.1),
    "adam": (Adam, 3e-3),
    "adamw": (AdamW, 3e-3),
    "rmsprop": (RMSprop, 1e-3),
    "adagrad": (Adagrad, 1e-2),
}
STEPS = 500
PATIENCE = 1.0  # seconds: a Ctrl-C sooner than this after the first is a nervous finger
SAVE_EVERY = 60.0  # seconds: what a power cut may cost


class Interrupted(KeyboardInterrupt):
    """The run was stopped by Ctrl-C, and saved if it has a folder; the message says after which step."""


def train(
    net: Module,
    data: Dataset,
    *,
    steps: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    optimizer: str | None = None,
    lr: float | None = None,
    seed: int | None = None,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    report: Report | None = None,
) -> dict[str, Any]:
    """Train `net` on `data.train`, in place, and return what metrics.json holds: configuration, curve, test accuracy.

    Without options it is the algorithm of the notes: full-batch gradient descent, α = 0.1, 500 steps; or what the model's
    own `recipe` says, a dict of such options.  `steps`, or `epochs` (passes over the data), is the length of the whole run,
    resumed or not.  With `batch_size`, each epoch
    takes the samples in an order drawn from `seed` and the number of the epoch; the last batch may be smaller.
    `optimizer` is a name in OPTIMIZERS: sgd (lr 0.1), momentum (0.9, lr 0.1), adam (lr 0.003) and so on.  Before every step
    `manual_seed((seed, step))` is called, so that dropout draws the same in a run that was resumed.
    `report(step, steps, loss, accuracy)` is called after every step; `Display()` is one that shows progress.

    The curve has points [step, loss, accuracy]: every step up to 32, then 16 for each doubling.  Both are those of the
    batch before the step; the accuracy is that of its first 2,048 samples: all of 60,000 would cost a third of a step.
    Data without labels has no accuracy: there it is None.

    With `out`, the folder gets weights.safetensors, metrics.json, curve.png and graph.svg.  The weights are also saved
    once a minute and on Ctrl-C; `resume=True` goes on from them, bit for bit as if the run had never stopped.  What is not
    said then is as it was; only the length of the run may change.

    Raises TrainingError for what cannot be trained, saved or resumed; Diverged where the loss is not finite (saved are
    the last weights whose loss was finite); Interrupted, a KeyboardInterrupt, on Ctrl-C.

    >>> from tinygrad_lite import nn, softmax_cross_entropy
    >>> from tinygrad_lite.data import digits
    >>> class Linear(nn.Module):
    ...     def __init__(self):
    ...         self.W = nn.Parameter(np.zeros((10, 784), np.float32))
    ...     def forward(self, X):
    ...         return self.W @ X
    ...     def loss(self, X, Y):
    ...         return softmax_cross_entropy(self(X), Y, axis=0).mean()
    >>> train(Linear(), digits(), steps=20)["test_accuracy"] > 0.7
    True
    """
    _check(steps=steps, epochs=epochs, batch_size=batch_size)
    if steps is not None and epochs is not None:
        raise TrainingError(f"steps={steps} and epochs={epochs} both say how long the run is; give one of them")
    if resume and out is None:
        raise TrainingError("there is nothing to resume without a folder; give out=")
    saved = saved_run(Path(out)) if resume and out is not None else None
    given = {"optimizer": optimizer, "lr": lr, "batch_size": batch_size, "seed": seed}
    recipe = _recipe(net, optimizer)
    was: dict[str, Any] = saved.facts["settings"] if saved else {"optimizer": "sgd", "seed": 0, **recipe}
    if steps is None and epochs is None and not saved:
        steps, epochs = recipe.get("steps"), recipe.get("epochs")
    settings: dict[str, Any] = {name: was.get(name) if value is None else value for name, value in given.items()}
    if settings["optimizer"] not in OPTIMIZERS:
        raise TrainingError(f"no optimizer is called {settings['optimizer']!r}; choose one of {', '.join(OPTIMIZERS)}")
    make, default = OPTIMIZERS[settings["optimizer"]]
    settings["lr"] = default if settings["lr"] is None else settings["lr"]
    size, number = settings["batch_size"], settings["seed"]
    if number < 0:
        raise TrainingError(f"the seed must not be negative, but it is {number}")
    per_epoch = ceil(data.train.X.shape[1] / size) if size else 1
    total = epochs * per_epoch if epochs else steps or (saved.facts["total"] if saved else STEPS)
    run = Run(net, make, settings, data, None if out is None else Path(out), total)
    if saved:
        run.restore(saved)
    net.train()
    # A loss that is not finite ends the run, with more to say than NumPy's warnings.
    with _deferred_interrupt() as interrupts, np.errstate(all="ignore"):
        _go(run, _batches(data.train, size, number, run.step), interrupts, report)
        run.save()
        if run.step < total:
            run.write("interrupted", None)
            where = "" if out is None else f"; the run is saved in {out}"
            raise Interrupted(f"interrupted after step {run.step} of {total}{where}")
        return run.write(
            "finished", None if data.test.labels is None else accuracy(net, data.test), loss_of(net, data.test)
        )


def _go(run: Run, batches: Iterator[tuple[Array, Array]], interrupts: list[float], report: Report | None) -> None:
    """Make the steps that are missing, or as many as Ctrl-C allows."""
    net, opt = run.net, run.opt
    correct, saved_at = run.curve[-1][2] if run.curve else None, monotonic()
    while run.step < run.total and not interrupts:
        X, Y = next(batches)
        manual_seed((run.settings["seed"], run.step))
        J = net.loss(X, Y)
        loss = run.value(J)
        if not isfinite(loss):
            raise run.diverged(X, Y, f"the loss of step {run.step + 1} is {loss}")
        run.remember()
        if _is_point(run.step + 1):
            if run.classes:
                guesses = scores(net, X[:, :CHUNK]).argmax(axis=0)
                correct = round(float(np.mean(guesses == Y[:, :CHUNK].argmax(axis=0))), 4)
            run.curve.append([run.step + 1, float(f"{loss:.6g}"), correct])
        opt.zero_grad()
        J.backward()
        opt.step()
        run.step += 1
        if report is not None:
            report(run.step, run.total, loss, correct)
        if monotonic() - saved_at > SAVE_EVERY:
            run.save()
            saved_at = monotonic()
    if interrupts:
        return
    X, Y = next(batches)
    with evaluating(net):  # the last step may have been the one too far
        loss = float(np.asarray(net.loss(X, Y)))
    if not isfinite(loss) or not all(np.isfinite(p.numpy()).all() for p in net.parameters()):
        raise run.diverged(X, Y, f"after the last step, {run.step}, the loss is {loss}")


def _recipe(net: Module, optimizer: str | None) -> dict[str, Any]:
    """Return how the model is to be trained where nothing is said; a learning rate goes with its optimiser only."""
    recipe = dict(getattr(net, "recipe", {}))
    known = {"steps", "epochs", "batch_size", "optimizer", "lr"}
    if set(recipe) - known:
        raise TrainingError(f"{type(net).__name__}.recipe says {sorted(recipe)}; it may say {', '.join(sorted(known))}")
    if optimizer not in (None, recipe.get("optimizer")):
        recipe.pop("lr", None)
    return recipe


def _check(**counts: int | None) -> None:
    for name, value in counts.items():
        if value is not None and value < 1:
            raise TrainingError(f"{name} must be at least 1, not {value}")


def _is_point(step: int) -> bool:
    """Whether the curve has a point at a step.

    It does not depend on the length of the run: a run that is resumed to be longer has the curve of the longer run.
    """
    return step % (1 << max(0, step.bit_length() - 5)) == 0


def _batches(split: Split, size: int | None, seed: int, start: int) -> Iterator[tuple[Array, Array]]:
    """Yield the batches of a run without end, from step `start` on; they depend on nothing else."""
    if size is None:
        yield from repeat((split.X, split.Y))
        return
    images, one_hot, m = split.X.T, split.Y.T, split.X.shape[1]
    epoch, first = divmod(start, ceil(m / size))
    while True:
        order = np.random.default_rng((seed, epoch)).permutation(m)
        for i in range(first * size, m, size):
            picked = order[i : i + size]
            yield images[picked].T, one_hot[picked].T  # whole rows of memory
        epoch, first = epoch + 1, 0


@contextmanager
def _deferred_interrupt() -> Iterator[list[float]]:
    """Have Ctrl-C put its time in the list instead of cutting a step in half; one more, a second later, raises at once."""
    asked: list[float] = []

    def ask(_number: int, _frame: object) -> None:
        if not asked and sys.stderr is not None:
            print("stopping after this step; press Ctrl-C once more to stop without saving", file=sys.stderr)
        elif asked and monotonic() - asked[0] > PATIENCE:
            raise KeyboardInterrupt
        asked.append(monotonic())

    before = signal.getsignal(signal.SIGINT)
    ours = threading.current_thread() is threading.main_thread() and before not in (None, signal.SIG_IGN)
    if ours:
        signal.signal(signal.SIGINT, ask)
    try:
        yield asked
    finally:
        if ours:
            signal.signal(signal.SIGINT, before)
