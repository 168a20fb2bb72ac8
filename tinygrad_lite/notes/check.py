"""check: a page of notes → a report; every equation-like piece of it has a row, in its order."""

from __future__ import annotations

import os
import re
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..derive.derivation import Equations, equations
from ..files import check_file as regular
from ..formula.expression import Name, write
from ..nn import Module
from ..truth.loss import Scale
from .document import LINE, read
from .lines import Judge, judged
from .mask import visible
from .network import LABELS, names_in
from .page import Page, is_update, networks_of
from .report import NotesReport
from .row import Row
from .sizes import Sizes
from .source import NotesError, source
from .spelt import Speller
from .statement import Item
from .units import by_layer, unfit
from .words import DEFINITION, RIGHT, UNKNOWN, WRONG, Verdict, as_read, verdicts

FILE = 50_000_000  # bytes of a file, which may have pictures in it,
PAGE = 100_000  # and of a page, without lines that are too long to be read; more is refused
STANDARD_INPUT = Path("-")
NEAR = 200  # characters on both sides of an equation that are read again for its repair


def check(text: str, model: Any = None) -> NotesReport:
    r"""Check the equations of a page of notes, in Markdown with LaTeX or in plain text.

    The forward equations define the network, or `model` does, an nn.Module (class or instance) whose tensors bear the names
    of the notes; what is missing is assumed to be as in the network Z1 = W1 X + b1, A1 = ReLU(Z1), Z2 = W2 A1 + b2,
    A2 = softmax(Z2).  Every other equation is verified, each with true values for all that it reads.
    Raises NotesError for notes that are empty or have nothing in them that looks like an equation.

    >>> report = check("Z1 = W1 X + b1, A1 = sigmoid(Z1)\n\ndZ1 = A1 - Y\n\ndW1 = dZ1 X^T\n\ndb1 = 1/m Σ dZ1")
    >>> [(row.name, row.verdict, row.fix) for row in report.rows][3]
    ('dW1', 'wrong', 'dW1 = 1/m dZ1 X^T')
    """
    if not isinstance(text, str):
        raise TypeError(
            f"check takes the text of the notes, a str, not {text!r:.60}; check_file takes the path of a file"
        )
    if re.fullmatch(r"[^\s=]+\.(?:md|txt|markdown|tex|html|ipynb)", text.strip()):
        raise NotesError(f"{text.strip()} is a path; check takes the text of the notes, check_file the path of a file")
    if not text.strip():
        raise NotesError("the notes are empty")
    if "\x00" in text:
        raise NotesError("the notes are no text, but a binary file; give Markdown or plain text")
    text = visible(text)
    if len(text) > PAGE and (length := sum(len(line) for line in text.split("\n") if len(line) <= LINE)) > PAGE:
        raise NotesError(
            f"the notes have {length:,} characters, more than the {PAGE:,} that are read; give them in parts"
        )
    items = _joined(read(text), text)
    if not items:
        raise NotesError(
            "there is no equation in the notes; write them as W = …, in $…$, $$…$$, or on lines of their own"
        )
    page = Page(items, text, None if model is None else _derived(model))
    with np.errstate(all="ignore"):
        networks = _networks(page)
        checked = [_Checked.of(part, judge, 1 / len(networks)) for part, judge in networks]
    rows = [row for part in checked for row in part.rows]
    notes = [f"{_from(part) * (len(checked) > 1)}{line}" for part in checked for line in part.notes]
    return NotesReport(rows, notes, text, judged=sum(part.judged for part in checked))


def _networks(page: Page) -> list[tuple[Page, Judge | None]]:
    """Return a page held against its network, or its parts against one each, where fewer of their equations are wrong."""
    whole = judged(page) if page.equations else None
    if whole is None or page.model is not None or not _wrong(whole):
        return [(page, whole)]
    parts = [Page(items, page.text) for items in networks_of(page.items)]
    held = [(part, judged(part) if part.equations else None) for part in parts] if len(parts) > 1 else []
    wrong = sum(_wrong(judge) for _, judge in held if judge is not None)
    return held if held and wrong < _wrong(whole) else [(page, whole)]


def _wrong(judge: Judge) -> int:
    """Return how many equations and stated sizes are wrong."""
    return judge.wrong + sum(verdict.verdict == WRONG for *_, verdict in Sizes(judge.page, judge).verdicts())


