"""The command line and what it reads: commands, model files, pictures; every user error is a sentence and a code."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import signal
import struct
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Timer
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from PIL import EpsImagePlugin, Image, ImageDraw

import tinygrad_lite
from tinygrad_lite import cli
from tinygrad_lite.data import DataError, digits, lookup, picture
from tinygrad_lite.data.picture import read_picture
from tinygrad_lite.modelfile import ModelFileError, instantiate, load_model
from tinygrad_lite.train import record
from tinygrad_lite.train.checkpoint import Checkpoint
from tinygrad_lite.train.stop import STOPS

ROOT = Path(__file__).parents[1]
NOTES = ROOT / "models" / "mnist_two_layer.py"
PLOT, DRAW = record._plot, record._draw


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded digits as MNIST's four files."""
    folder = tmp_path_factory.mktemp("data")
    splits = digits()
    for name in lookup.FILES:
        split = splits.train if name.startswith("train") else splits.test
        array = np.uint8(split.labels) if "labels" in name else np.uint8(split.X.T.reshape(-1, 28, 28) * 255)
        header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
        (folder / name).write_bytes(header + array.tobytes())
    return folder


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test in a folder of its own, without pictures unless it asks for them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(record, "_plot", lambda path, metrics: None)
    monkeypatch.setattr(record, "_draw", lambda path, net, X, Y: None)
    return tmp_path


