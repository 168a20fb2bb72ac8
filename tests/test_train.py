"""Training: the notes' algorithm, resumption bit for bit, Ctrl-C, divergence, and the files that a run leaves."""

from __future__ import annotations

import io
import json
import math
import re
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from itertools import islice
from math import ceil, isfinite
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import Float

from models import handwritten
from models.mnist_two_layer import TwoLayer
from tinygrad_lite import Tensor, gradients, manual_seed, nn, random, sigmoid, softmax, softmax_cross_entropy
from tinygrad_lite import train as package
from tinygrad_lite.data import DataError, Dataset, Split, digits
from tinygrad_lite.files import replace_file
from tinygrad_lite.train import (
    Display,
    Diverged,
    Interrupted,
    TrainingError,
    accuracy,
    load_weights,
    loop,
    record,
    train,
)
from tinygrad_lite.train import run as policy
from tinygrad_lite.train.checkpoint import Checkpoint

INPUTS, CLASSES, M = 6, 4, 37


def split_of(m: int, seed: int) -> Split:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, m)
    X = (np.eye(INPUTS)[:, labels] + 0.3 * rng.random((INPUTS, m))).astype(np.float32)
    return Split(X.T.copy().T, np.eye(CLASSES, dtype=np.float32)[labels].T, labels)


DATA = Dataset(split_of(M, 0), split_of(23, 1), "made up")


