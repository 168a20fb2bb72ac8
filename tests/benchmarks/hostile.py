"""Run commands on hostile files in hostile surroundings: each ends in time, with a documented exit code, and no traceback.

python -m tests.benchmarks.hostile [cases] [seed]
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

LIMIT = 60  # seconds of the clock for a command
CODES = (0, 1, 2, 130, 141)  # of docs/errors.md; 141 of a reader that has gone
COMMANDS = (
    ["train", "FILE", "--steps", "2"],
    ["train", "FILE", "--steps", "1", "--out", "OTHER"],
    ["train", "net.py", "--steps", "1", "--data", "FILE"],
    ["evaluate", "FILE"],
    ["evaluate", "net.py", "--weights", "FILE"],
    ["predict", "net.py", "FILE"],
    ["draw", "FILE", "-o", "OTHER"],
    ["derive", "FILE"],
    ["derive", "net.py", "--format", "html"],
    ["verify", "net.py", "FILE", "--examples", "2", "--timeout", "2"],
    ["verify", "FILE", "net.py", "--examples", "2", "--timeout", "2"],
    ["check-notes", "FILE"],
    ["check-notes", "FILE", "-o", "OTHER"],
    ["check-notes", "notes.md", "--model", "FILE"],
    ["check-notes", "-"],
    ["info"],
)
NET = """
from jaxtyping import Float
from tinygrad_lite import Tensor, mean, nn
from tinygrad_lite.data import digits
import numpy as np
class Net(nn.Module):
    def __init__(self):
        self.W = nn.Parameter(np.full((10, 784), 0.01, np.float32))
    def forward(self, X: Float[Tensor, "inputs m"]):
        return self.W @ X
    def loss(self, X: Float[Tensor, "inputs m"], Y: Float[Tensor, "classes m"]):
        return mean((self(X) - Y) ** 2)
    def data(self, source):
        return digits()
