"""The training loop: what may be asked for, and the steps."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from functools import partial
from itertools import repeat
from math import ceil, inf, isfinite
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np

from ..data import Dataset, Split
from ..data.dataset import check_dataset
from ..nn import Module
from ..optim import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop
from ..random import manual_seed
from .checkpoint import Array, TrainingError
from .evaluate import CHUNK, accuracy, evaluating, loss_of, scores
from .folder import Folder
from .record import say
from .run import Diverged, Run
from .stop import Interrupted, deferred_signals
from .threads import blas_threads

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
LEAST = {"steps": 1, "epochs": 1, "batch_size": 1, "seed": 0}  # the options that are whole numbers


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
    overwrite: bool = False,
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

    With `out`, the folder gets weights.safetensors, metrics.json, curve.png and graph.svg.  The weights are saved after
    the first step, then every 5 seconds (or 1/200 of the time so far, or 20 times what a save takes, if that is more), and
    on Ctrl-C, SIGTERM and SIGHUP; `resume=True` goes on from them, bit for bit as if the run had never stopped, and from
    the beginning where nothing is saved.  What is not said then is as it was; only the length of the run may change.
    A run that is in the folder is not replaced without `overwrite=True`; until the new one has finished it is kept in
    `replaced`.  One training at a time has the folder.

    Raises TrainingError for what cannot be trained, saved or resumed, and for parameters in the loss that the module does
    not list; DataError for data that is none; Diverged where the loss is not finite (saved are the last weights whose
    loss was finite); Interrupted, a KeyboardInterrupt, on Ctrl-C and such signals.  Another error in a step, such as one
    in `loss`, passes through; the steps before it are saved.

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
    given = {"optimizer": optimizer, "lr": lr, "batch_size": batch_size, "seed": seed}
    asked = _checked("", given | {"steps": steps, "epochs": epochs})
    recipe = _recipe(net, asked.get("optimizer"))
    check_dataset(data, "train")
    if resume and out is None:
        raise TrainingError("there is nothing to resume without a folder; give out=")
    if resume and overwrite:
        raise TrainingError(
            "resume=True goes on with the run in the folder, overwrite=True replaces it; give one of them"
        )
    with closing(Folder(Path(out))) if out is not None else nullcontext() as folder:
        saved = None
        if folder is not None and resume:
            saved = folder.saved_run()
            if saved is None:
                say(f"nothing is saved in {out} yet: starting from the beginning")
        elif folder is not None and not overwrite:
            folder.refuse_another()
        known: dict[str, Any] = {"optimizer": "sgd", "seed": 0, **recipe}
        if saved:
            was = {name: saved.facts["settings"].get(name) for name in given} | {"steps": saved.facts["total"]}
            known = {"optimizer": "sgd", "seed": 0, **_checked(f"{out}: the saved ", was)}
        settings: dict[str, Any] = {name: asked.get(name, known.get(name)) for name in given}
        make, default = OPTIMIZERS[settings["optimizer"]]
        settings["lr"] = settings["lr"] or default
        length = asked if "steps" in asked or "epochs" in asked else known
        total = _steps(length, data.train.X.shape[1], settings["batch_size"])
        run = Run(net, make, settings, data, folder, total)
        if saved:
            run.restore(saved)
        return _run(run, data, report)


def _steps(length: Mapping[str, int], m: int, size: int | None) -> int:
    """Return how many steps a run of so many steps or epochs makes."""
    per_epoch = ceil(m / size) if size else 1
    return length["epochs"] * per_epoch if "epochs" in length else length.get("steps", STEPS)


def _run(run: Run, data: Dataset, report: Report | None) -> dict[str, Any]:
    """Make the steps of a run, save it, and return its metrics.  Raises Interrupted where it was stopped before its end."""
    net, size, seed = run.net, run.settings["batch_size"], run.settings["seed"]
    net.train()
    columns = min(size or inf, data.train.X.shape[1])
    # A loss that is not finite ends the run, with more to say than NumPy's warnings.
    with (
        deferred_signals() as stops,
        blas_threads(net, columns),
        np.errstate(all="ignore"),
        _saving_what_is_done(run),
    ):
        _go(run, _batches(data.train, size, seed, run.step), stops, report)
        run.save()
        if run.step < run.total:
            if run.kept is not None:
                run.write("interrupted", None)
            raise Interrupted(f"interrupted {run.where()}", stops[0])
        accurate = None if data.test.labels is None else accuracy(net, data.test)
        return run.write("finished", accurate, loss_of(net, data.test))


def _go(
    run: Run, batches: Iterator[tuple[Array, Array, Array | None]], stops: list[int], report: Report | None
) -> None:
    """Make the steps that are missing, or as many as the signals allow."""
    net = run.net
    correct = run.curve[-1][2] if run.curve else None
    while run.step < run.total and not stops:
        X, Y, labels = next(batches)
        manual_seed((run.settings["seed"], run.step))
        J = net.loss(X, Y)
        loss = run.value(J)
        if not isfinite(loss):
            raise run.diverged(X, Y, f"the loss of step {run.step + 1} is {loss}")
        run.remember()
        if not run.whole:
            run.check(J)
        if labels is not None and _is_point(run.step + 1):
            guesses = scores(net, X[:, :CHUNK]).argmax(axis=0)
            correct = round(float(np.mean(guesses == labels[:CHUNK])), 4)
        run.opt.zero_grad()
        J.backward()
        run.advance()
        if _is_point(run.step):
            run.curve.append([run.step, float(f"{loss:.6g}"), correct])
        if report is not None:
            report(run.step, run.total, loss, correct)
        run.save_if_due()
    if run.step < run.total:
        return
    X, Y, _ = next(batches)
    with evaluating(net):  # the last step may have been the one too far
        loss = float(net.loss(X, Y))
    if not isfinite(loss) or not all(np.isfinite(p.numpy()).all() for p in net.parameters()):
        raise run.diverged(X, Y, f"after the last step, {run.step}, the loss is {loss}")


def _recipe(net: Module, optimizer: str | None) -> dict[str, Any]:
    """Return how the model is to be trained where nothing is said; a learning rate goes with its optimiser only."""
    said, place = getattr(net, "recipe", {}), f"{type(net).__name__}.recipe"
    known = {"steps", "epochs", "batch_size", "optimizer", "lr"}
    if not isinstance(said, Mapping) or set(said) - known:
        raise TrainingError(f"{place} must be a dict that says no more than {', '.join(sorted(known))}, not {said!r}")
    recipe = _checked(f"{place}: ", said)
    if optimizer not in (None, recipe.get("optimizer", "sgd")):
        recipe.pop("lr", None)
    return recipe


def _checked(place: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that say something, as Python's own numbers; `place` says in the error where they stand."""
    found: dict[str, Any] = {}
    for name, value in options.items():
        if value is None:
            continue
        if name == "optimizer":
            right, wanted = isinstance(value, str) and value in OPTIMIZERS, f"one of {', '.join(OPTIMIZERS)}"
        elif name == "lr":
            right, wanted = isinstance(value, Real) and 0 < float(value) < inf, "a positive number"
        else:
            least = LEAST[name]
            right, wanted = isinstance(value, Integral) and int(value) >= least, f"a whole number ≥ {least}"
        if not right or isinstance(value, bool):
            raise TrainingError(f"{place}{name} must be {wanted}, not {value!r}")
        found[name] = value if name == "optimizer" else float(value) if name == "lr" else int(value)
    if "steps" in found and "epochs" in found:
        raise TrainingError(
            f"{place}steps={found['steps']} and epochs={found['epochs']} both say how long the run is; give one of them"
        )
    return found


