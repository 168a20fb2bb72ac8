"""The plugin for pytest: functions under @verifies are collected, checked, and reported."""

from __future__ import annotations

import subprocess
import sys

import pytest

FILE = """
import numpy as np
from tinygrad_lite.verify import verifies


def loss(W, X):
    return ((W @ X) ** 2).sum() / 2


shapes = {"W": "k n", "X": "n m"}


@verifies(loss, shapes)
def right(W, X):
    return {"dW": W @ X @ X.T}


@verifies(loss, shapes, examples=20)
def wrong(W, X):
    return {"dW": X @ X.T}
"""


def test_functions_are_collected_checked_and_summed_up(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(FILE)
    run = pytester.runpytest_inprocess("-p", "no:cacheprovider", "--gradcheck-examples", "15")
    run.assert_outcomes(passed=1, failed=1)
    text = run.stdout.str()
    run.stdout.fnmatch_lines(["*handwritten gradients*", "*::right: 1 formulas right in 15 cases", "*::wrong: dW *"])
    assert "dW  " in text
    assert "Traceback" not in text
    assert "runtest" not in text


def test_a_function_alone_can_be_chosen(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(FILE)
    pytester.runpytest_inprocess("-p", "no:cacheprovider", "-k", "right").assert_outcomes(passed=1, deselected=1)


def test_other_errors_keep_their_traceback(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(FILE.replace("shapes)", "{})"))
    run = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-k", "right")
    run.assert_outcomes(failed=1, deselected=1)
    assert "shape of W is told nowhere" in run.stdout.str()


def test_the_plugin_loads_nothing_heavy() -> None:
    code = "import sys, tinygrad_lite.pytest_plugin; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert not {"hypothesis", "tinygrad_lite.verify", "tinygrad_lite.nn"} & set(done.stdout.split())
