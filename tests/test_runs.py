"""A run is never lost: kills, signals, damaged checkpoints, other trainings, full disks."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.mnist_two_layer import TwoLayer
from tests.benchmarks.flips import cuts, flips, other_bytes, outcome, trained
from tests.kills import CLASSES, INPUTS, WEIGHTS, data
from tinygrad_lite import softmax_cross_entropy
from tinygrad_lite.nn import state
from tinygrad_lite.train import Diverged, Interrupted, TrainingError, load_weights, record, train
from tinygrad_lite.train import folder as folders
from tinygrad_lite.train import run as policy
from tinygrad_lite.train.checkpoint import Checkpoint
from tinygrad_lite.train.stop import STOPS
from tinygrad_lite.train.threads import blas_threads

ROOT = Path(__file__).parents[1]
DATA = data()


def new_net(seed: int = 0) -> TwoLayer:
    return TwoLayer(INPUTS, 3, CLASSES, seed)


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "_plot", lambda path, metrics: None)
    monkeypatch.setattr(record, "_draw", lambda path, net, X, Y: None)


def at(stop: int, act: Callable[[], object]) -> Callable[..., None]:
    """A report that does something after a step."""

    def report(step: int, *_: object) -> None:
        if step == stop:
            act()

    return report


def raised(number: int = signal.SIGINT) -> Callable[[], object]:
    return lambda: signal.raise_signal(number)


def weights(folder: Path) -> bytes:
    return (folder / WEIGHTS).read_bytes()


# --- kills


def killed(count: int) -> dict[str, int]:
    """What becomes of so many killed runs, in a process that can be waited for."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.kills", str(count)],
        cwd=ROOT,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, int] = json.loads(done.stdout)
    return found


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forks")
@pytest.mark.parametrize("count", [8, pytest.param(100, marks=pytest.mark.slow)])
def test_a_killed_run_goes_on_bit_for_bit(count: int) -> None:
    assert killed(count) == {"attempts": count, "died": count, "survived": count}