class _Checked(NamedTuple):
    """What is said of the equations that belong to one network."""

    rows: list[Row]
    notes: list[str]
    judged: int  # how many equations are right or wrong

    @classmethod
    def of(cls, page: Page, judge: Judge | None, share: float) -> _Checked:
        """Check equations; each has a row, in their order, and so have sizes that do not fit.

        `share` is the part of the page's repairs that may be tried for them.
        """
        if judge is not None:
            page, judge.share = judge.page, share
        found = verdicts(page, judge) if judge is not None else {}
        items = page.items
        sizes = Sizes(page, judge)
        fitting = sizes.fitting()
        rows: list[tuple[int, int, Row]] = []
        for i, item in enumerate(items):
            if item.kind == "equation" and item.statement is not None:
                why = unfit(item.statement) or "it belongs to no network that could be made of the notes"
                verdict = found.get(i, Verdict(UNKNOWN, why))
                if verdict.verdict == DEFINITION and i in fitting:
                    verdict = Verdict(RIGHT, "the sizes stated for it fit")
                rows.append((i, 0, _row(item, verdict, page, judge)))
            elif item.kind == "unclear":
                rows.append((i, 0, Row(item.line, item.text, None, UNKNOWN, item.reason, end=item.end)))
        for i, item, said, verdict in sizes.verdicts():
            fix = verdict.fix[0] if verdict.fix else None
            shown = item.text if item.kind == "sizes" else said
            name = verdict.fix[1].text or None if verdict.fix and isinstance(verdict.fix[1], Name) else None
            rows.append((i, 1, Row(item.line, shown, name, verdict.verdict, verdict.reason, fix, said, item.end)))
        certain = sum(verdict.verdict in (RIGHT, WRONG) for verdict in found.values())
        return cls([row for _, _, row in sorted(rows, key=lambda r: r[:2])], _notes(judge, page), certain)


def _from(part: _Checked) -> str:
    return f"from line {part.rows[0].line} on: " if part.rows else ""


def check_file(path: str | os.PathLike[str], model: Any = None) -> NotesReport:
    """Check a file of notes: Markdown, plain text, LaTeX, HTML, or the Markdown cells of a notebook; `-` is standard input.

    Raises NotesError for one that is missing, unreadable or no text.
    """
    path, model = Path(path), None if model is None else _derived(model)
    name = "standard input" if path == STANDARD_INPUT else str(path)
    try:
        found = source(_content(path), path.suffix)
        report = check(found.text, model)
    except UnicodeDecodeError:
        raise NotesError(f"{name}: no text in UTF-8; give Markdown or plain text") from None
    except FileNotFoundError:
        raise NotesError(f"{name}: no such file; give the path of a file of notes") from None
    except OSError as error:
        raise NotesError(f"{name}: cannot be read ({error.strerror})") from None
    except NotesError as error:
        raise NotesError(f"{name}: {error}") from None
    rows = [replace(row, place=found.places[row.line - 1]) for row in report.rows]
    return replace(report, rows=rows, title="" if path == STANDARD_INPUT else path.stem)


def _content(path: Path) -> str:
    """Return what a file holds, or standard input; a pipe by another name may have no end."""
    if path == STANDARD_INPUT and sys.stdin is None:
        raise NotesError("is closed; give the path of a file of notes")
    if path != STANDARD_INPUT:
        regular(path)
    with nullcontext(sys.stdin.buffer) if path == STANDARD_INPUT else path.open("rb") as file:
        content = file.read(FILE + 1)
    if len(content) > FILE:
        raise NotesError(f"has more than {FILE:,} bytes; give the notes alone, in parts of {PAGE:,} characters")
    return content.decode("utf-8-sig").replace("\r\n", "\n")


def _derived(model: Any) -> Equations:
    """Return the equations of a model.  Raises NotesError where they are no network of data X and labels Y."""
    if isinstance(model, Equations):
        return model
    kind = model if isinstance(model, type) else type(model)
    if not issubclass(kind, Module):
        raise NotesError(
            f"model must be an nn.Module, a class or an instance, not {model!r:.60}; `load_model` opens a file"
        )
    try:
        found = equations(model() if isinstance(model, type) else model)
    except TypeError as error:
        raise NotesError(f"the model {kind.__name__} cannot be read: {error}") from None
    if not Page((), "", found).candidates():
        raise NotesError(
            f"{found.title} has no forward pass that notes can be held against: it takes X, its loss(X, Y) the labels Y, "
            "and between them are equations such as Z1 = W1 X + b1; `tinygrad-lite derive` prints those that it has"
        )
    return found


