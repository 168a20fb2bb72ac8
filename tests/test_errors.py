"""Every error of the command line that docs/errors.md lists is provoked: its words, its exit code, and no traceback."""

from __future__ import annotations

import os
import re
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from filelock import FileLock
from PIL import Image

from tests.benchmarks import hostile
from tinygrad_lite import cli

PAGE = (Path(__file__).parents[1] / "docs" / "errors.md").read_text("utf-8")
ROWS = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in re.findall(r"(?m)^\| .*\|$", PAGE)]
ROWS = [row for row in ROWS if row[0] != "cause"]

NET = """
from tinygrad_lite import mean, nn, softmax
from tinygrad_lite.data import digits
import numpy as np
class Net(nn.Module):
    def __init__(self):
        self.W = nn.Parameter(np.zeros((10, 784), np.float32))
    def forward(self, X):
        return self.W @ X
    def loss(self, X, Y):
        return mean(self(X) ** 2)
    def data(self, source):
        return digits()
"""
LOSS = "return mean(self(X) ** 2)"
TRAIN = ["train", "net.py", "--steps", "2"]


def net(old: str = "", new: str = "") -> None:
    assert old in NET
    Path("net.py").write_text(NET.replace(old, new) if old else NET)


def file(content: str | bytes, name: str = "net.py") -> None:
    Path(name).write_bytes(content.encode() if isinstance(content, str) else content)


def trained() -> None:
    net("    def data(self, source):\n        return digits()\n", "")
    from tinygrad_lite.modelfile import instantiate, load_model

    Path("runs/net").mkdir(parents=True)
    instantiate(load_model("net.py")).save("runs/net/weights.safetensors")


def of_another() -> None:
    trained()
    net("(10, 784)", "(11, 784)")


def notes_network() -> None:
    file((Path(__file__).parents[1] / "models" / "mnist_two_layer.py").read_bytes())


def huge() -> None:
    trained()
    header = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    rest = [header, b"IDAT" + zlib.compress(b""), b"IEND"]
    chunks = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in rest]
    file(b"\x89PNG\r\n\x1a\n" + b"".join(chunks), "huge.png")


def postscript() -> None:
    trained()
    file("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 28 28\n{} loop\n", "digit.png")


def saved() -> None:
    net()
    assert CliRunner().invoke(cli.main, TRAIN).exit_code == 0


def damaged() -> None:
    saved()
    weights = Path("runs/net/weights.safetensors")
    content = bytearray(weights.read_bytes())
    content[-5] ^= 1
    weights.write_bytes(content)


def taken() -> None:
    """The lock of another training, which goes with the test: it is held by a file that lives as long as its folder."""
    saved()
    held.append(FileLock(next(Path("runs/net").glob("*lock*")).resolve()))
    held[-1].acquire()


held: list[FileLock] = []


def mnist(cut: int | None = None, magic: int = 3, labels: int = 9, without: str = "") -> None:
    """A folder of MNIST of which the images of training are cut short, or another thing, or the labels are too many."""
    net("        return digits()", "        from tinygrad_lite.data import mnist\n        return mnist(source)")
    Path("mnist").mkdir()
    for name, shape in (("train", (9, 28, 28)), ("t10k", (4, 28, 28))):
        images = bytes([0, 0, 8, magic]) + struct.pack(">3I", *shape) + bytes(28 * 28 * shape[0])
        count = labels if name == "train" else 4
        file(images[: cut if name == "train" else None], f"mnist/{name}-images-idx3-ubyte")
        file(bytes([0, 0, 8, 1]) + struct.pack(">I", count) + bytes(count), f"mnist/{name}-labels-idx1-ubyte")
    if without:
        Path("mnist", without).unlink()


def hand_in(body: str) -> None:
    notes_network()
    file(f"def backward(X, Y, W1, b1, W2, b2):\n    {body}\n", "hw.py")


def notes(text: str = "Z1 = W1 X + b1, A1 = sigmoid(Z1)\n\ndZ1 = A1 - Y\n") -> None:
    file(text, "notes.md")


def picture(kept: int | None = None) -> None:
    """A white picture, or one of noise that breaks off."""
    trained()
    image = Image.new("L", (28, 28), 255) if kept is None else Image.effect_noise((60, 60), 50)
    image.save("digit.png")
    file(Path("digit.png").read_bytes()[:kept], "digit.png")


