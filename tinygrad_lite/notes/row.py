"""Row: the verdict on one equation of the notes, and the marks and colours of the verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .source import Place
from .words import AMBIGUOUS, DEFINITION, RIGHT, UNKNOWN, WRONG

TONES = {RIGHT: "green", WRONG: "red", AMBIGUOUS: "yellow", UNKNOWN: "magenta", DEFINITION: "cyan"}
MARKS = {RIGHT: "✓", WRONG: "✗", AMBIGUOUS: "?", UNKNOWN: "…", DEFINITION: "≔"}
COLOURS = {RIGHT: "#1a7f37", WRONG: "#cf222e", AMBIGUOUS: "#9a6700", UNKNOWN: "#8250df", DEFINITION: "#0969da"}


@dataclass(frozen=True)
class Row:
    """The verdict on one equation, or on the sizes stated for one."""

    line: int
    text: str  # as it stands in the notes
    name: str | None
    verdict: str
    reason: str = ""
    fix: str | None = None
    read: str = ""  # as it was read
    end: int = 0  # where it ends in the notes
    place: Place | None = None  # in the file, where that is no text with the same lines

    def as_dict(self) -> dict[str, Any]:
        """Return plain data; a row of a notebook has the number of its cell, and its line is that of the cell."""
        place = self.place or Place(self.line)
        return {
            **({} if place.cell is None else {"cell": place.cell}),
            "line": place.line, "text": self.text, "name": self.name, "verdict": self.verdict, "reason": self.reason,
            "fix": self.fix,
        }  # fmt: skip

    @property
    def shown(self) -> str:
        """The equation as it was read, or its text on one line where it could not be."""
        return self.read or shortened(self.text)

    @property
    def said(self) -> str:
        """The verdict in words."""
        words = self.verdict.replace("_", " ") + (f": {self.reason}" if self.reason else "")
        return words + (f"; put right: {self.fix}" if self.fix else "")


def shortened(text: str) -> str:
    """Return a text on one line, and not all of it."""
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:59] + "…"