def _joined(items: list[Item], text: str) -> list[Item]:
    """Join the sizes that stand on one line without an equation between them."""
    found: list[Item] = []
    for item in items:
        last = found[-1] if found else None
        if last is not None and item.kind == last.kind == "sizes" and item.line == last.line:
            item = Item(
                item.line, last.start, item.end, text[last.start : item.end], "sizes", None, (*last.sizes, *item.sizes)
            )
            found.pop()
        found.append(item)
    return found


def _row(item: Item, verdict: Verdict, page: Page, judge: Judge | None) -> Row:
    assert item.statement is not None
    fix = None
    if verdict.fix is not None and verdict.verdict == WRONG and judge is not None:
        speller = Speller(item.text, page.text, "\n".join(i.text for i in page.items if i.statement is not None),
                          axis=0 if judge.network.rows else 1)  # fmt: skip
        ways = (speller(*verdict.fix, update=is_update(item.statement), plain=plain) for plain in (False, True))
        fix = next((way for way in ways if _holds(way, item, verdict.fix[0], page, judge)), None)
    meant = by_layer(item.statement, page.reading.units)
    shown = as_read(meant)
    return Row(item.line, item.text, meant.target, verdict.verdict, verdict.reason, fix, shown, item.end)


def _holds(fix: str, item: Item, target: str, page: Page, judge: Judge) -> bool:
    """Whether a repair, read where the equation stands, is right: with what is near, or else with all of the page."""
    text = page.text
    before = max(text.rfind("\n\n", 0, item.start), item.start - NEAR)
    after = text.find("\n\n", item.end, item.end + NEAR)
    for begin, end in ((max(before, 0), after if after >= 0 else item.end + NEAR), (0, len(text))):
        if begin == 0 and end == len(text):
            if page.again.spent:
                return False
            page.again.left -= len(text)
        start = item.start - begin
        found = [i for i in read(text[begin : item.start] + fix + text[item.end : end])
                 if i.statement is not None and start - 2 <= i.start < start + len(fix)]  # fmt: skip
        statement = found[0].statement if found else None
        if statement is None or statement.target != target:
            continue
        meant = page.reading.of(statement)
        if meant.target not in judge.values or judge.allows(meant, item):
            return True
    return False


def _notes(judge: Judge | None, page: Page) -> list[str]:
    """Say what the judgement rests on."""
    if judge is None:
        return ["no network could be made of these notes"]
    network = judge.network
    if network.model:
        return [f"network: {network.model}, as in its file"]
    given = [
        f"{n} = {write(t)}"
        for n, t in network.definitions.items()
        if n not in network.assumed and not isinstance(t, Name)
    ]
    given = [line for line in given if line.partition(" = ")[0] not in network.changed]
    found = ["network: " + "; ".join(given)] if given else []
    if network.assumed:
        found.append(
            "assumed, since the notes do not say: " + "; ".join(f"{n} = {write(t)}" for n, t in network.assumed.items())
        )
    source = "" if network.cost_name.endswith("written") else _source(judge, page)
    summed = f"{network.cost_name.removeprefix('mean ')}, summed over the samples, since no formula has 1/m"
    found.append(f"loss: {summed if network.total else network.cost_name}{source}")
    inner = [line.target for line in judge.lines if line.fits and line.target[1:] in network.definitions]
    if inner:
        meaning = "the gradient of J" if network.total and judge.scale is Scale.MEAN else judge.scale.said
        found.append(f"{', '.join(dict.fromkeys(inner))}: {meaning}")
    found += [*network.said, *page.reading.said()]
    given_ = {line.judged_as for line in judge.lines}
    missing = [f"d{n}" for n in network.axes if n not in ("X", LABELS) and f"d{n}" not in given_]
    if given_ and any(n.startswith("d") for n in given_) and missing:
        found.append(f"no formula for {', '.join(missing)}")
    return found


def _source(judge: Judge, page: Page) -> str:
    """Say why a loss was taken that the notes do not write down."""
    if page.losses:
        return ", and not that of the notes, from which the other equations do not follow"
    network = judge.network
    error = f"d{network.output}", "d" + "".join(n for t in [network.definitions[network.output]] for n in names_in(t))
    fits = [line for line in judge.lines if line.target in error and line.fits]
    if fits:
        return f", since {as_read(page.items[fits[0].equation].statement)} follows from it"  # type: ignore[arg-type]
    return ", the usual one for this output"