def test_kills_whose_runs_resume_with_other_numbers_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: a checkpoint that says it is a step younger."""
    from tests.kills import go

    restore = policy.Run.restore

    def forgetful(run: policy.Run, saved: Checkpoint) -> None:
        restore(run, saved)
        run.step -= 1

    places = [Path("whole"), Path("part")]
    for name in ("SAVE_EVERY", "SAVE_PART", "SAVE_COST"):
        monkeypatch.setattr(policy, name, getattr(policy, name))
    go("Adam", places[0], 12)
    with pytest.raises(Interrupted):
        go("Adam", places[1], 12, report=at(5, raised()))
    monkeypatch.setattr(policy.Run, "restore", forgetful)
    go("Adam", places[1], 12)
    assert weights(places[0]) != weights(places[1])


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@settings(max_examples=20)
@example(step=0.3, cost=0.05, jitter=[1.0])
@given(step=st.floats(1e-4, 30), cost=st.floats(1e-4, 60), jitter=st.lists(st.floats(0.5, 2), min_size=1, max_size=7))
def test_a_kill_costs_little_and_saving_too(step: float, cost: float, jitter: list[float]) -> None:
    """By a clock that only steps and saves move: what a kill costs is bounded, and so is the time spent saving."""
    clock, saving, worst, last = [0.0], [0.0], [0.0], [0.0]

    def saved(*_: object) -> None:
        clock[0] += cost
        saving[0] += cost
        last[0] = clock[0]

    def report(number: int, *_: object) -> None:
        clock[0] += step * jitter[number % len(jitter)]
        bound = (
            max(5, clock[0] / 200, 20 * cost) + 2 * step + 1e-6
        )  # since the last save ended, the step that was late included
        assert number == 1 or clock[0] - last[0] <= bound
        worst[0] = max(worst[0], clock[0] - last[0])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(policy, "monotonic", lambda: clock[0])
        patch.setattr(Checkpoint, "save", saved)
        patch.setattr(record, "write_record", lambda *_: None)
        patch.setattr(policy, "write_record", lambda *_: None)
        train(new_net(), DATA, steps=80, out="run", overwrite=True, report=report)
    assert saving[0] <= clock[0] / 20 + 3 * cost  # the first, and the last, are made whatever they cost
    if cost < 0.2 and step < 1 and clock[0] < 1000:
        assert worst[0] + cost < 10


def test_the_first_step_is_saved(here: Path) -> None:
    steps = []
    train(
        new_net(),
        DATA,
        steps=3,
        out=here / "run",
        report=at(2, lambda: steps.append(Checkpoint.load(here / "run" / WEIGHTS).facts["step"])),
    )
    assert steps == [1]


def test_where_nothing_is_saved_resuming_starts_from_the_beginning(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = train(new_net(), DATA, steps=5, out=here / "whole")
    assert train(new_net(), DATA, steps=5, out=here / "part", resume=True) == whole
    assert "nothing is saved in " in capsys.readouterr().err
    assert weights(here / "part") == weights(here / "whole")


def test_no_clock_that_can_be_set_matters(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jumps = iter(range(10**9, 0, -(10**6)))
    monkeypatch.setattr(time, "time", lambda: float(next(jumps)))
    monkeypatch.setattr(time, "time_ns", lambda: next(jumps))
    assert train(new_net(), DATA, steps=50, out=here / "run")["steps"] == 50
    assert Checkpoint.load(here / "run" / WEIGHTS).facts["step"] == 50


def test_without_a_folder_nothing_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TwoLayer, "state_dict", lambda net: pytest.fail("copied"))
    train(new_net(), DATA, steps=5)


# --- signals


@pytest.mark.parametrize("number", STOPS, ids=lambda number: number.name)
def test_a_signal_saves_and_the_run_goes_on_bit_for_bit(number: signal.Signals, here: Path) -> None:
    options: dict[str, Any] = {"optimizer": "adam", "batch_size": 8, "steps": 20}
    whole = train(new_net(), DATA, out=here / "whole", **options)
    before = [signal.getsignal(n) for n in STOPS]
    with pytest.raises(Interrupted, match="after step 7 of 20; the run is saved in") as caught:
        train(new_net(), DATA, out=here / "part", report=at(7, raised(number)), **options)
    assert caught.value.number == number
    assert [signal.getsignal(n) for n in STOPS] == before
    assert train(new_net(), DATA, out=here / "part", resume=True) == whole
    assert weights(here / "part") == weights(here / "whole")


@pytest.mark.parametrize("number", STOPS, ids=lambda number: number.name)
def test_what_is_ignored_stays_ignored(number: signal.Signals) -> None:
    """A run under nohup, or in the background of a script, goes on."""
    before = signal.signal(number, signal.SIG_IGN)
    try:
        assert train(new_net(), DATA, steps=9, report=at(3, raised(number)))["steps"] == 9
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)


def test_a_second_sigterm_waits_for_the_save(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("tinygrad_lite.train.stop.monotonic", lambda: clock[0])

    def twice() -> None:
        for _ in range(2):
            signal.raise_signal(signal.SIGTERM)
            clock[0] += 5

    with pytest.raises(Interrupted):
        train(new_net(), DATA, steps=9, out=here / "run", report=at(2, twice))
    assert Checkpoint.load(here / "run" / WEIGHTS).facts["step"] == 2


def test_a_signal_before_the_first_step_replaces_nothing(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(new_net(), DATA, steps=3, out=here)
    before = weights(here), (here / "metrics.json").read_bytes()
    monkeypatch.setattr("tinygrad_lite.train.loop._batches", lambda *_: signal.raise_signal(signal.SIGTERM) or iter(()))
    with pytest.raises(Interrupted, match=r"interrupted after step 0 of 9$"):
        train(new_net(), DATA, steps=9, out=here, overwrite=True)
    assert (weights(here), (here / "metrics.json").read_bytes()) == before


# --- damaged checkpoints


def damaged(here: Path, contents: Callable[[bytes], Any]) -> Counter[str]:
    net = new_net()
    content = trained(here / "run", net, DATA)
    held = folders.Folder(here / "run")
    try:
        return Counter(outcome(held, net, changed) for changed in contents(content))
    finally:
        held.close()


def test_every_damaged_checkpoint_is_refused_or_harmless(here: Path) -> None:
    rng = random.Random(0)
    found = damaged(
        here, lambda content: [*list(flips(content))[::31], *list(cuts(content))[::9], *other_bytes(content, 100, rng)]
    )
    assert set(found) <= {"refused", "harmless"}, found
    assert found["refused"] > 0.9 * found.total()


@pytest.mark.slow
def test_every_flipped_bit_is_refused_or_harmless(here: Path) -> None:
    assert set(damaged(here, flips)) == {"refused", "harmless"}


def test_without_the_checksum_damage_is_not_seen(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "_checksum", lambda parts: "0" * 64)
    assert {"RESUMED FROM"} < set(damaged(here, lambda content: list(flips(content))[::31]))


def test_every_fact_is_covered(here: Path) -> None:
    train(new_net(), DATA, steps=3, out=here)
    content = weights(here)
    assert b'\\"lr\\": 0.1' in content
    (here / WEIGHTS).write_bytes(content.replace(b'\\"lr\\": 0.1', b'\\"lr\\": 0.3'))
    for options in ({"resume": True, "lr": 0.3}, {"resume": True}):
        with pytest.raises(TrainingError, match=r"weights\.safetensors: is damaged: its checksum"):
            train(new_net(), DATA, steps=5, out=here, **options)  # type: ignore[arg-type]
    with pytest.raises(TrainingError, match="is damaged"):
        load_weights(new_net(), here / WEIGHTS)


def test_weights_of_a_stranger_load_but_do_not_resume(here: Path) -> None:
    from safetensors.numpy import save_file

    facts = {"step": 3, "total": 9, "settings": {}, "curve": []}
    for text in (json.dumps(facts), "{half a dict", "[1]", "3", "{}", None):
        save_file(new_net(1).state_dict(), here / WEIGHTS, None if text is None else {"tinygrad_lite": text})
        load_weights(net := new_net(), here / WEIGHTS)
        np.testing.assert_array_equal(net.W1.numpy(), new_net(1).W1.numpy())
        with pytest.raises(TrainingError, match="holds weights, but no run"):
            train(new_net(), DATA, out=here, resume=True)
    for said in ("", "ab", "\ud800", 3, None):
        save_file(new_net().state_dict(), here / WEIGHTS, {"tinygrad_lite": json.dumps({"sha256": said})})
        with pytest.raises(TrainingError, match="is damaged"):
            load_weights(new_net(), here / WEIGHTS)


def test_a_saved_net_is_covered_too(here: Path) -> None:
    new_net().save("net.safetensors")
    content = bytearray(Path("net.safetensors").read_bytes())
    new_net().load("net.safetensors")
    content[-1] ^= 1
    Path("net.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match=r"net\.safetensors: is damaged"):
        new_net().load("net.safetensors")


def test_what_the_disk_changes_is_not_put_in_place(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(new_net(), DATA, steps=3, out=here)
    before = weights(here)
    pieces = state._pieces
    monkeypatch.setattr(state, "_pieces", lambda part: [piece[:-1] + b"?" for piece in pieces(part)])
    with pytest.raises(OSError, match="what was read back is not what was written"):
        train(new_net(), DATA, steps=5, out=here, resume=True)
    assert weights(here) == before


# --- what is in the folder already


def interrupted(here: Path) -> None:
    with pytest.raises(Interrupted):
        train(new_net(), DATA, steps=9, out=here, report=at(4, raised()))


def diverged(here: Path) -> None:
    with pytest.raises(Diverged):
        train(new_net(), DATA, steps=9, lr=1e30, out=here)


def broken(here: Path) -> None:
    (here / WEIGHTS).write_bytes(b"?")


THERE: list[tuple[Callable[[Path], object], str]] = [
    (lambda here: train(new_net(), DATA, steps=3, out=here), "a finished run of 3 steps"),
    (interrupted, "a run that has made 4 of 9 steps"),
    (diverged, "a run that diverged at step 2"),
    (broken, "a weights.safetensors that is damaged"),
    (lambda here: new_net().save(here / WEIGHTS), "weights that are no run"),
]


@pytest.mark.parametrize(("put", "what"), THERE, ids=[what for _, what in THERE])
def test_what_is_there_is_replaced_only_when_asked(
    put: Callable[[Path], object], what: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(here)
    before = weights(here)
    with pytest.raises(TrainingError, match=rf"holds {what}; .*--resume.*--overwrite"):
        train(new_net(1), DATA, steps=2, out=here)
    assert weights(here) == before
    during = []
    train(
        new_net(1),
        DATA,
        steps=2,
        out=here,
        overwrite=True,
        report=at(2, lambda: during.append(weights(here / "replaced"))),
    )
    assert during == [before]
    assert "is kept in " in capsys.readouterr().err
    assert weights(here) != before
    assert not (here / "replaced").exists()
    with pytest.raises(TrainingError, match="give one of them"):
        train(new_net(), DATA, out=here, resume=True, overwrite=True)


@pytest.mark.parametrize("stop", ["Ctrl-C", "divergence", "kill"])
def test_a_run_that_comes_to_nothing_does_not_cost_the_finished_one(
    stop: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(new_net(), DATA, steps=3, out=here)
    before = weights(here), (here / "metrics.json").read_bytes()
    for _ in range(2):  # the second replaces the first, and not the finished one
        if stop == "Ctrl-C":
            with pytest.raises(Interrupted):
                train(new_net(1), DATA, steps=9, out=here, overwrite=True, report=at(1, raised()))
        elif stop == "divergence":
            with pytest.raises(Diverged):
                train(new_net(1), DATA, lr=1e30, out=here, overwrite=True)
        else:
            with pytest.raises(KeyboardInterrupt), monkeypatch.context() as patch:
                patch.setattr(policy.Run, "save_if_due", raised_after_save)
                train(new_net(1), DATA, steps=9, out=here, overwrite=True)
        kept = here / "replaced"
        assert (weights(kept), (kept / "metrics.json").read_bytes()) == before
    train(new_net(1), DATA, steps=4, out=here, overwrite=True)
    assert not (here / "replaced").exists()


def raised_after_save(run: policy.Run) -> None:
    run.save()
    raise KeyboardInterrupt


def test_a_longer_run_that_diverges_does_not_cost_the_shorter(here: Path) -> None:
    class Bad(TwoLayer):
        def loss(self, X: Any, Y: Any) -> Any:
            return super().loss(X, Y) * (
                float("nan") if self.training and calls.append(1) is None and len(calls) > 3 else 1.0
            )

    calls: list[int] = []
    train(new_net(), DATA, steps=3, out=here)
    before = weights(here)
    net: Any = Bad(INPUTS, 3, CLASSES)
    Bad.__name__ = "TwoLayer"
    with pytest.raises(Diverged):
        train(net, DATA, steps=9, out=here, resume=True)
    assert weights(here / "replaced") == before


def test_two_trainings_do_not_share_a_folder(here: Path) -> None:
    whole = train(new_net(), DATA, steps=5, out=here / "whole")

    def second() -> None:
        for options in ({}, {"resume": True}, {"overwrite": True}):
            with pytest.raises(TrainingError, match="another training is saved there, and goes on"):
                train(new_net(1), DATA, out=here / "run", **options)  # type: ignore[arg-type]

    assert train(new_net(), DATA, steps=5, out=here / "run", report=at(3, second)) == whole
    assert weights(here / "run") == weights(here / "whole")


def test_what_killed_runs_left_is_removed_and_nothing_else(here: Path) -> None:
    left = [f".{WEIGHTS}.0a1b2c3d.tmp", f".{WEIGHTS}.4711", ".metrics.json.77.tmp", ".curve.png.1", ".graph.svg.2.tmp"]
    others = [".weights.other", "weights.safetensors.bak", ".net.safetensors.123.tmp", "notes.md"]
    for name in (*left, *others):
        (here / name).write_text("")
    (here / ".replaced.12ab").mkdir()
    train(new_net(), DATA, steps=1, out=here)
    assert sorted(path.name for path in here.iterdir()) == sorted([*others, ".lock", "metrics.json", WEIGHTS])


def test_what_a_live_run_is_writing_stays(here: Path) -> None:
    temporary = here / f".{WEIGHTS}.0a1b2c3d.tmp"

    def second() -> None:
        temporary.write_text("")
        with pytest.raises(TrainingError, match="another training"):
            train(new_net(), DATA, out=here)
        assert temporary.exists()

    train(new_net(), DATA, steps=2, out=here, report=at(1, second))


# --- disks, folders, data, weights


def test_a_full_disk_costs_no_more_than_the_steps_since_the_last_save(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(new_net(), DATA, steps=9, optimizer="adam", out=here / "whole")
    monkeypatch.setattr(policy, "SAVE_EVERY", -1.0)
    monkeypatch.setattr(policy, "SAVE_PART", 10**9)
    monkeypatch.setattr(policy, "SAVE_COST", 0)

    def full(_file: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with (
        monkeypatch.context() as patch,
        pytest.raises(OSError, match=rf"No space left on device: .*{WEIGHTS}") as caught,
    ):
        train(
            new_net(),
            DATA,
            steps=9,
            optimizer="adam",
            out=here / "run",
            report=at(5, lambda: patch.setattr(os, "fsync", full)),
        )
    assert caught.value.__notes__ == [f"the run is saved in {here / 'run'}, after step 4 of 9"]
    assert {path.name for path in (here / "run").iterdir()} == {WEIGHTS, ".lock"}
    assert train(new_net(), DATA, out=here / "run", resume=True) == whole


def test_a_folder_that_cannot_be_written_is_named(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    train(new_net(), DATA, steps=2, out=here)
    before = weights(here)
    monkeypatch.setattr(folders, "TemporaryFile", refuse)
    with pytest.raises(TrainingError, match=r"cannot write there \(Read-only file system\); name another"):
        train(new_net(), DATA, out=here, resume=True)
    assert weights(here) == before


def test_a_run_makes_its_folder_again_when_it_has_vanished(here: Path) -> None:
    whole = train(new_net(), DATA, steps=9, out=here / "whole")
    assert train(new_net(), DATA, steps=9, out=here / "run", report=at(4, lambda: shutil.rmtree(here / "run"))) == whole
    assert weights(here / "run") == weights(here / "whole")


def test_a_folder_that_has_become_another_runs_is_left_to_it(here: Path) -> None:
    def replaced() -> None:
        shutil.rmtree(here / "run")
        train(new_net(1), DATA, steps=2, out=here / "run")
        other.append(weights(here / "run"))

    other: list[bytes] = []
    with pytest.raises(TrainingError, match="holds a finished run of 2 steps"):
        train(new_net(), DATA, steps=9, out=here / "run", report=at(4, replaced))
    assert [weights(here / "run")] == other


def test_data_that_vanishes_costs_one_step(here: Path) -> None:
    class Reading(TwoLayer):
        def loss(self, X: Any, Y: Any) -> Any:
            return super().loss(X, Y) + 0 * len(source.read_bytes())

    source = here / "samples"
    source.write_text("")
    whole = train(Reading(INPUTS, 3, CLASSES), DATA, steps=9, out=here / "whole")
    with pytest.raises(FileNotFoundError, match="samples") as caught:
        train(Reading(INPUTS, 3, CLASSES), DATA, steps=9, out=here / "run", report=at(4, source.unlink))
    assert caught.value.__notes__ == [f"the run is saved in {here / 'run'}, after step 4 of 9"]
    source.write_text("")
    assert train(Reading(INPUTS, 3, CLASSES), DATA, out=here / "run", resume=True) == whole


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused_before_anything_is_replaced(value: float, here: Path) -> None:
    train(new_net(), DATA, steps=2, out=here)
    before = weights(here), (here / "metrics.json").read_bytes()
    net = new_net()
    net.b2.assign(np.full((CLASSES, 1), value))
    with pytest.raises(TrainingError, match="cannot be trained: there are NaN or infinite values in b2;"):
        train(net, DATA, out=here, overwrite=True)
    assert (weights(here), (here / "metrics.json").read_bytes()) == before


def test_a_first_loss_that_is_not_finite_replaces_nothing(here: Path) -> None:
    class Nan(TwoLayer):
        def loss(self, X: Any, Y: Any) -> Any:
            return softmax_cross_entropy(self(X), Y, axis=0).mean() * float("nan")

    train(new_net(), DATA, steps=2, out=here)
    before = weights(here), (here / "metrics.json").read_bytes()
    with pytest.raises(Diverged, match="no weights were saved"):
        train(Nan(INPUTS, 3, CLASSES), DATA, out=here, overwrite=True)
    assert (weights(here), (here / "metrics.json").read_bytes()) == before


# --- threads


def test_small_products_get_one_thread() -> None:
    from threadpoolctl import threadpool_info, threadpool_limits

    def threads() -> set[int]:
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    with threadpool_limits(2, "blas"):
        with blas_threads(TwoLayer(), 1_500):
            assert threads() == {1}
        with blas_threads(TwoLayer(), 60_000):  # 470 million multiplications
            assert threads() == {2}
        seen = []
        train(new_net(), DATA, steps=1, report=lambda *_: seen.append(threads()))
        assert seen == [{1}]
        assert threads() == {2}
