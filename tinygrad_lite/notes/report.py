"""NotesReport: what was found of each equation of a page: for the terminal, for programs, and beside the notes."""

from __future__ import annotations

import html
import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .row import COLOURS, MARKS, TONES, Row
from .words import AMBIGUOUS, UNKNOWN, WRONG

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class NotesReport:
    """The rows in the order of the document, and what was assumed to judge them."""

    rows: list[Row]
    notes: list[str] = field(default_factory=list)
    text: str = field(default="", repr=False)
    title: str = ""
    judged: int = 0  # how many equations could be held against the network

    @property
    def ok(self) -> bool:
        """Whether equations were judged, and nothing is wrong."""
        return self.judged > 0 and not self.wrong

    @property
    def wrong(self) -> bool:
        """Whether something is wrong."""
        return any(row.verdict == WRONG for row in self.rows)

    def __bool__(self) -> bool:
        return self.ok

    def as_list(self) -> list[dict[str, Any]]:
        """Return the rows as plain data."""
        return [row.as_dict() for row in self.rows]

    def to_json(self) -> str:
        """Return the rows as JSON."""
        return json.dumps(self.as_list(), indent=2, ensure_ascii=False)

    @property
    def summary(self) -> str:
        """How many equations are what, and whether any could not be judged."""
        counts = {verdict: sum(row.verdict == verdict for row in self.rows) for verdict in TONES}
        found = ", ".join(f"{n} {verdict.replace('_', ' ')}" for verdict, n in counts.items() if n)
        open_ = counts[UNKNOWN] + counts[AMBIGUOUS]
        if self.judged == 0 and not self.wrong:
            why = "none could be read as one of the network" if open_ else "there are definitions alone"
            return f"{found}: NOTHING WAS JUDGED, {why}; write the backward pass as dZ2 = A2 - Y, dW2 = 1/m dZ2 A1^T"
        return f"{found}: {open_} of {len(self.rows)} WERE NOT JUDGED" if open_ else found

    def table(self) -> Table:
        """Return the rows as a table of rich."""
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table("line", "as read", "verdict", "why, and put right", box=box.SIMPLE_HEAD, pad_edge=False)
        table.columns[0].justify = "right"
        table.columns[1].overflow = table.columns[3].overflow = "fold"
        for row in self.rows:
            why = Text(row.reason)
            if row.fix:
                why.append("\n" * bool(row.reason) + f"→ {row.fix}", style="green")
            verdict = Text(f"{MARKS[row.verdict]} {row.verdict.replace('_', ' ')}", style=TONES[row.verdict])
            table.add_row(str(row.place or row.line), Text(row.shown), verdict, why)
        return table

    def __str__(self) -> str:
        from io import StringIO

        from rich.console import Console

        out = StringIO()
        console = Console(file=out, width=120, highlight=False)
        console.print(self.table())
        return (
            "\n".join(line.rstrip() for line in out.getvalue().splitlines())
            + "\n"
            + "\n".join([*self.notes, self.summary])
        )

    # --- beside the notes ---------------------------------------------------------------------------------------------

    def markdown(self) -> str:
        """Return the notes with each verdict below the line it belongs to."""
        parts: list[str] = []
        for line, rows in self.lines():
            parts += [line, "\n", *(f"> {MARKS[r.verdict]} `{r.shown}` {r.said}\n>\n" for r in rows)]
        return "".join([*parts, "\n", *(f"> {note}\n>\n" for note in [*self.notes, self.summary])])

    def html(self) -> str:
        """Return the notes as one HTML page that needs nothing else."""
        from .annotated import page

        return page(self.title or "Notes, checked", self.lines(), [*self.notes, self.summary])

    def _repr_html_(self) -> str:
        style = {verdict: f"color:{colour}" for verdict, colour in COLOURS.items()}
        cells = "".join(
            f'<tr><td>{r.place or r.line}</td><td>{html.escape(r.shown)}</td>'
            f'<td style="{style[r.verdict]}">{html.escape(r.said)}</td></tr>'
            for r in self.rows
        )  # fmt: skip
        return f"<table>{cells}</table><p>{html.escape('; '.join([*self.notes, self.summary]))}</p>"

    def lines(self) -> list[tuple[str, list[Row]]]:
        """Return the lines of the notes, a formula or a block as one, each with the rows to stand below it."""
        ending: dict[int, list[Row]] = defaultdict(list)
        for row in self.rows:
            ending[self.text.count("\n", 0, max(row.end - 1, 0))].append(row)
        found: list[tuple[str, list[Row]]] = []
        waiting: list[Row] = []
        formula = fenced = inside = False
        depth = 0
        for k, line in enumerate(self.text.rstrip("\n").split("\n")):
            waiting += ending.pop(k, [])
            formula ^= line.count("$$") % 2 == 1
            fenced ^= line.lstrip().startswith("```")
            depth = max(0, depth + len(re.findall(r"\\begin\{|\\\[", line)) - len(re.findall(r"\\end\{|\\\]", line)))
            line = f"{found.pop()[0]}\n{line}" if inside else line
            inside = formula or fenced or depth > 0
            found.append((line, [] if inside else waiting))
            waiting = waiting if inside else []
        rest = [*waiting, *(row for rows in ending.values() for row in rows)]
        return [*found, ("", rest)] if rest else found
