"""Every error of the command line that docs/errors.md lists is provoked: its words, its exit code, and no traceback."""

from __future__ import annotations

import os
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

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


DRAW = ["draw", "net.py"]
VERIFY = ["verify", "net.py", "net.py"]
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
    "a model that was not trained": (net, ["evaluate", "net.py"]),
    "weights that are none": (lambda: (net(), file("junk", "junk")), ["evaluate", "net.py", "--weights", "junk"]),
    "weights of another model": (of_another, ["evaluate", "net.py"]),
    "no such picture": (trained, ["predict", "net.py", "none.png"]),
    "PostScript named digit.png": (postscript, ["predict", "net.py", "digit.png"]),
    "a picture of a billion pixels": (huge, ["predict", "net.py", "huge.png"]),
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
    result = CliRunner().invoke(cli.main, words)
    assert result.exit_code == int(code), result.output
    assert re.search("^.*" + ".*".join(map(re.escape, said.split("…"))), result.stderr, re.MULTILINE), result.stderr
    assert "Traceback" not in result.output


def test_a_word_that_differs_is_noticed() -> None:
    """The mutant: the pattern of a row is no pattern that fits everything."""
    said = next(row[1] for row in ROWS if row[0] == "a learning rate below 0")
    assert not re.search(".*".join(map(re.escape, said.split("…"))), "error: lr must be a number, not -1.0")
