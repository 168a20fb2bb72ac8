"""What `verify` says of a program of the corpus as it stands, and with each of its mistakes planted."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from click.testing import CliRunner

from tinygrad_lite.cli import main
from tinygrad_lite.verify import binary, labels, one_hot, verify

CORPUS = Path(__file__).parents[1] / "corpus"
KINDS: dict[str, Callable[..., Any]] = {"one_hot": one_hot, "binary": binary}
BAD = re.compile(r"^(\S+) +(?:WRONG|ERROR|INCONCLUSIVE) .*?(?:\(line (\d+): .*)?$")
FIX = "verified fix: "


def spec(text: str | list[str]) -> Any:
    """What a shape means: "n m", "one_hot c m", "binary m", "labels m c" with the classes last, or a list of those."""
    if isinstance(text, list):
        return [spec(each) for each in text]
    kind, _, rest = text.partition(" ")
    if kind == "labels":
        shape, _, classes = rest.rpartition(" ")
        return labels(shape, classes)
    return KINDS[kind](rest) if kind in KINDS else text


@dataclass(frozen=True)
class Program:
    """A file of code that is right, how it is handed over, and the mistakes to plant: old text, new text, and where."""

    name: str
    folder: Path

    @cached_property
    def info(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / f"{self.name}.json").read_text("utf-8"))
        return found

    @cached_property
    def source(self) -> str:
        return (self.folder / f"{self.name}.py").read_text("utf-8")

    @property
    def shapes(self) -> dict[str, Any]:
        return {name: spec(shape) for name, shape in self.info["shapes"].items()}

    def planted(self, old: str, new: str, blame: str = "") -> tuple[str, int]:
        """The source with a mistake in it, and the line of the statement to blame."""
        if self.source.count(old) != 1:
            raise ValueError(f"{self.name}: {old!r} occurs {self.source.count(old)} times")
        wrong = self.source.replace(old, new)
        at = wrong.index(blame) if blame else self.source.index(old) + differ(old, new)
        return wrong, statement_at(ast.parse(wrong), wrong[:at].count("\n") + 1).lineno


def differ(old: str, new: str) -> int:
    """Where two texts begin to differ."""
    return next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))


def statement_at(tree: ast.Module, line: int) -> Any:
    """The innermost statement on a line."""
    found = [n for n in ast.walk(tree) if isinstance(n, ast.stmt) and n.lineno <= line <= (n.end_lineno or n.lineno)]
    return max(found, key=lambda n: (n.lineno, n.col_offset))


@dataclass(frozen=True)
class Blame:
    """A line that is called wrong, and how it is put right."""

    name: str
    line: int | None
    fix: str | None


@dataclass(frozen=True)
class Answer:
    """What is said of a source: why it is refused, or what is wrong in it; and the time that took."""

    refused: str
    wrong: list[Blame]
    seconds: float

    @property
    def fine(self) -> bool:
        return not self.refused and not self.wrong


@contextmanager
def imported(source: str) -> Iterator[tuple[ModuleType, Path]]:
    """A file with this source, imported as a module."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "homework.py"
        path.write_text(source, "utf-8")
        found = importlib.util.spec_from_file_location(f"homework_{Path(folder).name}", path)
        assert found is not None
        assert found.loader is not None
        module = importlib.util.module_from_spec(found)
        sys.modules[module.__name__] = module
        try:
            found.loader.exec_module(module)
            yield module, path
        finally:
            del sys.modules[module.__name__]


def asked(program: Program, source: str) -> Answer:
    """What is said of a source, handed over as the program is."""
    begun = time.process_time()
    refused, wrong = "", []
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"), imported(source) as (module, path):
            warnings.simplefilter("ignore")
            wrong = by_command(program, path) if "model" in program.info else by_function(program, module)
    except Exception as error:  # whatever the library, or the code of the corpus, raises
        refused = f"{type(error).__name__}: {error}"
    return Answer(refused, wrong, time.process_time() - begun)


def by_function(program: Program, module: ModuleType) -> list[Blame]:
    backward, loss = (getattr(module, program.info.get(word, word)) for word in ("backward", "loss"))
    report = verify(backward, loss, program.shapes, examples=1, raises=False)
    return [Blame(f.name, f.line, f.fix) for f in report.formulas.values() if f.verdict != "right"]


