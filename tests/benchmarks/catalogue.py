"""The catalogue of mistakes: which line `verify` blames for each, what it says of it, and whether its repair is right.

python -m tests.benchmarks.catalogue [network …]
"""

from __future__ import annotations

import ast
import inspect
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from tests import catalogue
from tests.catalogue import EQUIVALENTS, MISTAKES, NETWORKS, Mistake
from tinygrad_lite.truth import cases as specs
from tinygrad_lite.truth.cases import space_of
from tinygrad_lite.truth.loss import Loss, Scale
from tinygrad_lite.verify import Formula, Report, check, verify
from tinygrad_lite.verify.lines import Formulas

UNSEEN = {"tanh/return-layers", "tanh/return-biases"}  # a tuple says nothing of what its caller takes it for
SAMPLE = [mistake for mistake in MISTAKES if mistake.id not in UNSEEN][1::3]  # for the tests

# what a mistake may also be called: the same thing seen from another side
SYNONYMS = {
    "scale": {"constant", "operator", "function", "extra"},
    "constant": {"scale", "mask", "operand", "activation", "extra"},
    "sign": {"order", "operator"},
    "transpose": {"order", "axis", "operand"},
    "axis": {"order", "transpose", "missing", "function", "index"},
    "label": {"operand", "function", "transpose"},
    "mask": {"operand", "activation", "function", "constant", "sign", "missing", "extra", "operator"},
    "activation": {"mask", "order", "operator", "operand", "constant", "missing"},
    "missing": {"mask", "activation", "function", "scale", "operand", "label", "unknown"},
    "extra": {"order", "operand", "function", "constant", "operator", "scale", "mask", "index"},
    "operator": {"missing", "scale", "sign", "order", "function", "activation"},
    "operand": {"label", "scale", "sign", "constant", "function", "activation", "order"},
    "index": {"scale", "operand", "missing", "function", "sign", "axis", "label"},
    "function": {"scale", "operator", "axis", "operand", "precision", "activation", "index", "unknown", "constant"},
    "order": {"transpose", "operator", "scale", "sign", "operand", "activation", "extra", "mask"},
    "double": {"scale", "sign", "axis", "activation", "mask", "transpose", "order", "constant", "extra"},
}


class Bench:
    """A network, its cases and their truth, which all its mutants share."""

    def __init__(self, name: str) -> None:
        self.network = NETWORKS[name]
        self.loss = Loss(self.network.loss)
        arguments = list(inspect.signature(self.network.backward).parameters)
        self.space = space_of(self.network.loss, None, arguments, shapes_of(self.network))
        self.cases = list(self.space.guaranteed())
        self.truths: dict[int, Any] = {}
        scale = Scale.SAMPLE if self.network.scale == "sample" else Scale.MEAN
        self.scales = dict.fromkeys(["dA1", "dZ1", "dA2", "dZ2", "dA3", "dZ3", "dZ"], scale)
        self.right = self.formulas(self.network.backward)
        assert not self.right.count(self.cases, self.scales), name

    def formulas(self, function: Any) -> Formulas:
        found = Formulas(function, self.loss, self.space)
        found._truths = self.truths
        return found

    def keys(self, formulas: Formulas) -> list[tuple[int, str]]:
        return list(dict.fromkeys(step.key for step, _, _ in formulas.judged(self.cases[0], self.scales) if step.final))


@cache
def bench(name: str) -> Bench:
    with np.errstate(all="ignore"):
        return Bench(name)


def shapes_of(network: catalogue.Network) -> dict[str, Any]:
    kinds = {"one_hot": specs.one_hot, "binary": specs.binary}
    return {name: kinds.get(network.labels.get(name, ""), str)(shape) for name, shape in network.shapes.items()}


def report_on(change: Any, examples: int = 1) -> Report:
    network = NETWORKS[change.network]
    return verify(catalogue.load(change), network.loss, shapes_of(network), examples=examples, raises=False)