def _is_point(step: int) -> bool:
    """Whether the curve has a point at a step.

    It does not depend on the length of the run: a run that is resumed to be longer has the curve of the longer run.
    """
    return step % (1 << max(0, step.bit_length() - 5)) == 0


def _batches(split: Split, size: int | None, seed: int, start: int) -> Iterator[tuple[Array, Array, Array | None]]:
    """Yield the batches of a run without end, from step `start` on; they depend on nothing else."""
    if size is None:
        yield from repeat((split.X, split.Y, split.labels))
        return
    images, targets, m = split.X.T, split.Y.T, split.X.shape[1]
    epoch, first = divmod(start, ceil(m / size))
    while True:
        order = np.random.default_rng((seed, epoch)).permutation(m)
        for i in range(first * size, m, size):
            picked = order[i : i + size]
            labels = None if split.labels is None else split.labels[picked]
            yield images[picked].T, targets[picked].T, labels  # whole rows of memory
        epoch, first = epoch + 1, 0


@contextmanager
def _saving_what_is_done(run: Run) -> Iterator[None]:
    """Have an error that ends a run cost no more than the step it comes from."""
    try:
        yield
    except Diverged:  # has saved what there is
        raise
    except (Exception, SystemExit) as error:
        run.rescue(error)
        raise