def run(*words: object) -> Result:
    result = CliRunner().invoke(cli.main, [str(word) for word in words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def fails(code: int, message: str, *words: object) -> Result:
    """The command ends with that code and one sentence, and no traceback."""
    result = run(*words)
    assert result.exit_code == code, result.output
    assert re.search(message, result.stderr), result.stderr
    assert "Traceback" not in result.output
    return result


def model(folder: Path, body: str, name: str = "net.py") -> Path:
    path = folder / name
    path.write_text("import numpy as np\nfrom tinygrad_lite import nn, softmax_cross_entropy\n" + body)
    return path


LINEAR = """
class Linear(nn.Module):
    def __init__(self, seed=0):
        self.W = nn.Parameter(np.zeros((10, 784), np.float32))

    def forward(self, X):
        return self.W @ X

    def loss(self, X, Y):
        return softmax_cross_entropy(self(X), Y, axis=0).mean()
"""


# --- the commands


def test_train_then_evaluate_then_predict(data: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "_plot", PLOT)
    monkeypatch.setattr(record, "_draw", DRAW)
    trained = run("train", NOTES, "--data", data, "--optimizer", "adam", "--batch-size", 64, "--epochs", 20)
    assert trained.exit_code == 0, trained.output
    last = trained.stdout.splitlines()[-1]
    assert re.fullmatch(r"test accuracy 0\.\d{4}", last)
    assert float(last.split()[-1]) > 0.8
    out = here / "runs" / "mnist_two_layer"
    files = [".lock", "curve.png", "graph.svg", "metrics.json", "weights.safetensors"]
    assert sorted(path.name for path in out.iterdir()) == files

    for source in (["--out", out], ["--weights", out / "weights.safetensors"], []):
        evaluated = run("evaluate", NOTES, "--data", data, *source)
        assert evaluated.exit_code == 0
        assert evaluated.stdout.splitlines()[-1] == last
        assert re.fullmatch(r"TwoLayer: \d+ test samples from \S.*", evaluated.stdout.splitlines()[0])
    rows = [line for line in evaluated.stdout.splitlines() if re.match(r"\W*[0-9] ", line)]
    assert len(rows) == 10

    test, right = digits().test, 0
    for i in range(20):
        Image.fromarray(np.uint8(test.X[:, i].reshape(28, 28) * 255)).save(f"{i}.png")
    predicted = run("predict", NOTES, *(f"{i}.png" for i in range(20)))
    for i, line in enumerate(predicted.stdout.splitlines()[::2]):
        name, guess = line.split()[:2]
        assert name == f"{i}.png:"
        right += int(guess) == test.labels[i]
    assert right > 14
    shares = [float(x) for x in re.findall(r"([\d.]+) %", predicted.stdout.splitlines()[1])]
    assert len(shares) == 10
    assert abs(sum(shares) - 100) < 1

    Image.new("L", (28, 28)).save("blank.png")
    assert run("predict", NOTES, "blank.png").stdout == "blank.png: blank; there is no digit in it\n"
    assert (
        run("train", NOTES, "--data", data, "--steps", 1, "--overwrite")
        .stdout.splitlines()[0]
        .endswith("(replaces the run saved there)")
    )


def test_a_model_that_gives_logits_predicts_probabilities(data: Path, here: Path) -> None:
    path = model(here, LINEAR)
    assert run("train", path, "--data", data, "--steps", 20).exit_code == 0
    seven("L", 255, 0).save("seven.png")
    shares = [float(x) for x in re.findall(r"([\d.]+) %", run("predict", path, "seven.png").stdout)]
    assert abs(sum(shares) - 100) < 1


def test_a_full_disk_is_one_sentence(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_file: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    fails(2, "weights.safetensors: No space left on device", "train", NOTES, "--data", data, "--steps", 1)


def test_resume_from_the_command_line(data: Path, here: Path) -> None:
    options = ["train", NOTES, "--data", data, "--batch-size", 32, "--optimizer", "momentum", "--seed", 4]
    assert run(*options, "--steps", 30, "--out", "whole").exit_code == 0
    assert run(*options, "--steps", 11, "--out", "part").exit_code == 0
    assert run(*options, "--steps", 30, "--out", "part", "--resume").exit_code == 0
    for name in ("weights.safetensors", "metrics.json"):
        assert (here / "whole" / name).read_bytes() == (here / "part" / name).read_bytes()
    fails(2, "lr was 0.1, now 0.3", *options, "--steps", 40, "--lr", 0.3, "--out", "part", "--resume")
    fails(2, r"run of 30 steps; .*\(--resume\).*\(--overwrite\)", *options, "--steps", 40, "--out", "part")
    assert "starting from the beginning" in run(*options, "--steps", 3, "--out", "nothing", "--resume").stderr


def test_a_diverging_run_is_a_failure(data: Path) -> None:
    result = fails(1, r"^diverged: the loss of step \d+ is nan", "train", NOTES, "--data", data, "--lr", 1e30)
    assert "test accuracy" not in result.stdout


def test_draw(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for suffix, start in ((".svg", b"<?xml"), (".png", b"\x89PNG"), (".pdf", b"%PDF"), (".dot", b"")):
        path = here / f"g{suffix}"
        assert run("draw", NOTES, "-o", path).stdout == f"wrote {path}\n"
        assert path.read_bytes().startswith(start)
    assert b"digraph" in (here / "g.dot").read_bytes()


def test_info(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(lookup.VARIABLE, str(data))
    result = run("info")
    assert result.exit_code == 0
    for line in (
        rf"tinygrad_lite +{tinygrad_lite.__version__}",
        f"numpy +{np.__version__}",
        f"{data}: complete",
        "pygraphviz",
        "dot program",
    ):
        assert re.search(line, result.stdout), line


def test_version_and_help() -> None:
    assert run("--version").stdout == f"tinygrad-lite, version {tinygrad_lite.__version__}\n"
    for command in ("train", "evaluate", "predict", "draw", "info"):
        assert command in run("--help").stdout
        assert run(command, "--help").exit_code == 0


# --- user errors


def test_user_errors(data: Path, here: Path) -> None:
    (here / "file").write_text("not a picture, not weights, not a folder")
    (here / "net.txt").write_text("")
    small = model(here, LINEAR.replace("784", "12"), "small.py")
    stateless = model(here, LINEAR.replace("def loss", "def cost"), "no_loss.py")
    raising = model(here, LINEAR.replace("return self.W @ X", "return self.W @ unknown"), "raising.py")
    needy = model(here, LINEAR.replace("seed=0", "hidden"), "needy.py")
    cases: list[tuple[str, list[object]]] = [
        ("nowhere.py: no such file", ["train", "nowhere.py"]),
        ("net.txt: not a Python file", ["draw", "net.txt"]),
        ("nodata: no such folder; put", ["train", NOTES, "--data", "nodata"]),
        (r"file: cannot write there \(", ["train", NOTES, "--data", data, "--out", "file"]),
        (
            r"small.py, line \d+ \(return self.W @ X\): ValueError: matmul: W \(10×12\)",
            ["train", small, "--data", data],
        ),
        ("defines no loss", ["train", stateless, "--data", data]),
        (r"raising.py, line \d+ .*: NameError: name 'unknown'", ["train", raising, "--data", data]),
        (r"Linear\(hidden\) cannot be made without arguments", ["train", needy, "--data", data]),
        ("weights.safetensors: no such file; train first", ["evaluate", NOTES, "--data", data]),
        ("file: no arrays can be read", ["evaluate", NOTES, "--data", data, "--weights", "file"]),
        ("both say how long", ["train", NOTES, "--data", data, "--steps", 3, "--epochs", 3]),
        ("positive number, not -1.0", ["train", NOTES, "--data", data, "--lr", -1]),
        ("positive number, not nan", ["train", NOTES, "--data", data, "--lr", "nan"]),
        ("Invalid value for '--steps'", ["train", NOTES, "--steps", 0]),
        ("Invalid value for '--optimizer'", ["train", NOTES, "--optimizer", "sdg"]),
        ("No such command 'trian'", ["trian", NOTES]),
        ("No such option", ["train", NOTES, "--stepps", 3]),
        ("Missing argument", ["predict", NOTES]),
    ]
    assert run("train", NOTES, "--data", data, "--steps", 1, "--out", "run").exit_code == 0
    cases += [
        ("nodata: no such folder; put", ["evaluate", NOTES, "--data", "nodata", "--out", "run"]),
        ("file: no picture, or a damaged one; give a picture: PNG, JPEG", ["predict", NOTES, "file", "--out", "run"]),
        (
            "none.png: no such file; give the path of a picture",
            ["predict", NOTES, "none.png", "--out", "run"],
        ),
        (
            r"the state does not fit Linear: .*W is missing",
            ["evaluate", small, "--data", data, "--out", "run"],
        ),
    ]
    for message, words in cases:
        result = fails(2, message, *words)
        assert len(result.stderr.splitlines()) == 1 or result.stderr.startswith("Usage")


RANDOM = LINEAR.replace(
    "(self, seed=0):", "(self):\n        self.R = random.generator().normal(size=(784, 1)).astype(np.float32)"
).replace("self.W @ X", "self.W @ (self.R * X)")


def test_what_a_model_draws_for_itself_comes_from_the_seed_of_the_run(data: Path, here: Path) -> None:
    """Random numbers that are no parameters are in no file: they are drawn again when the model is made."""
    path = model(here, "from tinygrad_lite import random\n" + RANDOM)
    words = ["train", path, "--data", data, "--out", "run"]
    last = run(*words, "--steps", 9, "--seed", 5).stdout.splitlines()[-1]
    assert run("evaluate", path, "--data", data, "--out", "run").stdout.splitlines()[-1] == last
    assert run(*words, "--steps", 4, "--seed", 5, "--overwrite").exit_code == 0
    assert run(*words, "--steps", 9, "--resume").stdout.splitlines()[-1] == last
    assert run(*words, "--steps", 9, "--overwrite").stdout.splitlines()[-1] != last  # the mutant: seed 0
    run(*words, "--lr", 1e30, "--seed", 5, "--overwrite")  # diverges
    assert run("evaluate", path, "--data", data, "--out", "run").exit_code == 0
    assert Checkpoint.load(here / "run" / "weights.safetensors").seed == 5


OWN_DATA = (
    "from tinygrad_lite.data import digits\n" + LINEAR + "\n    def data(self, source):\n        return digits()\n"
)


def test_what_a_model_file_gets_wrong_is_said_of_that_file(here: Path) -> None:
    wrong = [
        (
            "return digits()",
            "return digits().train",
            r"net.py: Linear.data: the data must be a data.Dataset.*, not Split",
        ),
        ("data(self, source)", "data(self)", r"net.py: Linear.data must be a method data\(self, source\)"),
        ("def data(self, source):\n        return digits()", "data = 5", r"net.py: Linear.data must be a method"),
        (
            "self.W = ",
            "self.train = self.W = ",
            r"net.py, line \d+ .*: AttributeError: train is a method of every module",
        ),
        ("self.W = ", "raise SystemExit(0); self.W = ", r"net.py, line \d+ \(raise.*\): SystemExit: 0$"),
        ("return softmax", "import sys; sys.exit(); return softmax", r"net.py, line \d+ .*: SystemExit$"),
    ]
    for old, new, message in wrong:
        assert old in OWN_DATA
        fails(2, message, "train", model(here, OWN_DATA.replace(old, new)), "--steps", 2)


def test_an_error_in_a_later_step_says_how_to_go_on(here: Path) -> None:
    body = OWN_DATA + "\n    recipe = {'batch_size': 1499, 'epochs': 2}\n"
    path = model(here, body.replace("return softmax", "assert X.shape[1] > 1\n        return softmax"))
    result = fails(2, r"(?m)net.py, line \d+ .*: AssertionError$", "train", path)
    assert result.stderr.splitlines()[1:] == [
        "the run is saved in runs/net, after step 1 of 4",
        f"resume with: main train {path} --resume",
    ]
    model(here, body)  # repaired
    assert run("train", path, "--resume").exit_code == 0


def test_drawing_errors(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fails(2, "its suffix must be", "draw", NOTES, "-o", "g.jpeg")
    fails(2, "nowhere does not exist", "draw", NOTES, "-o", "nowhere/g.svg")
    fails(2, "Linear cannot be drawn: .*shape", "draw", model(here, LINEAR))


def test_an_error_of_ours_says_so_and_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: Path) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(cli, "load_model", broken)
    fails(3, r"^error: KeyError: 'a bug' \(test_cli.py, line \d+\); this is a fault of tinygrad-lite", "draw", NOTES)
    result = run("--debug", "draw", NOTES)
    assert result.exit_code == 3
    assert "Traceback" in result.stderr


def test_debug_shows_what_an_error_of_the_model_arose_from(here: Path) -> None:
    result = run("--debug", "draw", model(here, "1 / 0\n"))
    assert result.exit_code == 2
    assert "\nZeroDivisionError: division by zero\n" in result.stderr


DEEP = "N = 1" + " + 1" * 50_000 + "\n"  # Python 3.13 takes 5,000


@pytest.mark.parametrize("words", [["train"], ["draw"], ["derive"], ["verify"]])
def test_a_file_that_is_nested_too_deeply(words: list[str], here: Path) -> None:
    words = [
        *words,
        str(model(here, LINEAR + DEEP)),
        *([str(ROOT / "models/handwritten.py")] if "verify" in words else []),
    ]
    fails(2, "net.py: an expression in it is too deeply nested for Python", *words)


SIGNATURES = [
    ("def loss(self, X, Y)", "def loss(self, X)", r"Linear.loss\(self, X\) is called as loss\(X, Y\): too many"),
    ("def loss(self, X, Y)", "def loss(X, Y)", r"Linear.loss\(X, Y\) is called as loss\(X, Y\): too many"),
    ("def loss(self, X, Y)", "def loss(self, X, Y, Z)", r"called as loss\(X, Y\): missing a required argument: 'Z'"),
    ("def forward(self, X)", "def forward(self)", r"Linear.forward\(self\) is called as forward\(X\): too many"),
    (
        "def forward(self, X)",
        "def forward(self, X, Z)",
        r"missing a required argument: 'Z'; write def forward\(self, X\)",
    ),
]


@pytest.mark.parametrize(("old", "new", "message"), SIGNATURES, ids=[new for _, new, _ in SIGNATURES])
def test_methods_that_take_something_else(old: str, new: str, message: str, here: Path) -> None:
    assert old in OWN_DATA
    fails(2, message, "train", model(here, OWN_DATA.replace(old, new)), "--steps", 2)


def test_further_arguments_with_defaults_are_no_error(here: Path) -> None:
    body = OWN_DATA.replace("def loss(self, X, Y)", "def loss(self, X, Y, weight=1, *more, **others)")
    assert run("train", model(here, body), "--steps", 2).exit_code == 0


def test_an_error_in_a_file_beside_the_model_is_said_of_that_file(here: Path) -> None:
    (here / "base_of_net.py").write_text(
        "from tinygrad_lite import nn\nclass Base(nn.Module):\n    def __init__(self):\n        1 / 0\n"
    )
    try:
        path = model(here, "from base_of_net import Base\nclass Net(Base): pass\n")
        fails(2, r"base_of_net.py, line 4 \(1 / 0\): ZeroDivisionError", "train", path)
    finally:
        sys.modules.pop("base_of_net", None)


def test_a_null_byte_in_any_path(here: Path) -> None:
    for words in (["train", "a\0.py"], ["train", NOTES, "--data", "\0"], ["draw", NOTES, "-o", "\0.svg"]):
        fails(2, "null byte", *words)
    with pytest.raises(ModelFileError, match="no name of a file"):
        load_model("a\0.py")


def test_a_model_file_that_changes_the_folder(here: Path) -> None:
    (here / "elsewhere").mkdir()
    path = model(here, "import os\nos.chdir('elsewhere')\n" + OWN_DATA)
    assert run("train", path.name, "--steps", 1, "--out", "run").exit_code == 0
    assert (here / "run" / "weights.safetensors").exists()


def test_a_pipe_is_no_model_file(here: Path) -> None:
    os.mkfifo("pipe.py")
    fails(2, "pipe.py: cannot be read .a pipe or a device", "draw", "pipe.py")


# --- in a process of its own


LIMIT = 120  # seconds: no child lives longer


@contextmanager
def start(*words: object, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own, which is killed when the block or its time ends."""
    command = [sys.executable, "-m", "tinygrad_lite", *map(str, words)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "encoding": "utf-8"}
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    with subprocess.Popen(command, env=environment, **(pipes | options)) as child:
        timer = Timer(LIMIT, child.kill)
        timer.start()
        try:
            yield child
        finally:
            timer.cancel()
            child.kill()


@pytest.mark.parametrize("number", STOPS, ids=lambda number: number.name)
def test_a_signal_saves_and_says_how_to_resume(number: signal.Signals, data: Path, here: Path) -> None:
    words = ["train", NOTES, "--data", data, "--batch-size", 1, "--steps", 10_000_000, "--out", "a run", "--overwrite"]
    with start(*words) as child:
        assert child.stdout is not None
        assert child.stdout.readline().startswith("TwoLayer: 7,960 parameters, 1,500 samples from")
        assert child.stdout.readline().startswith("step 1/10000000  loss")
        child.send_signal(number)
        out, err = child.communicate(timeout=LIMIT)
    assert child.returncode == 128 + number
    assert "test accuracy" not in out
    stopped, resume = err.splitlines()[-2:]
    found = re.fullmatch(r"interrupted after step (\d+) of 10000000; the run is saved in a run", stopped)
    assert found, err
    line = " ".join(str(word) for word in words[:-2])
    assert resume == f"resume with: tinygrad-lite {line} 'a run' --resume"
    assert json.loads((here / "a run" / "metrics.json").read_text())["steps"] == int(found[1])
    words[words.index(10_000_000)] = int(found[1]) + 5
    assert run(*words[:-1], "--resume").exit_code == 0


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="a terminal that closes")
def test_a_terminal_that_closes_leaves_the_run_saved(data: Path, here: Path) -> None:
    """Writing to it fails from then on: what sends SIGHUP takes the terminal away too."""
    ours, theirs = os.openpty()
    words = ["train", NOTES, "--data", data, "--batch-size", 1, "--steps", 10_000_000, "--out", "run"]
    with start(*words, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as child:
        os.close(theirs)
        shown = b""
        while b"/10000000" not in shown:
            shown += os.read(ours, 1000)
        os.close(ours)
        child.send_signal(signal.SIGHUP)
        assert child.wait(LIMIT) == 128 + signal.SIGHUP
    assert json.loads((here / "run" / "metrics.json").read_text())["state"] == "interrupted"


def test_no_traceback_and_the_exit_code_of_the_process() -> None:
    with start("train", "nowhere.py") as child:
        out, err = child.communicate(timeout=LIMIT)
    assert child.returncode == 2
    assert (out, err) == ("", "error: nowhere.py: no such file; give the path of a Python file\n")


@pytest.mark.parametrize("place", ["tinygrad_lite/tensor.py", "tinygrad_lite/cli.py", "click/core.py", "rich/table.py"])
@pytest.mark.parametrize("command", [["-m", "tinygrad_lite"], ["tinygrad-lite"]], ids=["module", "script"])
def test_ctrl_c_while_the_command_loads(place: str, command: list[str], here: Path) -> None:
    """At a fixed moment instead of a random time: when a certain file is opened."""
    (here / "sitecustomize.py").write_text(
        "import os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def hook(event, args, sent=[]):\n"
        f"    if event == 'open' and not sent and {Path(place).with_suffix('').name!r} + '.' in str(args[0]) "
        f"and {Path(place).parts[0]!r} in str(args[0]):\n"
        "        sent.append(1); os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.addaudithook(hook)\n"
    )
    (here / "tinygrad-lite").write_text("from tinygrad_lite.cli import main\nmain()\n")
    environment = {**os.environ, "PYTHONPATH": f"{here}{os.pathsep}{ROOT}"}
    words = [sys.executable, *command, "evaluate", str(NOTES)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (130, "interrupted\n")


def test_output_that_cannot_be_written(here: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-m", "tinygrad_lite", "info"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    assert done.returncode == 2
    assert done.stderr == "error: the output: No space left on device; name another file or folder\n"


def test_the_optimizers_offered_are_those_there_are() -> None:
    from tinygrad_lite import cli, train

    assert list(train.OPTIMIZERS) == cli.OPTIMIZERS


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from tinygrad_lite.cli import main; main(['--help'], standalone_mode=False); "
        "print(sorted(set(sys.modules) & {'matplotlib', 'PIL', 'rich', 'graphviz', 'hypothesis', 'safetensors', "
        "'jaxtyping', 'tinygrad_lite.draw', 'tinygrad_lite.train', 'tinygrad_lite.data'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=LIMIT
    )
    assert done.stdout.splitlines()[-1] == "[]"


# --- model files


def test_a_model_file_is_loaded_without_making_the_model(here: Path) -> None:
    path = model(here, LINEAR.replace("self.W =", "raise AssertionError; self.W ="))
    assert load_model(path).__name__ == "Linear"
    assert not list(here.glob("**/__pycache__"))


def test_its_folder_is_importable_meanwhile(here: Path) -> None:
    (here / "helper_of_net.py").write_text("from tinygrad_lite import nn\nclass Inner(nn.Module): pass\n")
    before = list(sys.path)
    try:
        found = load_model(model(here, "from helper_of_net import Inner\n" + LINEAR))
    finally:
        sys.modules.pop("helper_of_net", None)
    assert found.__name__ == "Linear"
    assert sys.path == before


def test_files_of_one_name_do_not_disturb_each_other(here: Path) -> None:
    models = []
    for name, rows in (("a", 3), ("b", 4)):
        (here / name).mkdir()
        models.append(load_model(model(here / name, f"SIZE = {rows}\n{LINEAR.replace('10', 'SIZE')}")))
    shapes = [instantiate(cls).parameters()[0].shape for cls in models]
    assert shapes == [(3, 784), (4, 784)]


NET = "class Net(nn.Module): pass\n"


@pytest.mark.parametrize(
    "body",
    [
        "class Layer(nn.Module): pass\nclass Net(nn.Module):\n  def __init__(self): self.a = Layer()\n",
        "class Base(nn.Module): pass\nclass Net(Base): pass\n",
        NET + "Alias = Net\n",
        NET + "def main(): return Net()\n",
    ],
)
def test_the_model_that_no_other_uses(body: str, here: Path) -> None:
    assert load_model(model(here, body)).__name__ == "Net"


def test_two_models_that_have_nothing_to_do_with_each_other(here: Path) -> None:
    with pytest.raises(ModelFileError, match=r"several models \(Net, Other\).*keep one"):
        load_model(model(here, NET + NET.replace("Net", "Other")))


BAD_FILES = [
    ("class Net(nn.Module:\n    pass\n", r"net.py, line 3: .*: class Net\(nn.Module:"),
    (
        "import no_such_module_at_all\n",
        r"net.py, line 3 \(import no_such_module_at_all\): ModuleNotFoundError when",
    ),
    (
        "x = 1\n1 / 0\n",
        r"net.py, line 4 \(1 / 0\): ZeroDivisionError when the file was run: division by zero",
    ),
    ("raise SystemExit(3)\n", r"net.py, line 3 .*: SystemExit"),
    ("class Net: pass\n", r"net.py: defines no nn.Module class; write `class Net"),
    ("from tinygrad_lite.nn import Module\n", "defines no nn.Module class"),
    ("\0", "null byte"),
]


@pytest.mark.parametrize(("body", "message"), BAD_FILES, ids=[message for _, message in BAD_FILES])
def test_bad_model_files(body: str, message: str, here: Path) -> None:
    path, before = model(here, body), set(sys.modules)
    with pytest.raises(ModelFileError, match=message):
        load_model(path)
    assert set(sys.modules) <= before
    fails(2, message, "draw", path)


@given(content=st.binary(max_size=60))
def test_any_bytes_are_a_model_file_error(content: bytes) -> None:
    """Short random bytes: no class fits in them, and most are no Python at all."""
    Path("bytes.py").write_bytes(content)
    with pytest.raises(ModelFileError, match=r"bytes\.py"):
        load_model("bytes.py")


def test_a_folder_is_no_model_file(here: Path) -> None:
    (here / "folder.py").mkdir()
    with pytest.raises(ModelFileError, match="cannot be read"):
        load_model("folder.py")


def test_the_seed_reaches_a_model_that_takes_one(here: Path) -> None:
    a, b = (instantiate(load_model(NOTES), seed).parameters()[0].numpy() for seed in (1, 2))
    assert (a != b).any()
    seedless = load_model(model(here, LINEAR.replace(", seed=0", "")))
    assert instantiate(seedless, 3).parameters()[0].shape == (10, 784)


# --- pictures


def seven(mode: str, ink: Any, paper: Any, size: tuple[int, int] = (150, 220)) -> Image.Image:
    image = Image.new(mode, size, paper)
    ImageDraw.Draw(image).line([(40, 60), (110, 60), (65, 180)], fill=ink, width=16)
    return image


def modes() -> Iterator[tuple[str, Image.Image, bool]]:
    """One picture in many modes, and whether it has to be inverted."""
    yield "grey, white on black", seven("L", 255, 0), False
    yield "grey, black on white", seven("L", 0, 255), True
    yield "one bit", seven("1", 0, 1), True
    yield "RGB, blue on cream", seven("RGB", (10, 10, 90), (250, 245, 230)), True
    yield "palette", seven("RGB", (0, 0, 0), (255, 255, 255)).convert("P"), True
    yield "grey with alpha", seven("LA", (0, 255), (255, 255)), True
    yield "RGBA, black on nothing", seven("RGBA", (0, 0, 0, 255), (0, 0, 0, 0)), True
    yield "RGBA, white on nothing", seven("RGBA", (255, 255, 255, 255), (0, 0, 0, 0)), False
    sixteen = np.asarray(seven("L", 0, 255)).astype(np.uint16) * 257
    yield "16 bit", Image.fromarray(sixteen), True


@pytest.mark.parametrize(("image", "inverted"), [m[1:] for m in modes()], ids=[m[0] for m in modes()])
def test_every_mode_gives_the_same_digit(image: Image.Image, inverted: bool) -> None:
    seven("L", 255, 0).save("reference.png")
    image.save("image.png")
    reference, _ = read_picture("reference.png")
    pixels, found = read_picture("image.png")
    assert found is inverted
    assert (pixels.shape, pixels.dtype) == ((784,), np.float32)
    assert pixels.min() >= 0
    assert pixels.max() <= 1
    np.testing.assert_allclose(pixels, reference, atol=0.15)


def test_a_picture_of_28_by_28_stays_as_it_is() -> None:
    pixels = np.random.default_rng(0).integers(0, 60, (28, 28), np.uint8)
    Image.fromarray(pixels).save("a.png")
    np.testing.assert_array_equal(read_picture("a.png")[0], pixels.reshape(-1) / np.float32(255))


@given(scale=st.integers(1, 5), dx=st.integers(0, 60), dy=st.integers(0, 60))
def test_size_and_place_do_not_matter(scale: int, dx: int, dy: int) -> None:
    """As in MNIST: the ink fits a box of 20×20, and its centre of mass is in the middle, within a pixel."""
    image = Image.new("L", (80 * scale + dx, 90 * scale + dy))
    box = [dx + 5, dy + 5, dx + 5 + 40 * scale, dy + 5 + 60 * scale]
    ImageDraw.Draw(image).ellipse(box, outline=255, width=6 * scale)
    image.save("ring.png")
    picture = read_picture("ring.png")[0].reshape(28, 28)
    rows, columns = np.nonzero(picture > 0.1)
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
    for axis in (0, 1):
        assert abs(np.average(np.indices((28, 28))[axis], weights=picture) - 13.5) <= 1


def test_a_blank_picture_is_blank() -> None:
    Image.new("L", (50, 40), 255).save("blank.png")
    pixels, inverted = read_picture("blank.png")
    assert inverted
    assert not pixels.any()


def damaged(image: Image.Image) -> bytes:
    image.save("whole.png")
    whole = Path("whole.png").read_bytes()
    return whole[: len(whole) // 2]


@pytest.mark.parametrize("content", [lambda: b"", lambda: b"GIF89a", lambda: damaged(seven("L", 0, 255))])
def test_unreadable_pictures(content: Callable[[], bytes]) -> None:
    Path("bad.png").write_bytes(content())
    with pytest.raises(DataError, match=r"bad\.png: .*; give a picture"):
        read_picture("bad.png")


def test_a_picture_that_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    seven("L", 0, 255).save("large.png")
    monkeypatch.setattr(picture, "MOST_PIXELS", 1000)
    with pytest.raises(DataError, match=r"large\.png: more than 1,000 pixels"):
        read_picture("large.png")


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = chunk(b"IDAT", zlib.compress(bytes((28 + 1) * 28)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks) + rows + chunk(b"IEND", b"")


ZEROS = zlib.compress(bytes(20_000_000), 9)
HOSTILE = {
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 28 28\n(written) (w) file closefile\n",
    "a billion pixels": png(60_000, 60_000),
    "zTXt bomb": png(28, 28, chunk(b"zTXt", b"a\0\0" + ZEROS)),
    "iCCP bomb": png(28, 28, chunk(b"iCCP", b"a\0\0" + ZEROS)),
    "iTXt bomb": png(28, 28, chunk(b"iTXt", b"a\0\1\0\0\0" + ZEROS)),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_picture_is_refused_in_little_memory(content: bytes) -> None:
    Path("digit.png").write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(
            DataError, match=r"digit\.png: (no picture, or a damaged one|more than 50,000,000 pixels); "
        ):
            read_picture("digit.png")
        assert tracemalloc.get_traced_memory()[1] < 10e6
    finally:
        tracemalloc.stop()
    assert not Path("written").exists()


def test_postscript_is_not_even_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []
    monkeypatch.setattr(EpsImagePlugin.EpsImageFile, "_open", lambda file: opened.append(file))
    Path("digit.png").write_bytes(HOSTILE["PostScript"])
    with pytest.raises(DataError):
        read_picture("digit.png")
    assert not opened
    with suppress(Exception):
        Image.open("digit.png")
    assert opened  # the mutant: Pillow left to itself


def test_only_files_are_opened_as_pictures(here: Path) -> None:
    os.mkfifo("pipe.png")
    Path("folder.png").mkdir()
    for name, message in (("pipe.png", "a pipe or a device"), ("folder.png", "Is a directory"), ("/dev/zero", "pipe")):
        with pytest.raises(DataError, match=rf"{name}: .*{message}.*; give a picture"):
            read_picture(name)


@given(data=st.data(), kind=st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"]))
def test_a_damaged_picture_is_read_or_refused(data: st.DataObject, kind: str) -> None:
    stream = io.BytesIO()
    seven("L", 0, 255).save(stream, kind)
    content = bytearray(stream.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    Path("damaged").write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        pixels, _ = read_picture("damaged")
    except DataError as error:
        assert str(error).startswith("damaged: ")  # noqa: PT017
    else:
        assert pixels.shape == (784,)
        assert pixels.min() >= 0
        assert pixels.max() <= 1


def test_dust_is_no_digit_and_a_thin_line_is_one() -> None:
    def drawn(*places: tuple[int, int, int, int]) -> float:
        page = Image.new("L", (1000, 1000), 255)
        for place in places:
            ImageDraw.Draw(page).rectangle(place, fill=0)
        page.save("page.png")
        return float(read_picture("page.png")[0].sum())

    assert drawn((3, 5, 3, 5), (990, 985, 990, 985)) == 0
    assert drawn((0, 500, 0, 500)) == 0
    assert drawn((500, 10, 500, 990)) == pytest.approx(20)
    assert drawn((10, 500, 990, 500)) == pytest.approx(20)
    assert drawn((0, 0, 999, 999)) == 0
    assert drawn((500, 500, 503, 503)) > 50  # small, but drawn


# --- verify, derive, check-notes ----------------------------------------------------------------------------------------


def command(*words: object, **environment: str) -> subprocess.CompletedProcess[bytes]:
    code = "from tinygrad_lite.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        capture_output=True,
        env={**os.environ, **environment},
        timeout=LIMIT,
    )


def test_what_a_file_prints_is_no_json(tmp_path: Path) -> None:
    formulas = tmp_path / "printing.py"
    formulas.write_text((ROOT / "models/handwritten.py").read_text("utf-8") + "\nprint('hello')\n", "utf-8")
    result = command("verify", ROOT / "models/mnist_two_layer.py", formulas, "--examples", 12, "--json")
    assert {row["verdict"] for row in json.loads(result.stdout)} == {"right"}
    assert b"hello" in result.stderr


def test_notes_are_not_overwritten(tmp_path: Path) -> None:
    notes = tmp_path / "notes.md"
    notes.write_text("$Z1 = W1 X + b1$")
    result = CliRunner().invoke(cli.main, ["check-notes", str(notes), "-o", str(tmp_path / "." / "notes.md")])
    assert result.exit_code == 2
    assert "would overwrite the notes" in result.output
    assert notes.read_text() == "$Z1 = W1 X + b1$"


def test_a_terminal_that_cannot_write_greek_gets_question_marks() -> None:
    result = command("derive", ROOT / "models/mnist_two_layer.py", PYTHONIOENCODING="cp1252")
    assert result.returncode == 0
    assert b"dW2 = 1/m dZ2 A1?" in result.stdout