DRAW = ["draw", "net.py"]
VERIFY = ["verify", "net.py", "net.py"]
HAND_IN = ["verify", "net.py", "hw.py", "--examples", "3"]
NOTES = ["check-notes", "notes.md"]
Cause = tuple[Callable[[], object], list[str]]
PROVOKE: dict[str, Cause] = {
    "a command that is none": (list, ["trian"]),
    "an option that is none": (list, ["train", "net.py", "--stepps", "3"]),
    "a null byte in a path": (list, ["draw", "net\0.py"]),
    "no such model file": (list, ["draw", "nowhere.py"]),
    "a file that is not Python": (lambda: file("", "net.txt"), ["draw", "net.txt"]),
    "a folder instead of a file": (lambda: Path("folder.py").mkdir(), ["draw", "folder.py"]),
    "a pipe instead of a file": (lambda: os.mkfifo("pipe.py"), ["draw", "pipe.py"]),
    "a syntax error": (lambda: file("class Net(:"), DRAW),
    "an expression nested too deeply": (lambda: file("N = 1" + " + 1" * 50_000), DRAW),
    "a file without a model": (lambda: file("x = 1"), DRAW),
    "several models in a file": (
        lambda: file("from tinygrad_lite import nn\nclass A(nn.Module): pass\nclass B(nn.Module): pass\n"),
        DRAW,
    ),
    "an error when the file runs": (lambda: file("1 / 0"), DRAW),
    "a file that calls exit": (lambda: file("raise SystemExit(3)"), DRAW),
    "a relative import": (lambda: file("from . import helper"), DRAW),
    "a constructor with arguments": (lambda: net("def __init__(self)", "def __init__(self, hidden)"), DRAW),
    "no loss": (lambda: net("def loss", "def cost"), TRAIN),
    "a loss that takes something else": (lambda: net("loss(self, X, Y)", "loss(self, X)"), TRAIN),
    "a forward that takes something else": (lambda: net("forward(self, X)", "forward(self)"), TRAIN),
    "a loss that returns nothing": (lambda: net(LOSS, "pass"), TRAIN),
    "an error in the loss": (lambda: net(LOSS, "1 / 0"), TRAIN),
    "no such folder of data": (trained, [*TRAIN, "--out", "new", "--data", "nodata"]),
    "steps and epochs": (net, [*TRAIN[:2], "--steps", "3", "--epochs", "3"]),
    "a learning rate below 0": (net, [*TRAIN, "--lr", "-1"]),
    "a run that diverges": (lambda: net(LOSS, "return mean(softmax(200 * (self.W @ X + Y), axis=0).log())"), TRAIN),
    "a run that is saved there already": (saved, TRAIN),
    "another training in the folder": (taken, [*TRAIN, "--overwrite"]),
    "damaged weights": (damaged, [*TRAIN[:2], "--steps", "4", "--resume"]),
    "another learning rate for a saved run": (saved, [*TRAIN[:2], "--steps", "4", "--resume", "--lr", "0.5"]),
    "fewer steps than were made": (saved, [*TRAIN[:2], "--steps", "1", "--resume"]),
    "a file where the folder should be": (lambda: (net(), file("", "out")), [*TRAIN, "--out", "out"]),
    "images that break off": (lambda: mnist(cut=500), [*TRAIN, "--data", "mnist"]),
    "labels in place of images": (lambda: mnist(magic=1), [*TRAIN, "--data", "mnist"]),
    "fewer labels than images": (lambda: mnist(labels=8), [*TRAIN, "--data", "mnist"]),
    "a file of MNIST that is missing": (lambda: mnist(without="t10k-labels-idx1-ubyte"), [*TRAIN, "--data", "mnist"]),
    "more memory than there is": (lambda: net(LOSS, "return mean(np.zeros(1 << 50))"), TRAIN),
    "a loss that calls itself": (lambda: net(LOSS, "return self.loss(X, Y)"), TRAIN),
    "data of another size": (lambda: net("(10, 784)", "(10, 99)"), TRAIN),
    "a function that is not recorded": (lambda: net(LOSS, "return mean(np.fft.fft(self(X)))"), TRAIN),
    "a loss made a plain number": (lambda: net(LOSS, "return float(mean(self(X)))"), TRAIN),
    "a model that was not trained": (net, ["evaluate", "net.py"]),
    "weights that are none": (lambda: (net(), file("junk", "junk")), ["evaluate", "net.py", "--weights", "junk"]),
    "weights of another model": (of_another, ["evaluate", "net.py"]),
    "no such picture": (trained, ["predict", "net.py", "none.png"]),
    "PostScript named digit.png": (postscript, ["predict", "net.py", "digit.png"]),
    "a picture of a billion pixels": (huge, ["predict", "net.py", "huge.png"]),
    "a picture that breaks off": (lambda: picture(200), ["predict", "net.py", "digit.png"]),
    "a picture with nothing on it": (picture, ["predict", "net.py", "digit.png"]),
    "a picture of another kind": (
        notes_network,
        [*DRAW, "-o", "g.jpeg"],
    ),
    "a folder that is not there": (
        notes_network,
        [*DRAW, "-o", "nowhere/g.svg"],
    ),
    "no shapes to draw": (net, DRAW),
    "no shapes to derive": (net, ["derive", "net.py"]),
    "no such function of formulas": (net, VERIFY),
    "a function that does not end": (lambda: hand_in("while True: pass"), [*HAND_IN, "--timeout", "0.5"]),
    "a function that ends the program": (lambda: hand_in("exit()"), HAND_IN),
    "an error in the function": (lambda: hand_in("return W3"), HAND_IN),
    "a return that is no gradients": (lambda: hand_in("return 'done'"), HAND_IN),
    "arguments that the loss has not": (lambda: (notes_network(), file("def backward(Q): pass", "hw.py")), HAND_IN),
    "no such notes": (list, NOTES),
    "notes that are empty": (lambda: notes(""), NOTES),
    "notes in another encoding": (lambda: file(b"\xff\xfeZ\0", "notes.md"), NOTES),
    "notes that are a binary file": (lambda: file(b"a\0b = c", "notes.md"), NOTES),
    "notes without an equation": (lambda: notes("Only words."), NOTES),
    "a page that is too long": (lambda: notes("dZ2 = A2 - Y\n" * 9_000), NOTES),
    "a line that is too long": (lambda: notes("dZ2 = A2 - Y " * 900), NOTES),
    "notes that define and derive nothing": (lambda: notes("Z1 = W1 X + b1"), NOTES),
    "a mistake in the notes": (lambda: notes("Z1 = W1 X + b1, A1 = sigmoid(Z1)\n\ndZ1 = Y - A1"), NOTES),
    "a notebook that is none": (lambda: file("{}", "notes.ipynb"), ["check-notes", "notes.ipynb"]),
    "a notebook without words": (lambda: file('{"cells": []}', "notes.ipynb"), ["check-notes", "notes.ipynb"]),
    "macros without an end": (
        lambda: file(r"\def\a{\a\a} $\a = 1$", "notes.tex"),
        ["check-notes", "notes.tex"],
    ),
    "the notes as their own copy": (notes, [*NOTES, "-o", "notes.md"]),
    "a copy of another kind": (notes, [*NOTES, "-o", "notes.pdf"]),
    "a model without shapes for notes": (lambda: (notes(), net()), [*NOTES, "--model", "net.py"]),
}