"""
LOSS = "return mean((self(X) - Y) ** 2)"
NOTES = "Z1 = W1 X + b1, A1 = sigmoid(Z1)\n\ndZ1 = Y - A1\n\ndW1 = 1/m dZ1 X^T\n"


def _content(content: str | bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content.encode() if isinstance(content, str) else content)


def _loss(text: str) -> Callable[[Path], object]:
    return _content(NET.replace(LOSS, text))


FILES: dict[str, Callable[[Path], object]] = {
    "nothing": lambda path: None,
    "empty": _content(b""),
    "binary": _content(bytes(range(256)) * 40),
    "null bytes": _content(b"W = 1\0\n"),
    "not UTF-8": _content("dW = « é »".encode("latin-1")),
    "a huge line": _content("x = " + "1 + " * 300_000 + "1"),
    "many lines": _content("dZ2 = A2 - Y\n" * 20_000),
    "a folder": lambda path: path.mkdir(),
    "a pipe": lambda path: os.mkfifo(path),
    "the null device": lambda path: path.symlink_to("/dev/null"),
    "the full device": lambda path: path.symlink_to("/dev/full"),
    "a circle of links": lambda path: path.symlink_to(path.name),
    "a link to nowhere": lambda path: path.symlink_to("nowhere"),
    "a good model": _content(NET),
    "good notes": _content(NOTES),
    "a model that raises": _content("raise RuntimeError('é\\n' * 50)"),
    "a model that exits": _content("import sys; sys.exit('done')"),
    "a model without an end of calls": _content("def f(): return f()\nf()"),
    "a model that prints": _content("print('x' * 3_000_000)\n" + NET),
    "a model that goes elsewhere": _content("import os; os.chdir('/')\n" + NET),
    "a model that deletes itself": _content("import os; os.remove(__file__)\n" + NET),
    "a model that closes all": _content("import sys; sys.stdout.close(); sys.stderr.close()\n" + NET),
    "a model with warnings as errors": _content("import warnings; warnings.simplefilter('error')\n" + NET),
    "a model with traps for floats": _content("import numpy as np; np.seterr(all='raise')\n" + NET),
    "a loss of text": _loss("return 'J'"),
    "a loss of nothing": _loss("pass"),
    "a loss that is no number": _loss("return mean(self(X)) * float('nan')"),
    "a loss of many numbers": _loss("return self(X)"),
    "a loss that raises": _loss("raise KeyError"),
    "a loss that is interrupted": _loss("raise KeyboardInterrupt"),
    "a class that cannot be made": _content(NET.replace("def __init__(self)", "def __init__(self, n)")),
    "another kind of class": _content("class Net: pass"),
    "a student's loop": _content("def backward(X, Y, W):\n    while True: pass\n"),
    "a student's exit": _content("import os\ndef backward(X, Y, W):\n    os._exit(7)\n"),
}
NAMES = (
    "file.py",
    "file.md",
    "file.png",
    "file.ipynb",
    "file.tex",
    "file.html",
    "-file.py",
    "a b\nc.py",
    "é.py",
    "file",
)
OTHERS = ("other.html", "nowhere/x.svg", "/dev/full", "/proc/x.md", ".", "other.svg", "net.py", "")


class Case(NamedTuple):
    """A command, the file it is given, and what it runs in."""

    words: tuple[str, ...]
    file: str  # of FILES
    name: str
    surroundings: str  # of SURROUNDINGS


def _shell(redirection: str) -> list[str]:
    return ["sh", "-c", f'"$@" {redirection}', "sh"]


PIPED = ["bash", "-c", 'set -o pipefail; "$@" | head -c 1 > /dev/null', "bash"]
SURROUNDINGS: dict[str, tuple[list[str], dict[str, str]]] = {  # what is put before a command, and into the environment
    "usual": ([], {}),
    "output closed": (_shell(">&-"), {}),
    "errors closed": (_shell("2>&-"), {}),
    "both closed": (_shell(">&- 2>&-"), {}),
    "input closed": (_shell("<&-"), {}),
    "a reader that goes": (PIPED, {}),
    "output to a full disk": (_shell("> /dev/full"), {}),
    "a narrow terminal": ([], {"COLUMNS": "20"}),
    "plain letters": ([], {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}),
    "no home": ([], {"HOME": "", "XDG_CACHE_HOME": "/proc/nothing"}),
    "optimised": ([], {"PYTHONOPTIMIZE": "2"}),
    "warnings are errors": ([], {"PYTHONWARNINGS": "error"}),
}


def cases(count: int, seed: int) -> list[Case]:
    """Draw cases: every file and all surroundings occur about equally often."""
    rng = random.Random(seed)
    found = []
    for k in range(count):
        name, other = rng.choice(NAMES), rng.choice(OTHERS)
        words = tuple(name if w == "FILE" else other if w == "OTHER" else w for w in COMMANDS[k % len(COMMANDS)])
        surroundings = rng.choice(list(SURROUNDINGS)) if rng.random() < 0.6 else "usual"
        found.append(Case(words, rng.choice(list(FILES)), name, surroundings))
    return found


def faults(case: Case, folder: Path) -> list[str]:
    """Run a case in a folder of its own; return how the law is broken."""
    folder.joinpath("net.py").write_text(NET)
    folder.joinpath("notes.md").write_text(NOTES)
    FILES[case.file](folder / case.name)
    before, environment = SURROUNDINGS[case.surroundings]
    command = [*before, sys.executable, "-m", "tinygrad_lite", *case.words]
    usual = {"PATH": os.environ["PATH"], "HOME": str(folder), "OPENBLAS_NUM_THREADS": "1", "TINYGRAD_LITE_DATA": ""}
    process = subprocess.Popen(
        command, cwd=folder, env={**usual, **environment}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        out, err = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return [f"has not ended after {LIMIT} s"]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    said = (out + err).decode("utf-8", "replace")
    broken = [] if process.returncode in CODES else [f"exit code {process.returncode}: {said[-600:]}"]
    if "Traceback (most recent call last)" in said:
        broken.append(f"a traceback: {said[-1500:]}")
    speaks = "closed" not in case.surroundings and process.returncode in (1, 2) and case.surroundings not in (
        "a reader that goes", "output to a full disk"
    )  # fmt: skip
    if speaks and not said.strip():
        broken.append(f"exit code {process.returncode} without a word")
    return broken


def main(count: int = 500, seed: int = 0) -> int:
    """Print every case that breaks the law, and how many do."""
    bad = 0
    for case in cases(count, seed):
        with tempfile.TemporaryDirectory() as folder:
            for fault in faults(case, Path(folder)):
                bad += 1
                print(f"{case}\n    {fault}", flush=True)
    print(f"{count} command lines, {bad} faults")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
