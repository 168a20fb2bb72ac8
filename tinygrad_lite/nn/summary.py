"""The table that `Module.summary` returns.  rich is imported late."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence


def table(rows: Sequence[tuple[str, str, str, int]], totals: Mapping[str, int]) -> str:
    """Lay out rows of (name, kind, shape, number of elements), and the totals under them, as plain text.

    The width follows from the content alone, so the text is the same in a file, a pipe and a terminal of any width.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    lines = Table(box=box.HORIZONTALS, show_edge=False, pad_edge=False)
    lines.add_column("name", no_wrap=True)
    lines.add_column("kind", no_wrap=True)
    lines.add_column("shape", justify="right", no_wrap=True)
    lines.add_column("elements", justify="right", no_wrap=True)
    for name, kind, shape, size in rows:
        lines.add_row(name, kind, shape, f"{size:,}")
    lines.add_section()
    for name, size in totals.items():
        lines.add_row(name, "", "", f"{size:,}")
    out = io.StringIO()
    console = Console(file=out, width=10_000, color_system=None, markup=False, emoji=False, highlight=False)
    console.print(lines)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())
