"""A function is judged by its decisions, not by its lines: none may have many, and those that have may only lose some."""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "tinygrad_lite"
LIMIT = 32
OVER = {  # to be taken apart when they are next changed
    "autodiff.py:pull_back": 42,
    "notes/layers.py:_built": 33,
    "notes/lines.py:place": 36,
    "notes/page.py:candidates": 65,
    "notes/spelling.py:mark": 37,
    "notes/words.py:_of_step": 34,
    "verify/desk.py:__init__": 40,
    "verify/lines.py:problem": 47,
    "verify/run.py:suspects": 40,
    "verify/words.py:observations": 36,
}
ONE = ast.If | ast.For | ast.While | ast.IfExp | ast.ExceptHandler | ast.match_case


def decisions(function: ast.AST) -> int:
    """Count the places at which a function goes one way or another, conditions inside of expressions among them."""
    count = 0
    for part in ast.walk(function):
        match part:
            case ast.comprehension(ifs=ifs):
                count += 1 + len(ifs)
            case ast.BoolOp(values=values):
                count += len(values) - 1
            case _:
                count += isinstance(part, ONE)
    return count


def test_what_is_packed_into_a_line_counts() -> None:
    packed = "def f(a): return [x if x else 1 for x in a if x and a or x]"
    plain = "def f(a):\n    for x in a:\n        if x and a or x:\n            if x:\n                return x"
    assert decisions(ast.parse(packed)) == 5
    assert decisions(ast.parse(plain)) == 5


def test_no_function_has_more_decisions_than_it_had() -> None:
    found: dict[str, int] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and (count := decisions(node)) > LIMIT:
                found[f"{path.relative_to(PACKAGE).as_posix()}:{node.name}"] = count
    more = {name: count for name, count in found.items() if count > OVER.get(name, LIMIT)}
    assert not more, f"more than {LIMIT} decisions, or than before: {more}; give a step a name of its own"
