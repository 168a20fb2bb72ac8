"""Report: what was found of each formula, for the terminal, a notebook, pytest and programs."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..report import GradientMismatch
from ..truth.cases import Case

RIGHT, WRONG, INCONCLUSIVE, ERROR = "right", "wrong", "inconclusive", "error"


@dataclass(frozen=True)
class Counterexample:
    """The smallest case found that shows the mistake: what the line reads, what it gives, and what it should give."""

    case: Case
    arguments: Mapping[str, Any]
    reads: Mapping[str, Any]
    gives: Any
    expected: Any
    name: str = ""  # of what is given, where another line is to blame

    @property
    def example(self) -> str:
        """The case as a decorator of hypothesis, to be pasted above the function."""
        parts = [f"{name}={n}" for name, n in self.case.sizes.items()]
        if self.case.values:
            parts.append(f"values={ {name: _rounded(x) for name, x in self.case.values.items()}!r}")
        else:
            parts.append(f"seed={self.case.seed}")
            parts += [f"scale={self.case.scale:g}"] if self.case.scale != 1 else []
        return f"@example({', '.join(parts)})"

    def as_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "sizes": dict(self.case.sizes),
            "seed": self.case.seed,
            "arguments": {name: _listed(x) for name, x in self.arguments.items()},
            "gives": _listed(self.gives),
            "expected": _listed(self.expected),
            "example": self.example,
        }


@dataclass(frozen=True)
class Formula:
    """The verdict on one formula: right, wrong, inconclusive, or error (it raised, or gave what is no array)."""

    name: str
    verdict: str
    reason: str = ""
    fix: str | None = None
    counterexample: Counterexample | None = None
    text: str = ""  # the line as it stands
    line: int | None = None
    wrong: int = 0  # cases
    cases: int = 0
    kind: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return plain data: name, verdict, reason, fix, counterexample."""
        shown = None if self.counterexample is None else self.counterexample.as_dict()
        return {
            "name": self.name, "verdict": self.verdict, "reason": self.reason, "fix": self.fix, "counterexample": shown,
        }  # fmt: skip


@dataclass(frozen=True)
class Report:
    """What was found of each formula, over how many cases of which kinds, and on which scale the inner gradients are."""

    formulas: dict[str, Formula]
    cases: int
    coverage: dict[str, int]
    scale: str = ""
    numerical: str = ""
    notes: list[str] = field(default_factory=list)
    title: str = ""

    @property
    def ok(self) -> bool:
        """Whether there are formulas, and every one is right."""
        return bool(self.formulas) and all(f.verdict == RIGHT for f in self.formulas.values())

    def __bool__(self) -> bool:
        return self.ok

    @property
    def summary(self) -> str:
        """The report in one line."""
        wrong = [f"{f.name} {f.verdict}: {f.reason}" for f in self.formulas.values() if f.verdict != RIGHT]
        right = sum(f.verdict == RIGHT and f.cases > 0 for f in self.formulas.values())
        return "; ".join([*wrong, f"{right} formulas right in {self.cases} cases"])

    def raise_if_wrong(self) -> None:
        """Raise GradientMismatch, with the report as its message, unless every formula is right."""
        if not self.ok:
            raise GradientMismatch("\n" + str(self))

    def as_list(self) -> list[dict[str, Any]]:
        """Return the formulas as plain data, in the order of the code."""
        return [formula.as_dict() for formula in self.formulas.values()]

    def to_json(self) -> str:
        """Return the formulas as JSON; numbers that are not finite are written as strings."""
        return json.dumps(_finite(self.as_list()), indent=2)

    def __str__(self) -> str:
        return "\n".join(text for text, _ in self.lines())

    def lines(self) -> list[tuple[str, str]]:
        """Return the report line by line, each with its tone: right, wrong or plain."""
        found: list[tuple[str, str]] = []
        width = max([len(name) for name in self.formulas], default=0)
        pad = " " * (width + 2)
        for f in self.formulas.values():
            if f.verdict == RIGHT:
                continue
            at = f"   (line {f.line}: {f.text})" if f.text else ""
            found.append((f"{f.name:{width}}  {f.verdict.upper()}   {f.reason}{at}", WRONG))
            if f.cases:
                found.append((f"{pad}wrong in {f.wrong} of {f.cases} cases", "plain"))
            if f.fix:
                found.append((f"{pad}verified fix: {f.fix}", RIGHT))
            if f.counterexample is not None:
                found += [(pad + line, "plain") for line in _shown(f, f.counterexample)]
        noted = [f for f in self.formulas.values() if f.verdict == RIGHT and f.reason]
        found += [(f"{f.name:{width}}  right: {f.reason}", "plain") for f in noted]
        right = [f.name for f in self.formulas.values() if f.verdict == RIGHT and not f.reason]
        for count in sorted({self.formulas[name].cases for name in right}, reverse=True):
            names = [name for name in right if self.formulas[name].cases == count]
            rest = (
                f"; the {self.cases - count} others have no finite true value, or stand on a kink"
                if count < self.cases
                else ""
            )
            found.append((f"{', '.join(names)}  right in {count} cases{rest}", RIGHT))
        if self.scale:
            found.append((self.scale, "plain"))
        kinds = ", ".join(f"{kind} {count}" for kind, count in self.coverage.items())
        found.append((f"{self.cases} cases: {kinds}", "plain"))
        if self.numerical:
            found.append((self.numerical, "plain"))
        return found + [(note, "plain") for note in self.notes]

    def _repr_html_(self) -> str:
        colours = {RIGHT: "#1a7f37", WRONG: "#cf222e", "plain": "inherit"}
        rows = [f'<span style="color:{colours[tone]}">{html.escape(text)}</span>' for text, tone in self.lines()]
        return f"<pre>{chr(10).join(rows)}</pre>"


def _shown(formula: Formula, c: Counterexample) -> list[str]:
    """Return a counterexample as lines: what is read, what comes out, and the decorator that repeats it."""
    reads = [f"{name} = {array_text(x)}" for name, x in c.reads.items()]
    given = "raises," if c.gives is None else f"gives {array_text(c.gives)},"
    return [
        f"smallest: {c.case}",
        *(["  " + ",  ".join(reads)] if reads else []),
        f"  {c.name or formula.name} {given} should be {array_text(c.expected)}",
        f"  {c.example}",
    ]


def array_text(x: Any) -> str:
    """Return an array in one line, as it would be typed."""
    return repr(_rounded(x)) if _numeric(x) else repr(x)


def _rounded(x: Any) -> Any:
    """Return an array as nested lists of short numbers: 4 digits, whole numbers without a point."""

    def short(value: Any) -> Any:
        if isinstance(value, list):
            return [short(part) for part in value]
        if isinstance(value, float) and np.isfinite(value):
            return int(value) if value == int(value) and abs(value) < 1e6 else float(f"{value:.4g}")
        return value

    return short(np.asarray(x).tolist())


def _listed(x: Any) -> Any:
    return np.asarray(x).tolist() if _numeric(x) else repr(x)


def _numeric(x: Any) -> bool:
    try:
        return np.asarray(x).dtype.kind in "fiub"
    except (ValueError, TypeError):
        return False


def _finite(x: Any) -> Any:
    if isinstance(x, dict):
        return {key: _finite(value) for key, value in x.items()}
    if isinstance(x, list | tuple):
        return [_finite(value) for value in x]
    return str(x) if isinstance(x, float) and not np.isfinite(x) else x


__all__ = ["ERROR", "INCONCLUSIVE", "RIGHT", "WRONG", "Counterexample", "Formula", "Report", "array_text"]