def test_every_row_of_the_page_is_provoked() -> None:
    assert [row[0] for row in ROWS] == list(PROVOKE)
    assert all(len(row) == 4 and row[3] for row in ROWS)


@pytest.mark.parametrize(("cause", "said", "code"), [row[:3] for row in ROWS], ids=[row[0] for row in ROWS])
def test_the_error_is_what_the_page_says(
    cause: str, said: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    prepare, words = PROVOKE[cause]
    prepare()
    try:
        result = CliRunner().invoke(cli.main, words)
    finally:
        for lock in held:
            lock.release()
        held.clear()
    assert result.exit_code == int(code), result.output
    assert re.search("^.*" + ".*".join(map(re.escape, said.split("…"))), result.output, re.MULTILINE), result.output
    assert "Traceback" not in result.output


def test_a_word_that_differs_is_noticed() -> None:
    """The mutant: the pattern of a row is no pattern that fits everything."""
    said = next(row[1] for row in ROWS if row[0] == "a learning rate below 0")
    assert not re.search(".*".join(map(re.escape, said.split("…"))), "error: lr must be a number, not -1.0")


@pytest.mark.slow
@pytest.mark.parametrize("case", hostile.cases(48, seed=3), ids=str)
def test_a_hostile_command_line_ends_in_time_with_a_sentence(case: hostile.Case, tmp_path: Path) -> None:
    assert not hostile.faults(case, tmp_path)


@pytest.mark.slow
def test_a_command_that_breaks_the_law_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutants: a traceback, an exit code that stands nowhere, silence, and no end."""
    case = hostile.Case(("draw", "net.py"), "nothing", "x", "usual")
    for code, said in (
        ("1 / 0", "traceback"),
        ("exit(3)", "exit code 3"),
        ("exit(2)", "without a word"),
        ("while 1: pass", "not ended"),
    ):
        monkeypatch.setattr(hostile, "LIMIT", 1 if "while" in code else 60)
        monkeypatch.setitem(hostile.SURROUNDINGS, "usual", ([sys.executable, "-c", code], {}))
        assert said in " ".join(hostile.faults(case, tmp_path)), code
