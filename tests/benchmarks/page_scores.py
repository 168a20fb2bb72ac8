"""What `notes` says of a page of the corpus as it stands, and with each of its mistakes planted."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tinygrad_lite.notes import NotesError, check
from tinygrad_lite.notes.report import Row

from .program_scores import differ

PAGES = Path(__file__).parents[1] / "corpus/pages"
SCANS = Path(__file__).parents[1] / "notes"
COUNTS = (
    *("pages", "rows", "read", "rightly", "alarms", "missed", "dropped"),
    *("mistakes", "noticed", "blamed", "repaired"),
)
WORST = ("wrong", "ambiguous", "not_understood", "definition", "right")  # of several rows, the first of these counts


@dataclass(frozen=True)
class Page:
    """A page, the verdict that belongs to each of its rows, and the mistakes to plant: old text and new text."""

    name: str

    @cached_property
    def text(self) -> str:
        return next(p for folder in (PAGES, SCANS) if (p := folder / f"{self.name}.md").exists()).read_text("utf-8")

    @cached_property
    def info(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((PAGES / f"{self.name}.json").read_text("utf-8"))
        return found

    def meant(self, key: str, rows: list[Row]) -> list[Row]:
        """The rows of a key: those of that name or, of a key with white space or a `=` in it, those on that text."""
        if not re.search(r"[=\s]", key):
            return [row for row in rows if row.name == key]
        at = self.text.index(key)
        return [row for row in rows if row.end > at and row.end - len(row.text) < at + len(key)]

    def planted(self, old: str, new: str) -> tuple[str, int]:
        """The page with a mistake in it, and where that is."""
        if self.text.count(old) < 1:
            raise ValueError(f"{self.name}: {old!r} is not on the page")
        return self.text.replace(old, new, 1), self.text.index(old) + differ(old, new)


def rows_of(text: str) -> list[Row]:
    try:
        return check(text).rows
    except NotesError:
        return []


def wrong_of(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row.verdict == "wrong"]


def score(_folder: str, name: str) -> tuple[dict[str, int], list[float], list[str]]:
    """The counts of a page, the process times, and a line for whatever is not as it should be."""
    page = Page(name)
    counts = dict.fromkeys(COUNTS, 0)
    begun = time.process_time()
    rows = rows_of(page.text)
    seconds, said = [time.process_time() - begun], []
    counts["pages"], counts["rows"], counts["mistakes"] = 1, len(page.info["rows"]), len(page.info["mistakes"])
    listed: list[int] = []
    for key, expected in page.info["rows"].items():
        found = page.meant(key, rows)
        listed += map(id, found)
        verdict = next((v for v in WORST if any(row.verdict == v for row in found)), "dropped")
        counts["dropped"] += verdict == "dropped"
        counts["read"] += verdict not in ("dropped", "not_understood")
        counts["rightly"] += verdict == expected
        counts["alarms"] += verdict == "wrong" and expected != "wrong"
        counts["missed"] += expected == "wrong" and verdict in ("right", "definition")
        if verdict != expected:
            reason = "; ".join(row.reason for row in found)
            said.append(f"{name}: {key}: {verdict}, should be {expected}: {reason}")
    for row in wrong_of(rows):
        if id(row) not in listed:
            counts["alarms"] += 1
            said.append(f"{name}: {row.text}: wrong, is not listed as such: {row.reason}")
    for old, new in page.info["mistakes"]:
        text, at = page.planted(old, new)
        begun = time.process_time()
        bad = _new(wrong_of(rows_of(text)), wrong_of(rows))
        seconds.append(time.process_time() - begun)
        line = text.count("\n", 0, at) + 1
        blamed = len(bad) == 1 and (bad[0].line == line or bad[0].end - len(bad[0].text) <= at <= bad[0].end)
        mends = blamed and _mended(page, text, bad[0], rows)
        for word, is_so in (("noticed", bool(bad)), ("blamed", blamed), ("repaired", mends)):
            counts[word] += is_so
        if not mends:
            what = "not repaired" if blamed else "other blamed" if bad else "not noticed"
            shown = "; ".join(f"{row.text}: {row.reason} → {row.fix}" for row in bad)
            said.append(f"{name}: {what}: {old!r} → {new!r}: {shown}")
    return counts, seconds, said


def _new(wrong: list[Row], before: list[Row]) -> list[Row]:
    """The wrong rows that were not wrong before the mistake."""
    known = {(row.line, row.text) for row in before}
    return [row for row in wrong if (row.line, row.text) not in known]


def _mended(page: Page, text: str, row: Row, rows: list[Row]) -> bool:
    """Whether the page is as it was once the fix stands in it; a size stands in words, and only says what it should be."""
    if row.fix is None or "×" in row.fix:
        return row.fix is not None
    fixed = text[: row.end - len(row.text)] + row.fix + text[row.end :]
    return fixed == page.text or len(wrong_of(rows_of(fixed))) <= len(wrong_of(rows))