@dataclass(frozen=True)
class Finding:
    """What is said of a mistake."""

    mistake: Mistake
    report: Report
    seconds: float  # of process time

    @property
    def wrong(self) -> list[Formula]:
        return [formula for formula in self.report.formulas.values() if formula.verdict != "right"]

    @property
    def blamed(self) -> bool:
        """Whether the wrong lines are named, and no other; of what is returned wrongly, only what the caller would see."""
        mistake, named = self.mistake, {formula.name for formula in self.wrong}
        wanted = {mistake.line, *([mistake.second[2]] if mistake.second else [])}
        return bool(named) and (named in (wanted, set(mistake.instead)) or mistake.line == "return")

    @property
    def named(self) -> bool:
        """Whether each has a repair, and a word for what is wrong."""
        return all(formula.fix is not None and formula.kind != "unknown" for formula in self.wrong)

    @property
    def misnamed(self) -> list[Formula]:
        """Those for which a repair does not put the line right, or another mistake is named than was made."""
        may = {self.mistake.kind, "double", "overflow", *SYNONYMS[self.mistake.kind]}
        return [f for f in self.wrong if f.fix is not None and not (f.kind in may and repaired(self.mistake, f))]


def examine(mistake: Mistake) -> Finding:
    start = time.process_time()
    report = report_on(mistake)
    return Finding(mistake, report, time.process_time() - start)


def repaired(mistake: Mistake, formula: Formula) -> bool:
    """Whether the line is right once the text of its fix stands in the source."""
    found, function = bench(mistake.network), catalogue.load(mistake)
    tree = ast.parse(inspect.getsource(function))
    for part in ast.walk(tree):
        body = getattr(part, "body", [])
        for place, statement in enumerate(body if isinstance(body, list) else []):
            if statement.lineno == formula.line:
                body[place] = mended(statement, formula)
    fixed = catalogue.define(
        ast.unparse(ast.fix_missing_locations(tree)), found.network.backward, f"<fixed {mistake.id}>"
    )
    return all(name != formula.name for _, name in found.formulas(fixed).count(found.cases[:1], found.scales))


def mended(statement: Any, formula: Formula) -> Any:
    """The statement with a fix in it, which is one item of a dict, one name of several, or the whole."""
    assert formula.fix is not None
    if formula.fix.startswith('"'):
        name, code = formula.fix[1:].split('": ', 1)
        at = [key.value for key in statement.value.keys].index(name)
        statement.value.values[at] = ast.parse(code, mode="eval").body
        return statement
    new: Any = ast.parse(formula.fix).body[0]
    targets = getattr(statement, "targets", [None])
    if isinstance(targets[0], ast.Tuple) and isinstance(new.targets[0], ast.Name):
        at = [part.id for part in targets[0].elts].index(formula.name)
        statement.value.elts[at] = new.value
        return statement
    return new


@contextmanager
def unshrunk() -> Iterator[None]:
    """Leave the counterexamples out: they take time."""
    shrink, check.smallest = check.smallest, lambda *_: None
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            yield
    finally:
        check.smallest = shrink


def main(*names: str) -> None:
    """Print a row for each network, and whatever is not as it should be."""
    print("network   mistakes  blamed  named  misnamed  seconds, most  alarms")
    with unshrunk():
        for name in names or NETWORKS:
            found = [examine(mistake) for mistake in MISTAKES if mistake.network == name]
            alarms = [e.id for e in EQUIVALENTS if e.network == name and not report_on(e).ok]
            blamed, named = sum(f.blamed for f in found), sum(f.blamed and f.named for f in found)
            misnamed, most = sum(bool(f.misnamed) for f in found), max(f.seconds for f in found)
            print(
                f"{name:8}  {len(found):8}  {blamed:6}  {named:5}  {misnamed:8}  {most:13.2f}  {len(alarms):6}", *alarms
            )
            for f in found:
                if not f.blamed or not f.named or f.misnamed:
                    said = "; ".join(f"{w.name} {w.kind}: {w.reason}: {w.fix}" for w in f.wrong)
                    print(f"    {f.mistake.id} ({f.mistake.line}, {f.mistake.kind}): {said or 'not noticed'}")


if __name__ == "__main__":
    main(*sys.argv[1:])
