"""One run: its parts, where it stands, how it is saved, resumed, and given up."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np

from ..graph import Vertex, capture
from ..nn import Module, Parameter
from ..optim import Optimizer
from ..random import manual_seed
from ..tensor import Tensor, describe, history, shape_text
from .checkpoint import WEIGHTS, Array, Checkpoint, TrainingError
from .evaluate import check_takes
from .folder import Folder
from .record import versions, write_record

if TYPE_CHECKING:
    from ..data import Dataset


SAVE_EVERY = 5.0  # seconds: with a step and the save itself, a killed run has lost less than 10
SAVE_PART = 200  # … or this part of the time so far, where that is more
SAVE_COST = 20  # … or this many times what a save takes, so that no run spends its time saving


class Diverged(ArithmeticError):  # noqa: N818 -- an event of training, no mistake
    """The loss became NaN or infinite; the message names the step and the tensor where that appeared first."""


class Run:
    """A module, its optimiser and settings, the step it has reached and the curve so far.

    Raises TrainingError for a module that cannot be trained, and for settings the optimiser refuses.
    """

    def __init__(
        self,
        net: Module,
        make: Callable[..., Optimizer],
        settings: dict[str, Any],
        data: Dataset,
        folder: Folder | None,
        total: int,
    ) -> None:
        self.net: Any = net
        self.folder, self.data, self.total = folder, data, total
        if not isinstance(net, Module):
            raise TrainingError(f"train takes a model, an instance of nn.Module, not {net!r}")
        if not callable(getattr(net, "loss", None)):
            raise TrainingError(f"{type(net).__name__} defines no loss(self, X, Y); write one that returns a scalar J")
        if type(net).forward is Module.forward:
            raise TrainingError(
                f"{type(net).__name__} defines no forward(self, X); write one that returns a column of scores per sample"
            )
        check_takes(net, "loss", "X", "Y")
        check_takes(net, "forward", "X")
        try:
            self.tensors = list(net._named_state().values())
            trained = {name: p for name, p in net.named_parameters() if p.requires_grad}
            self.opt = make(trained.values(), lr=settings["lr"])
        except ValueError as error:
            raise TrainingError(f"{type(net).__name__} cannot be trained: {error}") from None
        self.opt.names = list(trained)  # p.name changes when a module gets into another one
        self.settings = {
            "model": type(net).__name__,
            "parameters": {name: shape_text(p.shape) for name, p in trained.items()},
            **settings,
            "samples": data.train.X.shape[1],
            "checksum": f"{zlib.crc32(_bytes(data.train.Y), zlib.crc32(_bytes(data.train.X))):08x}",
        }
        broken = [name for name, p in net.named_parameters() if not np.isfinite(p.numpy()).all()]
        if broken:
            raise TrainingError(
                f"{type(net).__name__} cannot be trained: there are NaN or infinite values in {', '.join(broken)}; look at "
                "how __init__ makes them, or at the file they are from"
            )
        self.step = 0
        self.curve: list[list[Any]] = []
        self.finite: list[Array] = []  # the last values of parameters and buffers whose loss was finite
        self.whole: list[Array] = []  # those after the last step, if one was made since the run was started or resumed
        self.replaces = True  # whether the first save would replace a run that has ended
        self.kept: int | None = None  # the step that was saved last, by this run
        self.began = self.saved_at = monotonic()
        self.cost = 0.0  # seconds that the last save took

    def value(self, J: Any) -> float:
        """Return the value of a loss, or say what is wrong with it."""
        if isinstance(J, Tensor) and J.size == 1 and J.requires_grad:
            return float(J.item())
        raise TrainingError(
            f"{self.settings['model']}.loss must return one number, a tensor computed from the parameters, such as the "
            f".mean() over the samples; it returned {'None' if J is None else describe(J)}"
        )

    def remember(self) -> None:
        """Keep the weights, which have just given a finite loss; a step replaces values, so this copies nothing."""
        self.finite = [t._array for t in self.tensors]

    def check(self, J: Tensor) -> None:
        """Refuse a loss of parameters that the optimiser does not have: they would stand still without a word.

        A tensor that `loss` makes for itself, such as a point at which it wants a slope, is none.
        """
        assert J._node is not None
        held = {
            value._node: f"{path}.{key}".removeprefix(".")
            for path, module in self.net.named_modules()
            for owner in (*type(module).__mro__, module)
            for key, value in vars(owner).items()
            if isinstance(value, Tensor)
        }
        trained = {p._node for p in self.opt.params}
        lost = [
            held.get(node) or node.name or "a parameter without a name"
            for node in history(J._node)
            if node.op is None and node.requires_grad and node not in trained
            if node in held or (node.leaf is not None and isinstance(node.leaf(), Parameter))
        ]
        if lost:
            raise TrainingError(
                f"{self.settings['model']}.loss uses {', '.join(lost)}, which training would not change; make each an "
                "nn.Parameter in __init__, held by an attribute, or by a list or dict in one"
            )

    def advance(self) -> None:
        """Make a step, and keep the values after it; a step replaces values, so this copies nothing."""
        self.whole = []  # in the middle of a step there is nothing to go on from
        self.opt.step()
        self.step += 1
        self.whole = [t._array for t in self.tensors]

    def where(self) -> str:
        """Say after which step the run stopped, and what is saved of it."""
        saved = "" if self.folder is None or self.kept is None else f"; the run is saved in {self.folder.path}"
        return f"after step {self.step} of {self.total}{saved}"

    def rescue(self, error: BaseException) -> None:
        """Go back to the end of the last step, save that, and note on the error that stopped the run what is saved."""
        if self.whole:
            self._put(self.whole)
            with suppress(OSError, TrainingError):  # which may be the error
                self.save()
        if self.folder is not None and self.kept is not None:
            error.add_note(f"the run is saved in {self.folder.path}, after step {self.kept} of {self.total}")

    def save_if_due(self) -> None:
        """Save after the first step, and then as often as a kill must not cost more, and saving not take long."""
        now = monotonic()
        pause = max(SAVE_EVERY, (now - self.began) / SAVE_PART, SAVE_COST * self.cost)
        if self.kept is None or now - self.saved_at > pause:
            self.save()

    def save(self) -> None:
        """Save all that is needed to go on, if a step has been made that is not saved."""
        if self.folder is not None and self.whole and self.kept != self.step:
            facts = {"step": self.step, "total": self.total, "settings": self.settings, "curve": self.curve}
            self._store(Checkpoint(self.net.state_dict(), self.opt.state_dict(), facts))

    def _store(self, checkpoint: Checkpoint) -> None:
        assert self.folder is not None
        if not self.folder.is_held():
            self.kept = None
            self.folder.refuse_another()  # before it is held: what is in it is not ours
            self.folder.hold()
        if self.replaces:
            self.folder.keep()
        before = monotonic()
        checkpoint.save(self.folder.path / WEIGHTS)
        self.replaces, self.kept, self.saved_at = False, self.step, monotonic()
        self.cost = self.saved_at - before

    def restore(self, saved: Checkpoint) -> None:
        """Go back to where a saved run stopped.

        Raises TrainingError where its settings were others, or where it has made more steps than are asked for.
        """
        assert self.folder is not None
        path, facts = self.folder.path / WEIGHTS, saved.facts
        was = facts["settings"]
        others = [f"{k} was {was.get(k)}, now {now}" for k, now in self.settings.items() if was.get(k) != now]
        if others:
            raise TrainingError(f"{path}: the run cannot go on with other settings: {'; '.join(others)}")
        if facts["step"] > self.total:
            raise TrainingError(
                f"{path}: this run has made {facts['step']} steps, more than {self.total}; ask for more"
            )
        try:
            self.net.load_state_dict(saved.weights)
            self.opt.load_state_dict(saved.optimizer)
        except ValueError as error:
            raise TrainingError(f"{path}: {error}; start again without resume") from None
        self.step, self.curve = facts["step"], facts["curve"]
        self.replaces = facts["step"] == facts["total"]

    def diverged(self, X: Array, Y: Array, what: str) -> Diverged:
        """Go back to the last weights that were good, save them, and return the error that says where it began."""
        manual_seed((self.settings["seed"], self.step))
        where, remedy = _first_bad(capture(self.net.loss, X, Y).vertices)
        saved = "; no weights were saved"
        if self.finite:
            self._put(self.finite)
            saved = "; the net has the last weights whose loss was finite"
            if self.folder is not None:
                facts = {"diverged": self.step + 1, "settings": self.settings}
                self._store(Checkpoint(self.net.state_dict(), facts=facts))
                saved = f"; the last weights whose loss was finite are in {self.folder.path / WEIGHTS}"
            self.write("diverged", None)
        smaller = f"try a smaller learning rate than {self.settings['lr']:g}"
        if self.step == 0:
            smaller = "no step has been made yet, so look at how the loss computes it, and at the data"
        way = f"{remedy}, or {smaller}" if remedy and self.step else remedy or smaller
        return Diverged(f"diverged: {what}, and the first value that is not finite is in {where}{saved}; {way}")

    def write(self, state: str, test_accuracy: float | None, test_loss: float | None = None) -> dict[str, Any]:
        """Return the metrics, and write them and the pictures into the folder."""
        results = {"test_accuracy": test_accuracy, "test_loss": test_loss}
        metrics = {"state": state, **results, "steps": self.step, **self.settings}
        metrics |= {"data": self.data.source, "versions": versions(), "curve": self.curve}
        if self.folder is not None:
            split, size = self.data.train, self.settings["batch_size"]
            write_record(self.folder.path, self.net, metrics, split.X[:, :size], split.Y[..., :size])
            if state == "finished":
                self.folder.forget()
        return metrics

    def _put(self, values: list[Array]) -> None:
        for t, value in zip(self.tensors, values, strict=True):
            t.assign(value)


def _first_bad(vertices: tuple[Vertex, ...]) -> tuple[str, str]:
    """Name the first tensor of a graph that holds a NaN or an infinity, how it was made, and what helps where one knows."""
    for vertex in vertices:
        if vertex.value is not None and not np.isfinite(vertex.value).all():
            inputs = ", ".join(vertices[i].name or "…" for i in vertex.inputs)
            made = f"{vertex.op.name}({inputs})" if vertex.op else vertex.kind
            kind = "NaN" if np.isnan(vertex.value).any() else "infinity"
            where = f"{vertex.name or 'an unnamed tensor'} = {made}, {shape_text(vertex.shape)}: {kind}"
            return where, _remedy(vertex, [vertices[i] for i in vertex.inputs])
    return "the loss", ""


def _remedy(bad: Vertex, inputs: list[Vertex]) -> str:
    """Say how an op is written so that it stays finite; nothing where its inputs are simply too large."""
    name = bad.op.name if bad.op else ""
    before = inputs[0].op.name if inputs and inputs[0].op else ""
    if name == "log" and before in LOGS:
        return LOGS[before]
    given = np.asarray(inputs[-1].value) if inputs else np.ones(())  # of a quotient, what it is divided by
    if name in ("log", "log2", "log10", "div") and (given == 0).any():
        return f"{name} was given a 0: add a small ε such as 1e-8 to what it is given"
    if name in ("log", "log2", "log10", "sqrt") and (given < 0).any():
        return f"{name} was given a negative number, for which it has no value"
    if name == "exp":
        return "exp overflows: subtract the largest of its inputs first, or write softmax or logsumexp, which do"
    return ""


LOGS = {  # what computes the logarithm of an op without its underflow
    "softmax": "write softmax_cross_entropy(Z, Y) or log_softmax(Z) of the logits instead of log(softmax(Z))",
    "sigmoid": "write sigmoid_cross_entropy(Z, Y) of the logits instead of log(sigmoid(Z))",
}


def _bytes(columns: Array) -> memoryview:
    return np.ascontiguousarray(columns.T).data  # no copy where samples are rows in memory
