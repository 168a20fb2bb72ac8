"""Sizes: what a page says of the sizes of its matrices, held against those that follow from the network."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..derive.expression import Apply, Expression, Name, write
from .judge import Judge
from .page import Page
from .statement import Item, Size, Statement
from .verdict import AMBIGUOUS, RIGHT, UNKNOWN, WRONG, Verdict

Axes = tuple[str, ...]


@dataclass(frozen=True)
class Slot:
    """A matrix whose size may be stated: how it is written, and its axes; a bias and a sum have two that are right."""

    text: str
    axes: tuple[Axes, ...]


Pair = tuple[Size, Slot]


class Sizes:
    """All sizes that a page states, matched with the matrices of its equations."""

    def __init__(self, page: Page, judge: Judge | None) -> None:
        self.page, self.judge = page, judge
        self.numbers: dict[str, str] = {}  # of each size of the network, as the page says or as most of it says
        self.pairs: dict[int, tuple[int | None, list[Pair]]] = {}  # by item: the equation's item, and what is matched
        votes: dict[str, Counter[str]] = defaultdict(Counter)
        self.square = _picture(page.text)
        if self.square:
            votes["n"][self.square.split()[-1]] += 100
        elif (m := re.search(r"\b(\d{2,})\s*(?:pixels|features|inputs)", page.text, re.I)) is not None:
            votes["n"][m[1]] += 3
        model = {} if judge is None or judge.network.module is None else _of_module(judge)
        for _ in range(3):
            self._count(votes, model)
            self._match()
            votes = defaultdict(
                Counter, {name: Counter({n: k for n, k in c.items() if k >= 100}) for name, c in votes.items()}
            )
            for i, (equation, pairs) in self.pairs.items():
                for size, slot in pairs:
                    for extent, axis in zip((size.rows, size.columns), slot.axes[0], strict=True):
                        if axis not in ("m", "1"):
                            votes[axis][extent] += 2 if i == equation else 1  # beside the equation it is surer

    def _count(self, votes: dict[str, Counter[str]], model: dict[str, str]) -> None:
        for axis, found in votes.items():
            digits = [(n, k) for n, k in found.most_common() if n.isdigit() and int(n) > 0]
            if digits and (len(digits) == 1 or digits[0][1] > digits[1][1]):
                self.numbers[axis] = digits[0][0]
            else:
                self.numbers.pop(axis, None)
        self.numbers |= model

    # --- matching -----------------------------------------------------------------------------------------------------

    def _match(self) -> None:
        group: list[tuple[int, list[Slot]]] = []
        waiting: list[int] = []
        for i, item in enumerate(self.page.items):
            if item.kind == "sizes":
                waiting.append(i)
                continue
            if waiting:
                self._assign(group[-4:], waiting)
                group, waiting = [], []
            if item.kind == "equation" and item.statement is not None:
                slots = self.slots(item.statement, i)
                group.append((i, slots))
                if item.sizes:
                    beside = len(item.sizes) == 1 and slots and not re.search(r"_\s*\{[^}]*(?:times|×)", item.text)
                    self.pairs[i] = (i, [(item.sizes[0], slots[0])] if beside else self._best(item.sizes, slots)[1])
            else:
                group.append((i, self._named(item)))
                if item.sizes:
                    self.pairs[i] = (None, [])
        if waiting:
            self._assign(group[-4:], waiting)

    def _assign(self, group: Sequence[tuple[int, list[Slot]]], waiting: Sequence[int]) -> None:
        """Give lines of sizes to the equations before them, in order."""
        start, items = 0, self.page.items
        for k, i in enumerate(waiting):
            sizes = self.page.items[i].sizes
            choices = []
            for at in range(start, len(group)):
                if len(group) == len(waiting) and at != k:
                    continue
                score, pairs = self._best(sizes, group[at][1])
                near = items[group[at][0]].line == items[group[-1][0]].line
                certain = near or len(group[at][1]) == len(sizes) > 1
                if pairs and (certain or score == 3 * len(sizes)):
                    choices.append((score / len(sizes), at, pairs))
            best = max(choices, default=None, key=lambda c: c[:2])
            if (
                (best is None or best[0] < 3)
                and len(sizes) == 1
                and (slot := self._before(self.page.items[i])) is not None
            ):
                self.pairs[i] = (i, [(sizes[0], slot)])
            elif best is None or best[0] < 1:
                self.pairs[i] = (None, [])
            else:
                start = best[1] + (len(group) > 1)
                self.pairs[i] = (group[best[1]][0], best[2])

    def _before(self, item: Item) -> Slot | None:
        """Return the matrix that is named right before a size: X is 784×m."""
        found = re.search(
            r"([A-Za-z])(?:\^|_)?[{\[(]*(\d?)[}\])]*[^\w\n=]{0,6}(?:is|has|of)?[^\w\n=]{0,6}$",
            self.page.text[: item.start],
        )
        if found is None or self.judge is None or self.judge.sample is None:
            return None
        name = (found[1] if found[1] == "b" else found[1].upper()) + found[2]
        axes = self.judge.sample.axes(name)
        return Slot(name, (axes,)) if axes else None

    def _named(self, item: Item) -> list[Slot]:
        """Return the data or the labels, where what is written for them could not be read: X = [x1 … xm]."""
        name = re.match(r"\W*([XY])\s*=", item.text)
        axes = self.judge.sample.axes(name[1]) if name and self.judge and self.judge.sample else None
        return [Slot(name[1], (axes,))] if name and axes else []

    def slots(self, s: Statement, i: int) -> list[Slot]:
        """Return the matrices of an equation from left to right."""
        if self.judge is None or self.judge.sample is None:
            return []
        meant = [line.judged_as for line in self.judge.lines if line.equation == i]
        own = self.judge.sample.axes(meant[0] if meant else s.target)
        target = [Slot(meant[0] if meant else s.target, (own,))] if own else []
        return target + [slot for side in s.sides[-1:] for slot in self._in(side, own)]

    def _in(self, tree: Expression, whole: Axes | None) -> Iterator[Slot]:
        assert self.judge is not None
        assert self.judge.sample is not None
        match tree:
            case Name(text):
                axes = self.judge.sample.axes(text)
                if axes:
                    yield Slot(text, (axes, whole) if whole and "1" in axes else (axes,))
            case Apply("transpose", (Name(text),)):
                axes = self.judge.sample.axes(text)
                if axes:
                    yield Slot(write(tree), (axes[::-1],))
            case Apply("sum", (Name(text),)):
                axes = self.judge.sample.axes(text)
                if axes:
                    yield Slot(text, (axes, tuple("1" if axis == "m" else axis for axis in axes)))
            case Apply(_, inputs):
                for part in inputs:
                    yield from self._in(part, whole)

    def _best(self, sizes: Sequence[Size], slots: Sequence[Slot]) -> tuple[float, list[Pair]]:
        """Match sizes in order with matrices in order, leaving some out, so that most agrees."""
        if not slots:
            return 0.0, []
        if len(sizes) == 2 and all(self.score(size, slots[0]) == 3 for size in sizes):  # in numbers, and in names
            return 6.0, [(size, slots[0]) for size in sizes]
        one_each = len(sizes) == len(slots)
        pairs = list(zip(sizes, slots, strict=True)) if one_each else []
        total = sum(self.score(*pair) for pair in pairs)
        if pairs and total == 3 * len(pairs):
            return total, pairs
        places = [*slots, slots[0]]
        best: list[tuple[float, list[Pair]]] = [(0.0, [])] * (len(places) + 1)
        for size in sizes:
            before, best = best, [(-1e9, [])]
            for k, slot in enumerate(places):
                with_it = before[k][0] + self.score(size, slot)
                found = (with_it, [*before[k][1], (size, slot)])
                if self.score(size, slot) <= 0 and before[k + 1][0] >= with_it:  # stands for nothing here
                    found = before[k + 1]
                best.append(found if found[0] > best[-1][0] else best[-1])
            best[0] = (0.0, [])
        return (total, pairs) if one_each and best[-1][0] < 3 * len(sizes) else best[-1]

    def score(self, size: Size, slot: Slot) -> float:
        """Return how well a size fits a matrix: 3 where it does, 1 for each extent that does, 1 where it is turned."""
        extents = size.rows, size.columns
        found = []
        for axes in slot.axes:
            agrees = [self.fits(e, a) for e, a in zip(extents, axes, strict=True)]
            turned = all(self.fits(e, a) for e, a in zip(extents, axes[::-1], strict=True))
            found.append(3.0 if all(agrees) else max(float(sum(agrees)), 1.5 * turned))
        return max(found)

    def fits(self, extent: str, axis: str) -> bool:
        """Whether an extent as written may be an axis: a name of the page's own may be any."""
        number = axis if axis == "1" else self.numbers.get(axis)
        if extent.isdigit():
            return extent == number if number else axis != "m"
        if extent in ("m", "N"):
            return axis == "m"
        return axis not in ("m", "1")

    # --- what is said -------------------------------------------------------------------------------------------------

    def size_of(self, axes: Axes) -> str:
        """Write a size with the numbers of the page."""
        return "×".join(self.numbers.get(axis, axis) for axis in axes)

    def verdicts(self) -> Iterator[tuple[int, Item, str, Verdict]]:
        """Yield what is said of sizes: by item, a line of sizes always, sizes beside an equation where they do not fit."""
        for i, (equation, pairs) in sorted(self.pairs.items()):
            item = self.page.items[i]
            sizes = ", ".join(map(self._written, item.sizes))
            if equation is None:
                strange = self._strange(item)
                if strange is not None:
                    yield i, item, sizes, strange
                elif self.square and self.square.startswith(f"{item.sizes[0].rows}×{item.sizes[0].columns} "):
                    yield i, item, sizes, Verdict(RIGHT, f"{self.square} inputs")
                elif item.kind == "sizes":
                    yield i, item, sizes, Verdict(UNKNOWN, "sizes that belong to no equation before them")
                continue
            wrong = [(size, slot) for size, slot in pairs if self.score(size, slot) < 3]
            certain = [(size, slot) for size, slot in wrong if self.certain(size)]
            if certain:
                said = "; ".join(dict.fromkeys(self._said(size, slot) for size, slot in certain))
                fix = ", ".join(dict.fromkeys(self.size_of(slot.axes[0]) for _, slot in certain))
                yield i, item, sizes, Verdict(WRONG, said, (fix, Name("")))
            elif item.kind == "sizes":
                if wrong or len(pairs) < len(item.sizes):
                    yield i, item, sizes, Verdict(AMBIGUOUS, self._doubt(wrong))
                else:
                    yield (
                        i,
                        item,
                        sizes,
                        Verdict(RIGHT, ", ".join(f"{slot.text} {self._written(size)}" for size, slot in pairs)),
                    )

    def certain(self, size: Size) -> bool:
        """Whether a size that does not fit is surely none: 0 is a misreading, and i an index."""
        return not any(e in ("i", "j", "k") or (e.isdigit() and int(e) == 0) for e in (size.rows, size.columns))

    def _doubt(self, wrong: Sequence[Pair]) -> str:
        return f"{self._written(wrong[0][0])} can be no size" if wrong else "not all of these sizes can be matched"

    def fitting(self) -> set[int]:
        """Return the items of equations whose stated sizes all fit."""
        found: dict[int, bool] = {}
        for equation, pairs in self.pairs.values():
            if equation is not None and pairs:
                ok = all(self.score(*pair) >= 3 for pair in pairs)
                found[equation] = found.get(equation, True) and ok
        return {i for i, ok in found.items() if ok}

    def _written(self, size: Size) -> str:
        return f"{size.rows}×{size.columns}"

    def _said(self, size: Size, slot: Slot) -> str:
        return f"{slot.text} is {self.size_of(slot.axes[0])}, not {self._written(size)}{self._why(size, slot)}"

    def _why(self, size: Size, slot: Slot) -> str:
        if any(self.score(size, Slot("", (axes[::-1],))) >= 3 for axes in slot.axes):
            return " (turned)"
        odd = [
            e for e, a in zip((size.rows, size.columns), slot.axes[0], strict=True) if a == "n" and not self.fits(e, a)
        ]
        return f": {odd[0]} does not fit {self._inputs()}" if odd and odd[0].isdigit() and "=" in self._inputs() else ""

    def _strange(self, item: Item) -> Verdict | None:
        """Find a number that no matrix has, and that is the number of inputs but for one digit."""
        inputs = self.numbers.get("n", "")
        numbers = dict.fromkeys(e for size in item.sizes for e in (size.rows, size.columns) if e.isdigit())
        odd = [
            n for n in numbers if len(n) == len(inputs) > 2 and sum(a != b for a, b in zip(n, inputs, strict=True)) == 1
        ]
        odd = [n for n in odd if n not in self.numbers.values()]
        if not odd:
            return None
        return Verdict(WRONG, f"{', '.join(odd)} does not fit {self._inputs()}", (inputs, Name("")))

    def _inputs(self) -> str:
        """Return the number of inputs, as that of the pixels of a picture where it is a square."""
        inputs = self.numbers.get("n", "")
        side = math.isqrt(int(inputs or 0))
        return self.square or (f"{side}×{side} = {inputs}" if side > 10 and side * side == int(inputs) else inputs)


def _picture(text: str) -> str:
    """Return how many pixels a picture of the page has: of 28×28 where 784 or pictures are spoken of, "28×28 = 784"."""
    for m in re.finditer(r"(?<![\d×x])(\d{2,3})\s*(?:\\times|[x×X*])\s*\1(?!\d)(?!\s*(?:\\times|[x×X])\s*[mn])", text):
        pixels = int(m[1]) ** 2
        about = text[max(0, m.start() - 50) : m.end() + 50]
        if re.search(rf"\b{pixels}\b", text) or re.search(r"pixel|image|picture|gr[ae]y", about, re.I):
            return f"{m[1]}×{m[1]} = {pixels}"
    return ""


def _of_module(judge: Judge) -> dict[str, str]:
    """Return the sizes that the parameters of a model have."""
    module = judge.network.module
    found: dict[str, str] = {}
    assert judge.sample is not None
    assert module is not None
    for name, p in module.named_parameters():
        spec = judge.sample.space.specs.get(name.replace(".", "_"))
        if spec is not None:
            found |= {axis: str(n) for axis, n in zip(spec.axes, p.shape, strict=True) if not axis.isdigit()}
    return found
