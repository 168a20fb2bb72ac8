"""What a run leaves to read and look at: metrics.json, curve.png, graph.svg.  Loads matplotlib and `draw` late."""

from __future__ import annotations

import json
import platform
import sys
from contextlib import suppress
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from ..files import replace_file
from ..nn import Module
from .checkpoint import Array


def versions() -> dict[str, str]:
    """Return the versions that a result depends on."""
    from .. import __version__

    return {"tinygrad_lite": __version__, "numpy": np.__version__, "python": platform.python_version()}


def write_record(folder: Path, net: Module, metrics: dict[str, Any], X: Array, Y: Array) -> None:
    """Write the three files, the graph as it is for a batch X, Y.

    A picture that cannot be made is one line on stderr, and no failure of the run.  A test loss that is no finite number,
    for which JSON has no words, becomes the text "inf" or "nan".
    """
    plain = {key: str(x) if isinstance(x, float) and not isfinite(x) else x for key, x in metrics.items()}
    text = json.dumps({**plain, "curve": []}, indent=2, allow_nan=False, ensure_ascii=False)
    rows = ",\n    ".join(json.dumps(point, allow_nan=False) for point in metrics["curve"])
    text = text.replace('"curve": []', f'"curve": [\n    {rows}\n  ]')  # one point of the curve per line
    replace_file(folder / "metrics.json", lambda path: path.write_text(text + "\n", "utf-8"))
    try:
        _plot(folder / "curve.png", metrics)
    except ImportError:
        say('no curve.png: matplotlib is not installed; pip install "tinygrad-lite[plot]"')
    try:
        _draw(folder / "graph.svg", net, X, Y)
    except Exception as error:  # the run itself is saved
        say(f"no graph.svg: {type(error).__name__} in {type(net).__name__}: {error}")


def _draw(path: Path, net: Any, X: Array, Y: Array) -> None:
    """Draw the graph of the loss of a batch."""
    from ..draw import draw
    from ..graph import capture
    from ..modelgraph import untouched

    with untouched(net):
        graph = capture(net.loss, X, Y)
    draw(graph).save(path)


def draw_model(net: Module, path: Path) -> None:
    """Draw the graph of a model to a file.

    Raises DrawingError, also where the annotations of the model do not tell the shapes.
    """
    from ..draw import DrawingError, draw
    from ..modelgraph import capture_model

    try:
        graph = capture_model(net)
    except (TypeError, ValueError) as error:
        raise DrawingError(f"{type(net).__name__} cannot be drawn: {error}") from error
    draw(graph).save(path)


def _plot(path: Path, metrics: dict[str, Any]) -> None:
    """Plot the loss and, of a classifier, the accuracy over the steps; the final accuracy on the test set as a line."""
    from matplotlib.figure import Figure

    steps, losses, accuracies = zip(*metrics["curve"], strict=True) if metrics["curve"] else ((), (), ())
    classifier = any(point is not None for point in accuracies)
    figure = Figure(figsize=(7, 6 if classifier else 3.5), layout="constrained")
    rows = figure.subplots(1 + classifier, 1, sharex=True, squeeze=False)[:, 0]
    upper, lower = rows[0], rows[-1]
    upper.plot(steps, losses, color="C0", linewidth=1.2)
    upper.set(ylabel="loss J", title=f"{metrics['model']}, {metrics['optimizer']}, lr {metrics['lr']:g}")
    lower.set(xlabel="step")
    if classifier:
        lower.plot(steps, accuracies, color="C1", linewidth=1.2, label="batch, before the step")
        lower.set(ylabel="accuracy", ylim=(0, 1))
    if metrics["test_accuracy"] is not None:
        lower.axhline(metrics["test_accuracy"], color="0.3", linestyle="--", linewidth=1, label="test set, at the end")
    if classifier:
        lower.legend(loc="lower right")
    if metrics["batch_size"]:  # the points are as far apart as the logarithm, and noisy
        lower.set_xscale("log")
    for axes in rows:
        axes.grid(alpha=0.3)
    replace_file(path, lambda temporary: figure.savefig(temporary, format="png", dpi=120))


def say(line: str) -> None:
    """Tell the user something that is no error, on stderr."""
    if sys.stderr is not None:
        with suppress(OSError, RuntimeError):  # a terminal that is gone; a signal in the middle of another line
            print(f"tinygrad_lite: {line}", file=sys.stderr)