def new_net(seed: int = 0) -> TwoLayer:
    return TwoLayer(inputs=INPUTS, hidden=3, classes=CLASSES, seed=seed)


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures take their time: the tests that want them call monkeypatch.undo()."""
    monkeypatch.setattr(record, "_plot", lambda path, metrics: None)
    monkeypatch.setattr(record, "_draw", lambda path, net, X, Y: None)


def interrupt_at(stop: int) -> Callable[..., None]:
    """A report that presses Ctrl-C after a step."""

    def report(step: int, *_: object) -> None:
        if step == stop:
            signal.raise_signal(signal.SIGINT)

    return report


# --- the algorithm


def test_without_options_it_is_the_algorithm_of_the_notes() -> None:
    net, X, Y = new_net(), DATA.train.X, DATA.train.Y
    params = net.state_dict()
    metrics = train(net, DATA)
    for _ in range(500):
        grads = handwritten.backward(X, Y, **params)
        params = handwritten.update(params, grads, np.float32(0.1))
    assert metrics["steps"] == 500
    for name, value in net.state_dict().items():
        np.testing.assert_allclose(value, params[name], rtol=1e-3, atol=1e-4)


def test_digits_are_learnt() -> None:
    net = TwoLayer()
    metrics = train(net, digits())
    assert metrics["test_accuracy"] > 0.8
    assert metrics["test_accuracy"] == accuracy(net, digits().test)


@given(m=st.integers(1, 30), size=st.integers(1, 40), seed=st.integers(0, 9), start=st.integers(0, 70))
def test_batches(m: int, size: int, seed: int, start: int) -> None:
    """Each epoch is a permutation of the samples; the batches from a step on are those of a run that came to it."""
    numbers = np.arange(m)
    split = Split(numbers[None].astype(np.float32), numbers[None].astype(np.float32), numbers)
    per_epoch = ceil(m / size)
    whole = [X for X, *_ in islice(loop._batches(split, size, seed, 0), start + per_epoch)]
    later = [X for X, *_ in islice(loop._batches(split, size, seed, start), per_epoch)]
    for a, b in zip(whole[start:], later, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.T.flags.c_contiguous
    for epoch in range(len(whole) // per_epoch):
        seen = np.concatenate(whole[epoch * per_epoch : (epoch + 1) * per_epoch], axis=1)
        np.testing.assert_array_equal(np.sort(seen[0]), numbers)
    X, Y, labels = next(loop._batches(split, size, seed, start))
    np.testing.assert_array_equal(X, Y)
    np.testing.assert_array_equal(X[0], labels)


def test_epochs_differ_in_order_and_seeds_too() -> None:
    orders = [
        np.concatenate([X for X, *_ in islice(loop._batches(DATA.train, 5, seed, start), 8)], axis=1)
        for seed, start in ((0, 0), (0, 8), (1, 0))
    ]
    assert not np.array_equal(orders[0], orders[1])
    assert not np.array_equal(orders[0], orders[2])


def test_the_curve_is_dense_at_first_and_then_16_points_a_doubling() -> None:
    points = [step for step in range(1, 1025) if loop._is_point(step)]
    assert points[:32] == list(range(1, 33))
    assert all(sum(low < p <= 2 * low for p in points) == 16 for low in (32, 64, 128, 256, 512))


# --- going on


RUNS = [("sgd", None), ("sgd", 8), ("momentum", None), ("momentum", 8), ("adam", None), ("adam", 8)]
each_run = pytest.mark.parametrize(("optimizer", "batch_size"), RUNS)


@each_run
@pytest.mark.parametrize("stops", [(1,), (7,), (5, 6, 13)], ids=str)  # five batches of 8 make an epoch
def test_an_interrupted_run_goes_on_bit_for_bit(
    optimizer: str, batch_size: int | None, stops: tuple[int, ...], tmp_path: Path
) -> None:
    options: dict[str, Any] = {"optimizer": optimizer, "batch_size": batch_size, "seed": 3}
    whole = train(new_net(), DATA, steps=80, out=tmp_path / "whole", **options)
    part = tmp_path / "part"
    for i, stop in enumerate(stops):
        with pytest.raises(Interrupted, match=f"after step {stop} of 80; the run is saved in"):
            train(new_net(), DATA, steps=80, out=part, resume=i > 0, report=interrupt_at(stop), **options)
        assert json.loads((part / "metrics.json").read_text())["state"] == "interrupted"
    resumed = train(new_net(seed=9), DATA, steps=80, out=part, resume=True, **options)
    assert resumed == whole
    for name in ("weights.safetensors", "metrics.json"):
        assert (part / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_what_is_not_said_is_as_in_the_saved_run(tmp_path: Path) -> None:
    options: dict[str, Any] = {"optimizer": "adam", "batch_size": 8, "lr": 0.01, "seed": 3}
    whole = train(new_net(), DATA, steps=40, **options)
    with pytest.raises(Interrupted):
        train(new_net(), DATA, steps=40, out=tmp_path, report=interrupt_at(13), **options)
    assert train(new_net(), DATA, out=tmp_path, resume=True) == whole


def test_scores_that_are_not_finite_are_refused() -> None:
    net = new_net()
    net.b2.assign(np.full((CLASSES, 1), np.nan))
    with pytest.raises(TrainingError, match="scores that are not finite"):
        accuracy(net, DATA.test)


@pytest.mark.parametrize("facts", [{}, {"step": "x", "settings": 3, "curve": None}, {"step": 1}])
def test_facts_of_a_stranger_are_no_run(facts: Any, tmp_path: Path) -> None:
    Checkpoint(new_net().state_dict(), facts=facts).save(tmp_path / "weights.safetensors")
    with pytest.raises(TrainingError, match="no run that could go on"):
        train(new_net(), DATA, out=tmp_path, resume=True)


@each_run
def test_a_finished_run_is_made_longer_bit_for_bit(optimizer: str, batch_size: int | None, tmp_path: Path) -> None:
    options: dict[str, Any] = {"optimizer": optimizer, "batch_size": batch_size}
    whole = train(new_net(), DATA, steps=70, **options)
    train(new_net(), DATA, steps=33, out=tmp_path, **options)
    net = new_net()
    assert train(net, DATA, steps=70, out=tmp_path, resume=True, **options) == whole
    assert train(new_net(), DATA, steps=70, out=tmp_path, resume=True, **options) == whole  # nothing left to do


def forget_the_optimizer(path: Path) -> None:
    saved = Checkpoint.load(path)
    state = {name: np.zeros_like(array) for name, array in saved.optimizer.items()}
    Checkpoint(saved.weights, state, saved.facts).save(path)


def forget_the_step(path: Path) -> None:
    saved = Checkpoint.load(path)
    Checkpoint(saved.weights, saved.optimizer, saved.facts | {"step": saved.facts["step"] - 1}).save(path)


@pytest.mark.parametrize("forget", [forget_the_optimizer, forget_the_step])
def test_a_resumption_that_forgets_is_noticed(forget: Callable[[Path], None], tmp_path: Path) -> None:
    options: dict[str, Any] = {"optimizer": "momentum", "batch_size": 8}
    whole = new_net()
    train(whole, DATA, steps=20, **options)
    train(new_net(), DATA, steps=7, out=tmp_path, **options)
    forget(tmp_path / "weights.safetensors")
    net = new_net()
    train(net, DATA, steps=20, out=tmp_path, resume=True, **options)
    assert (net.W1.numpy() != whole.W1.numpy()).any()


@pytest.mark.parametrize("later", [0.001, 1.5])
def test_a_second_ctrl_c_stops_at_once_unless_it_is_a_nervous_finger(
    later: float, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [0.0]
    monkeypatch.setattr("tinygrad_lite.train.stop.monotonic", lambda: clock[0])

    def impatient(*_: object) -> None:
        signal.raise_signal(signal.SIGINT)
        clock[0] += later
        signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt) as caught:
        train(new_net(), DATA, steps=9, out=tmp_path, report=impatient)
    assert isinstance(caught.value, Interrupted) == (later < 1) == (tmp_path / "weights.safetensors").exists()
    assert signal.getsignal(signal.SIGINT) is before
    assert capsys.readouterr().err.count("stopping after this step") == 1


def test_ctrl_c_after_the_last_step_is_too_late() -> None:
    assert train(new_net(), DATA, steps=3, report=interrupt_at(3))["state"] == "finished"


def test_it_trains_in_a_thread() -> None:
    found: list[dict[str, Any]] = []
    thread = threading.Thread(target=lambda: found.append(train(new_net(), DATA, steps=3)))
    thread.start()
    thread.join()
    assert found[0]["steps"] == 3


def curves(seeds: Sequence[int], in_step: bool) -> list[dict[str, Any]]:
    """Train a network with dropout from each seed: one after the other, or in threads that meet before every dropout."""
    barrier = threading.Barrier(len(seeds), timeout=60)

    class Meeting(Failing):
        def forward(self, X: Any) -> Any:
            if in_step and self.training:
                barrier.wait()
            return super().forward(X)

    found: list[dict[str, Any]] = [{} for _ in seeds]

    def work(i: int, seed: int) -> None:
        net = Meeting()
        found[i] = train(net, DATA, steps=12, seed=seed)
        found[i]["weights"] = {name: array.tobytes() for name, array in net.state_dict().items()}

    threads = [threading.Thread(target=work, args=pair) for pair in enumerate(seeds)]
    for thread in threads:
        thread.start()
        if not in_step:
            thread.join()
    for thread in threads:
        thread.join()
    return found


def test_trainings_in_threads_are_bit_for_bit_those_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = curves([1, 2, 3], in_step=False)
    assert len({str(one["weights"]) for one in alone}) == 3
    assert curves([1, 2, 3], in_step=True) == alone
    monkeypatch.setattr(random, "thread", type("OneForAll", (), {})())
    assert curves([1, 2, 3], in_step=True) != alone, "the mutant: one generator for all threads"


def test_a_long_run_saves_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "SAVE_EVERY", -1.0)
    monkeypatch.setattr(policy, "SAVE_PART", 10**9)
    monkeypatch.setattr(policy, "SAVE_COST", 0)
    saved: list[int] = []

    def look(step: int, *_: object) -> None:
        path = tmp_path / "weights.safetensors"
        saved.append(Checkpoint.load(path).facts["step"] if path.exists() else 0)

    train(new_net(), DATA, steps=4, out=tmp_path, report=look)
    assert saved == [0, 1, 2, 3]


BAD_RESUMES: list[tuple[dict[str, Any], str]] = [
    ({"batch_size": 4}, "batch_size was 8, now 4"),
    ({"optimizer": "adam", "lr": 0.1}, "optimizer was sgd, now adam"),
    ({"lr": 0.2}, r"lr was 0\.1, now 0\.2"),
    ({"seed": 1}, "seed was 0, now 1"),
    ({"steps": 2}, "has made 6 steps, more than 2"),
]


@pytest.mark.parametrize(("change", "message"), BAD_RESUMES, ids=lambda x: str(x))
def test_other_settings_do_not_resume(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {"steps": 6, "batch_size": 8, "out": tmp_path}
    train(new_net(), DATA, **options)
    with pytest.raises(TrainingError, match=message):
        train(new_net(), DATA, resume=True, **(options | change))


def test_other_data_and_other_models_do_not_resume(tmp_path: Path) -> None:
    train(new_net(), DATA, steps=2, out=tmp_path)
    other = Dataset(split_of(M, 5), DATA.test, "others")
    with pytest.raises(TrainingError, match="checksum was"):
        train(new_net(), other, steps=4, out=tmp_path, resume=True)
    with pytest.raises(TrainingError, match=r"W1': '3×6'.*now .*W1': '5×6'"):
        train(TwoLayer(INPUTS, 5, CLASSES), DATA, steps=4, out=tmp_path, resume=True)


def test_nothing_to_resume(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="give out="):
        train(new_net(), DATA, resume=True)
    Checkpoint(new_net().state_dict()).save(tmp_path / "weights.safetensors")
    with pytest.raises(TrainingError, match="holds weights, but no run"):
        train(new_net(), DATA, out=tmp_path, resume=True)


class Failing(nn.Module):
    """Raises in the loss of a step, after batch normalisation has moved its statistics; or in the backward pass."""

    def __init__(self, fail_at: int = 0, kind: type[BaseException] = RuntimeError) -> None:
        manual_seed(0)
        self.body = nn.Sequential(nn.Linear(INPUTS, 5), nn.BatchNorm1d(5), nn.Dropout(0.2), nn.Linear(5, CLASSES))
        self.fail_at, self.kind, self.calls = fail_at, kind, 0

    def forward(self, X: Any) -> Any:
        return self.body(X.T).T

    def loss(self, X: Any, Y: Any) -> Any:
        J = softmax_cross_entropy(self(X), Y, axis=0).mean()
        self.calls += self.training
        if self.calls == self.fail_at:
            raise self.kind("the sky fell")
        return J


@pytest.mark.parametrize("batch_size", [None, 8])
@pytest.mark.parametrize("kind", [RuntimeError, SystemExit])
def test_an_error_costs_one_step(kind: type[BaseException], batch_size: int | None, tmp_path: Path) -> None:
    options: dict[str, Any] = {"optimizer": "adam", "batch_size": batch_size, "seed": 3}
    whole = train(Failing(), DATA, steps=20, **options)
    with pytest.raises(kind, match="the sky fell") as caught:
        train(Failing(8, kind), DATA, steps=20, out=tmp_path, **options)
    assert caught.value.__notes__ == [f"the run is saved in {tmp_path}, after step 7 of 20"]
    assert train(Failing(), DATA, out=tmp_path, resume=True) == whole


def test_an_error_in_the_first_step_leaves_the_run_that_was_there(tmp_path: Path) -> None:
    train(Failing(), DATA, steps=3, out=tmp_path)
    before = (tmp_path / "weights.safetensors").read_bytes()
    for options in ({"overwrite": True}, {"resume": True}):
        with pytest.raises(RuntimeError) as caught:
            train(Failing(1), DATA, steps=9, out=tmp_path, **options)  # type: ignore[arg-type]
        assert not hasattr(caught.value, "__notes__")
    assert (tmp_path / "weights.safetensors").read_bytes() == before


def test_an_error_of_the_test_set_or_of_a_report_leaves_all_steps(tmp_path: Path) -> None:
    def report(step: int, *_: object) -> None:
        assert step < 5

    class NoTest(TwoLayer):
        def loss(self, X: Any, Y: Any) -> Any:
            assert X.shape[1] == M
            return super().loss(X, Y)

    for net, options, steps in ((new_net(), {"report": report}, 5), (NoTest(INPUTS, 3, CLASSES), {}, 9)):
        with pytest.raises(AssertionError) as caught:
            train(net, DATA, steps=9, out=tmp_path, overwrite=True, **options)  # type: ignore[arg-type]
        assert caught.value.__notes__ == [f"the run is saved in {tmp_path}, after step {steps} of 9"]


# --- divergence


def strict_json(path: Path) -> Any:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    return json.loads(path.read_text("utf-8"), parse_constant=refuse)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum"])
def test_a_diverging_run_stops_and_keeps_the_last_finite_weights(optimizer: str, tmp_path: Path) -> None:
    net, losses = new_net(), []
    message = r"the loss of step \d+ is (nan|inf), and the first .* is in .*; try a smaller learning rate than 1e\+30"
    with pytest.raises(Diverged, match=message):
        train(
            net,
            DATA,
            lr=1e30,
            optimizer=optimizer,
            out=tmp_path,
            report=lambda step, steps, loss, accuracy: losses.append(loss),
        )
    assert losses
    saved = new_net()
    load_weights(saved, tmp_path / "weights.safetensors")
    assert all(np.isfinite(p.numpy()).all() for p in saved.parameters())
    with np.errstate(all="ignore"):
        assert saved.loss(DATA.train.X, DATA.train.Y).item() == losses[-1]
    np.testing.assert_array_equal(net.W1.numpy(), saved.W1.numpy())
    assert strict_json(tmp_path / "metrics.json")["state"] == "diverged"
    with pytest.raises(TrainingError, match=f"diverged at step {len(losses) + 1}; start again"):
        train(new_net(), DATA, lr=1e30, optimizer=optimizer, out=tmp_path, resume=True)


class Logs(nn.Module):
    """J = mean(log(P) W): P = 0 for a pixel that is 0."""

    def __init__(self) -> None:
        self.W = nn.Parameter(np.ones((1, INPUTS)), dtype=np.float32)

    def forward(self, X: Any) -> Any:
        return self.W @ X

    def loss(self, X: Any, Y: Any) -> Any:
        P = self.W * X[:, :1].T
        L = P.log()
        return L.mean()


def test_the_tensor_where_it_began_is_named(tmp_path: Path) -> None:
    zero = Split(np.zeros((INPUTS, 3), np.float32), DATA.train.Y[:, :3], DATA.train.labels[:3])
    with pytest.raises(Diverged, match=r"in L = log\(P\), 1×6: infinity; no weights were saved") as caught:
        train(Logs(), Dataset(zero, zero, "zeros"), steps=2, out=tmp_path)
    assert "step 1 is -inf" in str(caught.value)
    assert not (tmp_path / "weights.safetensors").exists()
    X = DATA.train.X.copy()
    X[0, 0] = np.nan
    broken = Dataset(Split(X, DATA.train.Y, DATA.train.labels), DATA.test, "broken")
    with pytest.raises(Diverged, match="in X = input, 6×37: NaN"):
        train(new_net(), broken)


def test_good_weights_survive_a_last_step_that_overflows(tmp_path: Path) -> None:
    with pytest.raises(Diverged, match=r"after the last step, 1, the loss is nan, .* in W[12] = parameter, .*: NaN"):
        train(new_net(), DATA, steps=1, lr=1e39, out=tmp_path)
    net = new_net(seed=5)
    load_weights(net, tmp_path / "weights.safetensors")
    np.testing.assert_array_equal(net.W1.numpy(), new_net().W1.numpy())


# --- what a run leaves


def test_metrics(tmp_path: Path) -> None:
    metrics = train(new_net(), DATA, epochs=3, batch_size=10, optimizer="adam", out=tmp_path)
    read = strict_json(tmp_path / "metrics.json")
    assert read == metrics
    assert read["versions"]["numpy"] == np.__version__
    assert {k: read[k] for k in ("state", "steps", "lr", "batch_size", "data", "samples")} == {
        "state": "finished",
        "steps": 12,
        "lr": 0.003,
        "batch_size": 10,
        "data": "made up",
        "samples": M,
    }
    assert [point[0] for point in read["curve"]] == list(range(1, 13))
    assert all(isfinite(loss) and 0 <= share <= 1 for _, loss, share in read["curve"])
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "metrics.json", "weights.safetensors"]


def test_weights_are_plain_safetensors(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    net = new_net()
    train(net, DATA, steps=2, optimizer="momentum", out=tmp_path)
    arrays = load_file(tmp_path / "weights.safetensors")
    np.testing.assert_array_equal(arrays["W1"], net.W1.numpy())
    assert "optimizer/momentum_buffer.W1" in arrays


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def write(temporary: Path) -> None:
        temporary.write_text("half of the n")
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        replace_file(path, write)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("missing", [False, True])
def test_pictures(
    missing: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.undo()
    if missing:
        monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    net = new_net()
    train(net, DATA, steps=3, out=tmp_path)
    assert (tmp_path / "graph.svg").read_text("utf-8").lstrip().startswith("<?xml")
    assert (tmp_path / "curve.png").exists() is not missing
    line = 'tinygrad_lite: no curve.png: matplotlib is not installed; pip install "tinygrad-lite[plot]"\n'
    assert capsys.readouterr().err == (line if missing else "")


def test_a_model_without_annotations_is_drawn_from_the_batch_it_was_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(record, "_plot", lambda path, metrics: None)
    assert train(Logs(), DATA, steps=1, batch_size=7, out=tmp_path)["state"] == "finished"
    assert f"{INPUTS}×7" in (tmp_path / "graph.svg").read_text("utf-8")


def test_a_picture_leaves_the_net_and_the_random_numbers_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Annotated(Failing):
        def loss(self, X: Float[Tensor, "6 m"], Y: Float[Tensor, "4 m"]) -> Any:
            return super().loss(X, Y)

    monkeypatch.undo()
    net = Annotated()
    train(net, DATA, steps=2, out=tmp_path)
    load_weights(saved := Failing(), tmp_path / "weights.safetensors")
    for name, value in saved.state_dict().items():
        np.testing.assert_array_equal(net.state_dict()[name], value)
    manual_seed(0)
    record.draw_model(net, tmp_path / "graph.dot")
    drawn = random.generator().random()
    manual_seed(0)
    assert drawn == random.generator().random()


def test_a_model_that_cannot_be_drawn_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(path: Path, net: Any, X: Any, Y: Any) -> None:
        raise RuntimeError("a pixel is negative")

    monkeypatch.setattr(record, "_draw", fails)
    assert train(new_net(), DATA, steps=1, out=tmp_path)["state"] == "finished"
    assert capsys.readouterr().err == "tinygrad_lite: no graph.svg: RuntimeError in TwoLayer: a pixel is negative\n"


REMEDIES = [
    (lambda Z: softmax(100 * Z, axis=0).log(), "softmax_cross_entropy"),
    (lambda Z: sigmoid(1000 * Z).log(), "sigmoid_cross_entropy"),
    (lambda Z: (0 * Z).log(), "log was given a 0: add a small ε"),
    (lambda Z: 1 / (0 * Z), "div was given a 0: add a small ε"),
    (lambda Z: (-1 - Z * Z).sqrt(), "sqrt was given a negative number"),
    (lambda Z: (1000 + Z).exp(), "logsumexp"),
    (lambda Z: Z * 3e38 * 3e38, "no step has been made yet"),
]


@pytest.mark.parametrize(("f", "remedy"), REMEDIES, ids=[remedy for _, remedy in REMEDIES])
def test_a_run_that_diverges_says_what_helps(f: Callable[[Any], Any], remedy: str) -> None:
    class Wild(TwoLayer):
        def loss(self, X: Any, Y: Any) -> Any:
            return (f(self.W1 @ X) * 1.0).mean()

    with pytest.raises(Diverged, match=re.escape(remedy)):
        train(Wild(INPUTS, 3, CLASSES), DATA, steps=3)


def test_a_test_loss_that_is_not_finite_is_written(tmp_path: Path) -> None:
    class Infinite(TwoLayer):
        def loss(self, X: Any, Y: Any) -> Any:
            return super().loss(X, Y) * (1.0 if X.shape[1] == M else math.inf)

    assert train(Infinite(INPUTS, 3, CLASSES), DATA, steps=1, out=tmp_path)["test_loss"] == math.inf
    assert strict_json(tmp_path / "metrics.json")["test_loss"] == "inf"


# --- bad input


class NoLoss(nn.Module):
    def __init__(self) -> None:
        self.w = nn.Parameter([1.0])


class NoForward(NoLoss):
    def loss(self, X: Any, Y: Any) -> Any:
        return (self.w * X).mean()


class ManyLosses(NoLoss):
    def forward(self, X: Any) -> Any:
        return X

    def loss(self, X: Any, Y: Any) -> Any:
        return self.w * X


class NumberLoss(ManyLosses):
    def loss(self, X: Any, Y: Any) -> Any:
        return 3.0


class RowsOut(TwoLayer):
    def forward(self, X: Any) -> Any:
        return super().forward(X).T


class TupleOut(TwoLayer):
    def forward(self, X: Any) -> Any:
        return super().forward(X), 3


class Twice(NumberLoss):
    def __init__(self) -> None:
        self.parts = {"a.b": nn.Parameter([1.0]), "a": {"b": nn.Parameter([2.0])}}


BAD: list[tuple[nn.Module, dict[str, Any], str]] = [
    (new_net(), {"steps": 0}, "steps must be a whole number ≥ 1, not 0"),
    (new_net(), {"batch_size": -1}, "batch_size must be a whole number ≥ 1, not -1"),
    (new_net(), {"steps": 1, "epochs": 1}, "give one of them"),
    (new_net(), {"seed": -1}, "seed must be a whole number ≥ 0, not -1"),
    (new_net(), {"optimizer": "sdg"}, "optimizer must be one of sgd, momentum, adam.*, not 'sdg'"),
    (new_net(), {"lr": 0.0}, "lr must be a positive number, not 0.0"),
    (NoLoss(), {}, r"NoLoss defines no loss\(self, X, Y\)"),
    (nn.Module(), {}, "Module defines no loss"),
    (NoForward(), {}, r"NoForward defines no forward\(self, X\)"),
    (ManyLosses(), {}, r"ManyLosses.loss must return one number, .*\.mean\(\).* it returned .*6×37"),
    (TupleOut(INPUTS, 3, CLASSES), {"steps": 1}, "TupleOut.forward must return classes × 37 .* it returned tuple"),
    (TwoLayer, {}, "train takes a model, an instance of nn.Module, not <class"),  # type: ignore[list-item]
    (Twice(), {}, r"Twice cannot be trained: two parameters .* are called parts\.a\.b; name the keys"),
    (NumberLoss(), {}, r"must return one number, a tensor .*; it returned 3\.0"),
    (
        RowsOut(INPUTS, 3, CLASSES),
        {"steps": 1},
        "RowsOut.forward must return classes × 37 .* it returned 37×4",
    ),
]


WRONG = [0, -1, -5, 2.5, 3.0, "3", True, [3], math.nan]


@given(name=st.sampled_from(["steps", "epochs", "batch_size", "seed", "lr", "optimizer"]), value=st.sampled_from(WRONG))
def test_a_wrong_option_is_named_wherever_it_stands(name: str, value: Any) -> None:
    if (name, value) in (("seed", 0), ("lr", 2.5), ("lr", 3.0)) and value is not True:
        return
    with pytest.raises(TrainingError, match=f"^{name} must be .*, not {re.escape(repr(value))}"):
        train(new_net(), DATA, **{name: value})
    if name != "seed":
        net: Any = new_net()
        net.recipe = {name: value}
        with pytest.raises(TrainingError, match=rf"^TwoLayer\.recipe: {name} must be .*, not "):
            train(net, DATA)


@pytest.mark.parametrize("recipe", [None, "adam", ["steps"], {1: 2}, {"seed": 3}], ids=str)
def test_a_recipe_is_a_dict_of_what_a_model_may_say(recipe: Any) -> None:
    net: Any = new_net()
    net.recipe = recipe
    with pytest.raises(
        TrainingError, match=r"TwoLayer\.recipe must be a dict that says no more than batch_size, epochs"
    ):
        train(net, DATA)


def test_numbers_of_numpy_are_numbers() -> None:
    options: dict[str, Any] = {
        "steps": np.int64(2),
        "batch_size": np.uint8(8),
        "lr": np.float32(0.5),
        "seed": np.int32(1),
    }
    assert train(new_net(), DATA, **options) == train(new_net(), DATA, steps=2, batch_size=8, lr=0.5, seed=1)


def test_the_learning_rate_of_a_recipe_goes_with_its_optimiser() -> None:
    net: Any = new_net()
    net.recipe = {"lr": 0.5, "steps": 1}
    assert [train(net, DATA, optimizer=name)["lr"] for name in (None, "sgd", "adam")] == [0.5, 0.5, 0.003]


def split(**change: Any) -> Split:
    return Split(**(vars(DATA.train) | change))


X, Y, LABELS = DATA.train.X, DATA.train.Y, DATA.train.labels
BAD_DATA: list[tuple[Any, str]] = [
    (None, "the data must be a data.Dataset.*, not NoneType"),
    (DATA.train, "the data must be .* not Split"),
    ((DATA.train, DATA.test, "x"), "the data must be .* not tuple"),
    (Dataset(DATA.train, DATA.test, Path("x")), "the source must be a str"),  # type: ignore[arg-type]
    (Dataset(DATA.train, None, "x"), "the test split must be a data.Split.*, not NoneType"),  # type: ignore[arg-type]
    *(
        (Dataset(*pair, "x"), f"{message.split()[0]} of the {name} split must be .*{message.partition(' ')[2]}")
        for part, message in (
            (split(X=X.tolist()), "X a NumPy array of numbers, not list"),
            (split(X=Tensor(X)), "X a NumPy array of numbers, not Tensor"),
            (split(X=X[0]), r"X of the shape \(inputs, m\), with m = at least 1 samples, not \(37,\)"),
            (split(X=X[:, :0], Y=Y[:, :0], labels=LABELS[:0]), r"X with m = at least 1 samples, not \(6, 0\)"),
            (split(Y=Y[:, :9]), r"Y of the shape .* with m = 37 samples, not \(4, 9\)"),
            (split(Y=Y.astype(object)), "Y a NumPy array of numbers, not object"),
            (split(labels=LABELS[:9]), r"labels of the shape \(m,\), with m = 37 samples, not \(9,\)"),
            (split(labels=LABELS[None]), r"labels of the shape \(m,\)"),
            (split(labels=LABELS.tolist()), "labels a NumPy array of integers, not list"),
            (split(labels=LABELS.astype(float)), "labels a NumPy array of integers, not float64"),
        )
        for name, pair in (("train", (part, DATA.test)), ("test", (DATA.train, part)))
    ),
]


@pytest.mark.parametrize(("data", "message"), BAD_DATA, ids=[message for _, message in BAD_DATA])
def test_bad_data_is_found_out_before_training(data: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        train(new_net(), data, report=lambda *_: pytest.fail("it trained"))


@pytest.mark.parametrize("shape", [(-1,), (1, -1)], ids=str)
def test_the_accuracy_is_that_of_the_labels_whatever_is_to_be_learnt(shape: tuple[int, ...]) -> None:
    """Y may hold the numbers of the classes: the curve is that of one-hot columns."""

    class Numbered(TwoLayer):
        def loss(self, X: Any, Y: Any) -> Any:
            return super().loss(X, np.eye(CLASSES, dtype=np.float32)[:, Y.reshape(-1)])

    numbered = Dataset(*(Split(s.X, s.labels.reshape(shape), s.labels) for s in (DATA.train, DATA.test)), "numbers")
    for size in (None, 8):
        curve = train(Numbered(INPUTS, 3, CLASSES), numbered, steps=9, batch_size=size)["curve"]
        assert curve == train(new_net(), DATA, steps=9, batch_size=size)["curve"]


class Held(TwoLayer):
    """One more parameter in the loss, held in some way."""

    scale: Any = 1.0

    def loss(self, X: Any, Y: Any) -> Any:
        return super().loss(X, Y) * self.extra()

    def extra(self) -> Any:
        return self.scale


class Late(Held):
    def extra(self) -> Any:
        if isinstance(self.scale, float):
            self.scale = nn.Parameter(1.0)
        return self.scale


class InClass(Held):
    scale = nn.Parameter(1.0)


class PlainTensor(Held):
    def __init__(self) -> None:
        super().__init__(INPUTS, 3, CLASSES)
        self.scale = Tensor(1.0, requires_grad=True)


class InSet(Held):
    def __init__(self) -> None:
        super().__init__(INPUTS, 3, CLASSES)
        self.held = {nn.Linear(1, 1)}

    def extra(self) -> Any:
        return next(iter(self.held))(np.ones((1, 1), np.float32)).sum()


class Slope(Held):
    """A penalty on the slope at a point that the loss makes for itself, which is no parameter."""

    def extra(self) -> Any:
        if not self.training:
            return 1.0
        x = Tensor(np.ones((INPUTS, 1), np.float32), requires_grad=True)
        (slope,) = gradients((self.W1 @ x).sum(), [x], create_graph=True)
        return 1 + (slope * slope).sum() + (x * 0).sum()


@pytest.mark.parametrize(
    ("kind", "names"), [(Late, "scale"), (InClass, "scale"), (PlainTensor, "scale"), (InSet, "weight, bias")]
)
def test_a_parameter_that_would_stand_still_is_named(kind: Callable[..., Held], names: str) -> None:
    net = kind() if kind in (PlainTensor, InSet) else kind(INPUTS, 3, CLASSES)
    with pytest.raises(
        TrainingError, match=f"loss uses {names}, which training would not change; make each an nn.Param"
    ):
        train(net, DATA, steps=1)


def test_a_tensor_that_the_loss_makes_is_no_lost_parameter() -> None:
    assert train(Slope(INPUTS, 3, CLASSES), DATA, steps=2)["steps"] == 2


def test_a_frozen_parameter_stays_as_it_is(tmp_path: Path) -> None:
    net = new_net()
    net.W1.requires_grad = False
    metrics = train(net, DATA, steps=3, optimizer="adam", out=tmp_path)
    np.testing.assert_array_equal(net.W1.numpy(), new_net().W1.numpy())
    assert (net.W2.numpy() != new_net().W2.numpy()).any()
    assert list(metrics["parameters"]) == ["b1", "W2", "b2"]
    with pytest.raises(TrainingError, match="parameters was"):
        train(new_net(), DATA, steps=4, out=tmp_path, resume=True)


@pytest.mark.parametrize("shape", [(1,), (1, 1)], ids=str)
def test_a_loss_of_one_element_is_a_number(shape: tuple[int, ...]) -> None:
    class Shaped(TwoLayer):
        def loss(self, X: Any, Y: Any) -> Any:
            return super().loss(X, Y).reshape(shape)

    metrics, plain = train(Shaped(INPUTS, 3, CLASSES), DATA, steps=3), train(new_net(), DATA, steps=3)
    assert (metrics["curve"], metrics["test_loss"]) == (plain["curve"], plain["test_loss"])


class Sliced(nn.Module):
    """Slices of a Sequential in the loss: what a parameter is called must not depend on how often it was used."""

    def __init__(self) -> None:
        self.body = nn.Sequential(nn.Linear(INPUTS, 5), nn.ReLU(), nn.Linear(5, CLASSES))

    def forward(self, X: Any) -> Any:
        return self.body[2:](self.body[:2](X.T)).T

    def loss(self, X: Any, Y: Any) -> Any:
        return softmax_cross_entropy(self(X), Y, axis=0).mean()


@pytest.mark.parametrize("wrap", [lambda net: net, nn.Sequential], ids=["alone", "in another"])
def test_a_module_that_is_used_elsewhere_too_resumes(wrap: Callable[[Sliced], Any], tmp_path: Path) -> None:
    whole = train(Sliced(), DATA, steps=1, optimizer="adam", out=tmp_path)
    state = set(Checkpoint.load(tmp_path / "weights.safetensors").optimizer)
    assert {name.partition(".")[2] for name in state} == set(whole["parameters"])
    net = Sliced()
    wrap(net)
    assert train(net, DATA, steps=3, out=tmp_path, resume=True)["steps"] == 3


@pytest.mark.parametrize(("net", "options", "message"), BAD, ids=[message for _, _, message in BAD])
def test_bad_input_is_one_clear_sentence(net: nn.Module, options: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        train(net, DATA, **options)


def test_a_folder_that_cannot_be_written_is_found_out_before_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "inner"):
        with pytest.raises(TrainingError, match=r"cannot write there \(.*\); name another"):
            train(new_net(), DATA, out=out, report=lambda *_: pytest.fail("it trained"))


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x08" + bytes(7) + b"{}      ", b"\xff" * 64])
def test_damaged_weights(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(content)
    with pytest.raises(TrainingError, match=r"weights\.safetensors: ") as caught:
        load_weights(new_net(), path)
    assert str(caught.value).count(str(path)) == 1


def test_weights_of_another_model(tmp_path: Path) -> None:
    train(new_net(), DATA, steps=1, out=tmp_path)
    with pytest.raises(TrainingError, match=r"W1 has shape .*3, 6.*name the weights that this model was trained to"):
        load_weights(TwoLayer(INPUTS, 5, CLASSES), tmp_path / "weights.safetensors")
    with pytest.raises(TrainingError, match="no such file; train first"):
        load_weights(new_net(), tmp_path / "none.safetensors")


# --- progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Display() as report:
        train(new_net(), DATA, steps=100, report=report)
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert [line.split()[1] for line in lines] == [f"{n}/100" for n in (1, *range(10, 101, 10))]
    assert all("loss" in line and "accuracy" in line for line in lines)
    assert captured.err == ""


@pytest.mark.parametrize("which", ["stderr", "stdout"])
def test_a_bar_on_a_terminal(which: str, monkeypatch: pytest.MonkeyPatch) -> None:
    streams = {"stderr": io.StringIO(), "stdout": io.StringIO(), which: Terminal()}
    for name, stream in streams.items():
        monkeypatch.setattr(sys, name, stream)
    with Display() as report:
        train(new_net(), DATA, steps=50, report=report)
    shown = streams[which].getvalue()
    assert "50/50" in shown
    assert "loss" in shown
    assert ("step 50/50" in streams["stdout"].getvalue()) is (which == "stderr")


def test_the_public_names_exist() -> None:
    assert all(hasattr(package, name) for name in package.__all__)


class Closed(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


@pytest.mark.parametrize("stream", [None, Closed()], ids=["closed", "pipe"])
def test_a_run_goes_on_when_nobody_reads_its_lines(stream: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", None)
    with Display() as report:
        assert train(new_net(), DATA, steps=30, report=report)["steps"] == 30
