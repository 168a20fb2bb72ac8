"""Sizes: what a page says of the sizes of its matrices, held against those that follow from the network."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from ..formula.expression import Apply, Expression, Name, write
from .lines import Judge
from .network import DATA, split
from .page import Page
from .statement import Item, Size, Statement
from .words import AMBIGUOUS, RIGHT, UNKNOWN, WRONG, Verdict

Axes = tuple[str, ...]
FITS = 3.0  # the score of a size that fits


@dataclass(frozen=True)
class Slot:
    """A matrix whose size may be stated: how it is written, and its axes; a bias and a sum have two that are right."""

    text: str
    axes: tuple[Axes, ...]


Pair = tuple[Size, Slot]


def written(size: Size) -> str:
    """Write a size."""
    return f"{size.rows}×{size.columns}"


class Sizes:
    """All sizes that a page states, matched with the matrices of its equations."""

    def __init__(self, page: Page, judge: Judge | None) -> None:
        self.page, self.judge = page, judge
        self.numbers: dict[str, str] = {}  # of each size of the network, as the page says or as most of it says
        self.pairs: dict[int, tuple[int | None, list[Pair]]] = {}  # by item: the equation's item, and what is matched
        self.letters: dict[str, str] = {"m": "m", "N": "m"}  # which size of the network a letter stands for
        stated = Counter(e for item in page.items for size in item.sizes for e in (size.rows, size.columns))
        self.indices = {e for e in "ijk" if stated[e] < 2}
        self.square = _picture(page.text)
        said = re.search(r"\b(\d{2,})\s*(?:pixels|features|inputs)", page.text, re.I)
        first = {self.square.split()[-1]: 400} if self.square else {said[1]: 12} if said else {}
        first = first or ({"784": 12} if re.search(r"\b784\b", page.text) else {})  # the pixels of MNIST
        votes: dict[str, Counter[str]] = {"n": Counter(first)}
        weighed: list[tuple[Size, Slot, int]] = []
        for _ in range(3):
            self.numbers = self._elected(votes, weighed, first)
            self._match()
            first = first if self.square else {}
            votes = defaultdict(Counter, {"n": Counter(first)})
            letters = defaultdict(Counter, {"m": Counter(m=3), "N": Counter(m=3)})
            weighed = []
            for i, (equation, pairs) in self.pairs.items():
                for size, slot in pairs:
                    weight = (2 if i == equation else 1) + 2 * (slot.text == DATA)  # there it is surer
                    weighed.append((size, slot, weight))
                    a, b = slot.axes[0]
                    for extent, axis in ((size.rows, a), (size.columns, b)):
                        letters[extent][axis] += 2 if slot.text == DATA else 1
                        if extent.isdigit() and int(extent) > 0 and axis not in ("m", "1"):
                            votes[axis][extent] += weight
            most = {n: k.most_common(2) for n, k in letters.items() if not n.isdigit() and k.total() > 1}
            self.letters = {n: found[0][0] for n, found in most.items() if len(found) < 2 or found[0][1] > found[1][1]}

    def _elected(
        self, votes: dict[str, Counter[str]], weighed: Sequence[tuple[Size, Slot, int]], first: dict[str, int]
    ) -> dict[str, str]:
        """Return the number of each size with which most that is stated fits, and rather one that no other size has."""
        known = self.judge.network.sizes if self.judge is not None else {}
        options = {axis: [n for n, _ in counts.most_common(3)] for axis, counts in votes.items() if counts}
        disputed = {axis for axis, found in options.items() if len(found) > 1}
        near = [(size, slot, weight) for size, slot, weight in weighed if disputed & {*slot.axes[0]}]
        for size, slot, _ in near:
            for axis, extent in zip(slot.axes[0], (size.columns, size.rows), strict=True):  # which may be turned
                if extent.isdigit() and extent not in ("0", "1", *options.get(axis, ())) and axis not in ("m", "1"):
                    options.setdefault(axis, []).append(extent)
        open_ = sorted((axis for axis in options if len(options[axis]) > 1), key=lambda axis: axis not in disputed)[:5]
        near = [pair for pair in weighed if {*open_} & {*pair[1].axes[0]}]
        worth = []
        most = {axis: found[0] for axis, found in options.items() if found}
        for chosen in product(*(options[axis][:4] for axis in open_)):
            self.numbers = most | dict(zip(open_, chosen, strict=True)) | known
            stated = sum(self.score(size, slot) * weight for size, slot, weight in near)
            worth.append(
                (stated + first.get(self.numbers.get("n", ""), 0), len({*self.numbers.values()}), self.numbers)
            )
        best = max(worth, key=lambda w: w[:2])
        equal = [numbers for *value, numbers in worth if value == [*best[:2]]]
        return {axis: n for axis, n in best[2].items() if all(other[axis] == n for other in equal)}

    # --- matching -----------------------------------------------------------------------------------------------------

    def _match(self) -> None:
        group: list[tuple[int, list[Slot]]] = []
        waiting: list[int] = []
        for i, item in enumerate(self.page.items):
            slots = list(self.slots(item.statement, i)) if item.statement is not None else self._named(item)
            named = [(size, slot) for size in item.sizes if (slot := self._owner(size, slots)) is not None]
            if item.kind == "sizes":
                if any(size.name for size in item.sizes):
                    self.pairs[i] = (i if named else None, named)
                else:
                    waiting.append(i)
                continue
            if waiting:
                self._assign(group[-4:], waiting)
                group, waiting = [], []
            group.append((i, slots))
            if item.sizes:
                beside = len(item.sizes) == 1 and slots and not re.search(r"_\s*\{[^}]*(?:times|×)", item.text)
                whole = beside and item.statement is not None and slots[0].text not in self._targets(item.statement, i)
                pairs = [(item.sizes[0], slots[0])] if beside else self._best(item.sizes, slots)[1]
                pairs = [] if whole else pairs  # it is that of a target that is not known
                pairs = named if len(named) == len(item.sizes) else pairs
                self.pairs[i] = (i, pairs) if item.statement is not None else (None, [])
        self._assign(group[-4:], waiting)

    def _assign(self, group: Sequence[tuple[int, list[Slot]]], waiting: Sequence[int]) -> None:
        """Give lines of sizes to the equations before them, in order."""
        start, items = 0, self.page.items
        for k, i in enumerate(waiting):
            sizes = items[i].sizes
            choices = []
            for at in range(start, len(group)) if len(group) != len(waiting) else [k] if k >= start else []:
                score, pairs = self._best(sizes, group[at][1])
                near = items[group[at][0]].line == items[group[-1][0]].line
                if pairs and (near or len(group[at][1]) == len(sizes) > 1 or score == FITS * len(sizes)):
                    choices.append((score / len(sizes), at, pairs))
            best = max(choices, default=(0.0, 0, []), key=lambda c: c[:2])
            if best[0] < FITS and len(sizes) == 1 and (slot := self._before(items[i])) is not None:
                self.pairs[i] = (i, [(sizes[0], slot)])
            elif best[0] < 1:
                self.pairs[i] = (None, [])
            else:
                start = best[1] + (len(group) > 1)
                self.pairs[i] = (group[best[1]][0], best[2])

    def _axes(self, name: str) -> Axes | None:
        return self.judge.sample.axes(name) if self.judge is not None else None

    def _owner(self, size: Size, slots: Sequence[Slot]) -> Slot | None:
        """Return the matrix whose name stands with a size; ℝ^64 may be a row or a column."""
        own, axes = next((slot for slot in slots if slot.text == size.name), None), self._axes(size.name)
        if own is not None or axes is None:
            return own
        vector = size.columns == "1" and not re.search(r"[×x*✕,]|\\times|\\cdot", size.text)
        return Slot(size.name, (axes, axes[::-1]) if vector else (axes,))

    def _before(self, item: Item) -> Slot | None:
        """Return the matrix that is named right before a size: X is 784×m."""
        words = r"[^\w\n=]{0,6}(?:is|has|of)?[^\w\n=]{0,6}$"
        found = re.search(r"([A-Za-z])(?:\^|_)?[{\[(]*(\d?)[}\])]*" + words, self.page.text[: item.start])
        name = (found[1] if found[1] == "b" else found[1].upper()) + found[2] if found else ""
        return Slot(name, (axes,)) if (axes := self._axes(name)) else None

    def _named(self, item: Item) -> list[Slot]:
        """Return the data or the labels, where what is written for them could not be read: X = [x1 … xm]."""
        name = re.match(r"\W*([XY])\s*=", item.text)
        return [Slot(name[1], (axes,))] if name and (axes := self._axes(name[1])) else []

    def _targets(self, s: Statement, i: int) -> list[str]:
        """Return what an equation is judged as, and what it says it is."""
        lines = self.judge.lines if self.judge is not None else []
        return [*(line.judged_as for line in lines if line.equation == i), s.target]

    def slots(self, s: Statement, i: int) -> Iterator[Slot]:
        """Yield the matrices of an equation from left to right."""
        target = self._targets(s, i)[0]
        if own := self._axes(target):
            yield Slot(target, (own,))
        for side in s.sides[-1:]:
            yield from self._in(side, own)

    def _in(self, tree: Expression, whole: Axes | None) -> Iterator[Slot]:
        match tree:
            case Name(text) if axes := self._axes(text):
                yield Slot(text, (axes, whole) if whole and "1" in axes else (axes,))
            case Apply("transpose", (Name(text),)) if axes := self._axes(text):
                yield Slot(write(tree), (axes[::-1],))
            case Apply("sum", (Name(text),)) if axes := self._axes(text):
                yield Slot(text, (axes, tuple("1" if axis == "m" else axis for axis in axes)))
            case Apply(_, inputs):
                for part in inputs:
                    yield from self._in(part, whole)

    def _best(self, sizes: Sequence[Size], slots: Sequence[Slot]) -> tuple[float, list[Pair]]:
        """Match sizes in order with matrices in order, leaving some out, so that most agrees."""
        if not slots:
            return 0.0, []
        if len(sizes) == 2 and all(self.score(size, slots[0]) == FITS for size in sizes):  # in numbers, and in names
            return 2 * FITS, [(size, slots[0]) for size in sizes]
        one_each = list(zip(sizes, slots, strict=True)) if len(sizes) == len(slots) else []
        total = sum(self.score(*pair) for pair in one_each)
        places = [*slots, slots[0]]
        best: list[tuple[float, list[Pair]]] = [(0.0, [])] * (len(places) + 1)
        for size in sizes:
            before, best = best, [(-1e9, [])]
            for k, slot in enumerate(places):
                score = self.score(size, slot)
                found = (before[k][0] + score, [*before[k][1], (size, slot)])
                if score <= 0 and before[k + 1][0] >= found[0]:  # stands for nothing here
                    found = before[k + 1]
                best.append(max(best[-1], found, key=lambda b: b[0]))
            best[0] = (0.0, [])
        keep = one_each and (total == FITS * len(sizes) or best[-1][0] < FITS * len(sizes))
        return (total, one_each) if keep else best[-1]

    def score(self, size: Size, slot: Slot) -> float:
        """Return how well a size fits a matrix: 3 where it does, 1 for each extent that does, 1.5 where it is turned."""
        found = []
        for axes in slot.axes:
            ways = [[*zip((size.rows, size.columns), way, strict=True)] for way in (axes, axes[::-1])]
            agrees, turned = ([self._fits(e, a) for e, a in way] for way in ways)
            here, there = (all(self.letters.get(e, a) == a for e, a in way) for way in ways)
            fits = all(agrees) and not (all(turned) and there and not here)
            found.append(FITS if fits else max(float(sum(agrees)), 1.5 * all(turned)))
        return max(found)

    def _fits(self, extent: str, axis: str) -> bool:
        """Whether an extent as written may be an axis: a name of the page's own may be any."""
        number = axis if axis == "1" else self.numbers.get(axis)
        if extent.isdigit():
            return extent == number if number else axis != "m"
        if extent not in self.letters:
            return axis != "1"
        own = self.letters[extent]
        return axis == own or ("m" not in (own, axis) and axis != "1" and axis not in self.letters.values())

    # --- what is said -------------------------------------------------------------------------------------------------

    def verdicts(self) -> Iterator[tuple[int, Item, str, Verdict]]:
        """Yield what is said of sizes: by item, a line of sizes always, sizes beside an equation where they do not fit."""
        for i, (equation, pairs) in sorted(self.pairs.items()):
            item = self.page.items[i]
            found = self._of_no_equation(item) if equation is None else self._of_pairs(item, pairs)
            if item.kind == "sizes" or found.verdict == WRONG or (equation is None and found.verdict == RIGHT):
                yield i, item, ", ".join(map(written, item.sizes)), found

    def _of_pairs(self, item: Item, pairs: Sequence[Pair]) -> Verdict:
        wrong = [(size, slot) for size, slot in pairs if self.score(size, slot) < FITS]
        certain = [
            pair for pair in wrong if not any(e == "0" or e in self.indices for e in (pair[0].rows, pair[0].columns))
        ]
        unread = sorted(n for n in self.page.unread if not split(n)[0] and n != "J")
        if certain and unread and self.judge is not None and self.judge.network.assumed:
            return Verdict(
                AMBIGUOUS, f"the equation of {' and '.join(unread)} could not be read, from which it follows"
            )
        if certain:  # 0 is a misreading, and i an index
            said = "; ".join(dict.fromkeys(self._said(size, slot) for size, slot in certain))
            fix = ", ".join(dict.fromkeys(self._size_of(slot.axes[0]) for _, slot in certain))
            return Verdict(WRONG, said, (fix, Name(certain[0][1].text.rstrip("ᵀ"))))
        if wrong or len(pairs) < len(item.sizes):
            doubt = f"{written(wrong[0][0])} can be no size" if wrong else "not all of these sizes can be matched"
            return Verdict(AMBIGUOUS, doubt)
        return Verdict(RIGHT, ", ".join(f"{slot.text} {written(size)}" for size, slot in pairs))

    def _of_no_equation(self, item: Item) -> Verdict:
        """Judge sizes that no matrix has: a number may be that of the inputs but for one digit, or that of a picture."""
        inputs = self.numbers.get("n", "")
        numbers = dict.fromkeys(e for size in item.sizes for e in (size.rows, size.columns) if e.isdigit())
        odd = [n for n in numbers if len(n) == len(inputs) > 2 and n not in self.numbers.values()
               and sum(a != b for a, b in zip(n, inputs, strict=True)) == 1]  # fmt: skip
        if odd:
            return Verdict(WRONG, f"{', '.join(odd)} does not fit {self._inputs()}", (inputs, Name("")))
        if self.square and self.square.startswith(f"{written(item.sizes[0])} "):
            return Verdict(RIGHT, f"{self.square} inputs")
        return Verdict(UNKNOWN, "sizes that belong to no equation before them")

    def fitting(self) -> set[int]:
        """Return the items of equations whose stated sizes all fit."""
        found: dict[int, bool] = {}
        for equation, pairs in self.pairs.values():
            if equation is not None and pairs:
                found[equation] = found.get(equation, True) and all(self.score(*pair) >= FITS for pair in pairs)
        return {i for i, ok in found.items() if ok}

    def _size_of(self, axes: Axes) -> str:
        names = {axis: letter for letter, axis in [*self.letters.items()][::-1]}
        return "×".join(self.numbers.get(axis, names.get(axis, axis)) for axis in axes)

    def _said(self, size: Size, slot: Slot) -> str:
        why = ""
        extents = zip((size.rows, size.columns), slot.axes[0], strict=True)
        odd = [e for e, a in extents if a == "n" and e.isdigit() and not self._fits(e, a)]
        if any(self.score(size, Slot("", (axes[::-1],))) >= FITS for axes in slot.axes):
            why = " (turned)"
        elif odd and "=" in self._inputs():
            why = f": {odd[0]} does not fit {self._inputs()}"
        return f"{slot.text} is {self._size_of(slot.axes[0])}, not {written(size)}{why}"

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