def by_command(program: Program, path: Path) -> list[Blame]:
    """What the command says, which takes whatever lies in the file: a function or a class."""
    model = program.folder / program.info["model"]
    done = CliRunner().invoke(main, ["verify", str(model), str(path), "--examples", "1"])
    if done.exit_code not in (0, 1):
        raise ValueError(done.output.strip())
    found: list[Blame] = []
    for line in done.output.splitlines():
        if bad := BAD.match(line):
            found.append(Blame(bad[1], int(bad[2]) if bad[2] else None, None))
        elif found and line.strip().startswith(FIX):
            found[-1] = Blame(found[-1].name, found[-1].line, line.strip().removeprefix(FIX))
    return found


def repaired(program: Program, source: str, wrong: list[Blame]) -> bool:
    """Whether the source is right once the fixes stand in it."""
    if not all(blame.fix and blame.line for blame in wrong):
        return False
    tree = ast.parse(source)
    try:
        for blame in wrong:
            _put(tree, blame)
        fixed = ast.unparse(ast.fix_missing_locations(tree))
    except (SyntaxError, StopIteration, ValueError, AttributeError):
        return False  # the fix does not stand for its statement
    return ast.dump(ast.parse(fixed)) == ast.dump(ast.parse(program.source)) or asked(program, fixed).fine


def _put(tree: ast.Module, blame: Blame) -> None:
    """Put a fix in the place of its statement, or of the item of it that it is for."""
    assert blame.fix is not None
    assert blame.line is not None
    statement = statement_at(tree, blame.line)
    if blame.fix.startswith('"'):
        name, code = blame.fix[1:].split('": ', 1)
        made = next(n for n in ast.walk(statement) if isinstance(n, ast.Dict))
        at = [key.value for key in made.keys if isinstance(key, ast.Constant)].index(name)
        made.values[at] = ast.parse(code, mode="eval").body
        return
    new: Any = ast.parse(blame.fix + (" pass" if blame.fix.endswith(":") else "")).body[0]
    targets = getattr(statement, "targets", [None])
    if isinstance(targets[0], ast.Tuple) and isinstance(new, ast.Assign) and isinstance(new.targets[0], ast.Name):
        at = [part.id for part in targets[0].elts].index(blame.name)
        statement.value.elts[at] = new.value
        return
    if hasattr(statement, "body"):
        new.body = statement.body
    for part in ast.walk(tree):
        for field in ("body", "orelse"):
            body = getattr(part, field, None)
            if isinstance(body, list) and statement in body:
                body[body.index(statement)] = new


def score(folder: str, name: str) -> tuple[dict[str, int], list[float], list[str]]:
    """The counts of a program, the process times, and a line for whatever is not as it should be."""
    program = Program(name, CORPUS / folder)
    counts = dict.fromkeys(("programs", "refused", "alarms", "mistakes", "noticed", "blamed", "repaired"), 0)
    right = asked(program, program.source)
    counts["programs"], counts["mistakes"] = 1, len(program.info["mistakes"])
    counts["refused"], counts["alarms"] = int(bool(right.refused)), int(bool(right.wrong))
    seconds, said = [right.seconds], []
    if not right.fine:
        said.append(f"{name}: right, but {right.refused or right.wrong}")
    for mistake in program.info["mistakes"]:
        wrong, line = program.planted(*mistake)
        answer = asked(program, wrong)
        noticed = bool(answer.wrong)
        blamed = noticed and {blame.line for blame in answer.wrong} == {line}
        mends = blamed and repaired(program, wrong, answer.wrong)
        seconds.append(answer.seconds)
        for word, is_so in (("noticed", noticed), ("blamed", blamed), ("repaired", mends)):
            counts[word] += is_so
        if not mends:
            what = "not repaired" if blamed else "other blamed" if noticed else "not noticed"
            shown = answer.refused or "; ".join(f"{b.name} (line {b.line}) → {b.fix}" for b in answer.wrong)
            said.append(f"{name}: {what}: {mistake[0]!r} → {mistake[1]!r} (line {line}): {shown}")
    return counts, seconds, said
