"""Code that others wrote: it is stopped where it does not end, and cannot end the program or wait for the keyboard."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from models import handwritten
from models.mnist_two_layer import TwoLayer
from tinygrad_lite import cli, verify
from tinygrad_lite.guard import TimeUp, limited

ROOT = Path(__file__).parents[1]
MODEL = str(ROOT / "models/mnist_two_layer.py")
START = "    m = X.shape[1]\n"
timed = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer's signal on this platform")


def handed_in(folder: Path, inside: str = "", above: str = "") -> Path:
    """Write the backward pass of the notes with a statement in it, or above it."""
    source = Path(handwritten.__file__).read_text("utf-8")
    source = source.replace(START, f"{START}    {inside}\n").replace(
        "import numpy as np\n", f"import numpy as np\n{above}\n"
    )
    path = folder / "mine.py"
    path.write_text(source, "utf-8")
    return path


def command(path: Path, *words: str) -> Result:
    return CliRunner().invoke(cli.main, ["verify", MODEL, str(path), "--examples", "1", *words])


ENDLESS = {
    "a loop": "while True: pass",
    "a loop that counts": "i = 0\n    while True: i += 1",
    "a sleep": "import time; time.sleep(1000)",
    "a lock": "import threading; threading.Event().wait()",
    "a generator": "sum(i for i in range(10**11))",
    "an except": "i = 0\n    while True:\n        try: i += 1\n        except Exception: pass",
}


@timed
@pytest.mark.parametrize("inside", ENDLESS.values(), ids=ENDLESS)
@pytest.mark.parametrize("json", [[], ["--json"]], ids=["text", "json"])
def test_what_does_not_end_is_stopped_in_its_line(inside: str, json: list[str], tmp_path: Path) -> None:
    path = handed_in(tmp_path, inside)
    first = (
        path.read_text("utf-8").splitlines().index(inside.split("\n")[0].strip().rjust(len(inside.split("\n")[0]) + 4))
        + 1
    )
    result = command(path, "--timeout", "0.2", *json)
    assert result.exit_code == 2, result.output
    assert any(f"{path}, line {line} (" in result.output for line in range(first, first + 4)), result.output
    assert "has not ended after 0.2 s" in result.output
    assert "Traceback" not in result.output


@timed
def test_a_file_that_does_not_end_is_stopped(tmp_path: Path) -> None:
    result = command(handed_in(tmp_path, above="while True: pass"), "--timeout", "0.2")
    assert result.exit_code == 2
    assert "(while True: pass): has not ended after 0.2 s" in result.output


@timed
def test_a_loop_that_depends_on_the_sizes_is_stopped(tmp_path: Path) -> None:
    result = command(handed_in(tmp_path, "while m == 1: pass"), "--timeout", "0.5")
    assert result.exit_code == 2
    assert "has not ended after 0.5 s" in result.output


@timed
def test_no_limit_reaches_further_than_its_block() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with limited(1000, "mine.py"):
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
        with limited(1, "inner.py"):  # the outer one stands
            assert signal.getitimer(signal.ITIMER_REAL)[0] > 1
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    assert signal.getsignal(signal.SIGALRM) is before
    with limited(None, "mine.py"):
        assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


@timed
def test_the_function_of_the_library_takes_a_limit() -> None:
    def backward(W: Any) -> Any:
        while True:
            pass

    with pytest.raises(TimeUp, match=r"line .*has not ended after"):
        verify.verify(backward, lambda W: W.sum(), {"W": "n"}, timeout=0.2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("inside", "code", "said"),
    [
        ("i = 0\n    while True:\n        try: i += 1\n        except: pass", 2, "has not ended after 0.2 s"),
        ("sum(range(10**13))", 1, "in backward"),
    ],
)
def test_what_no_signal_stops_ends_with_the_process(inside: str, code: int, said: str, tmp_path: Path) -> None:
    words = "verify", MODEL, str(handed_in(tmp_path, inside)), "--timeout", "0.2"
    program = "from tinygrad_lite.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == code
    assert said in done.stderr
    assert "mine.py" in done.stderr


EXITS = ["exit()", "quit()", "import sys; sys.exit('bye')", "raise SystemExit", "import os; os._exit(0)"]


@pytest.mark.parametrize("statement", EXITS)
@pytest.mark.parametrize("json", [[], ["--json"]], ids=["text", "json"])
def test_no_file_ends_the_program(statement: str, json: list[str], tmp_path: Path) -> None:
    for path in (handed_in(tmp_path, inside=statement), handed_in(tmp_path, above=statement)):
        result = command(path, *json)
        assert result.exit_code == 2
        assert f"{path}, line " in result.output
        assert f"({statement}): " in result.output


def test_an_exit_that_depends_on_the_sizes_is_said(tmp_path: Path) -> None:
    result = command(handed_in(tmp_path, "if m == 1: raise SystemExit"))
    assert result.exit_code == 2
    assert "ends the program" in result.output


def test_an_interrupt_names_the_line(tmp_path: Path) -> None:
    path = handed_in(tmp_path, "raise KeyboardInterrupt")
    result = command(path)
    assert result.exit_code == 130
    assert f"interrupted in {path}, line " in result.output


@pytest.mark.parametrize("json", [[], ["--json"]], ids=["text", "json"])
def test_a_question_is_an_error_of_its_line(json: list[str], tmp_path: Path) -> None:
    result = command(handed_in(tmp_path, "k = input('k? ')"), *json)
    assert result.exit_code == 1
    assert "it asks for input()" in result.output
    result = command(handed_in(tmp_path, above="k = input('k? ')"), *json)
    assert result.exit_code == 2
    assert "it asks for input()" in result.output


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inner").mkdir()
    path = handed_in(tmp_path / "inner")
    program = "from tinygrad_lite.cli import main; main()"
    words = "verify", MODEL, str(path), "--examples", "30"
    done = subprocess.run([sys.executable, "-B", "-c", program, *words], capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["inner"]
    assert [file.name for file in (tmp_path / "inner").iterdir()] == ["mine.py"]


def test_a_right_file_is_judged_with_a_limit() -> None:
    assert verify.verify(handwritten.backward, TwoLayer, examples=1, timeout=1000).ok
