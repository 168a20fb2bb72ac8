"""Formula: what every op of a graph computes, written as on paper.

An unnamed tensor that is used once has no place of its own: it is folded into the formula of the tensor it is used for,
so that `Z1 = W1 @ X + b1` is one formula.  Everything runs in one pass over the vertices, without recursion.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from string import Formatter
from typing import Any, NamedTuple

from ..graph import Graph, Vertex
from ..op import ATOM, POWER, PRODUCT, SUM, UNARY
from ..tensor import Tensor, is_array

# Finer than the table of ops: a > b binds weaker than a + b, and a b closer than a ⊙ b, closer than a / b, so that
# (a / b) ⊙ c and (a ⊙ b) c get brackets, which not every reader needs, but some do.
RELATION, QUOTIENT, JUXTAPOSED = SUM - 1, PRODUCT - 0.25, PRODUCT + 0.5
LIMIT = 40  # characters: a formula that would get longer names a part of it instead
NAME_LIMIT = 24
_SUBSCRIPT = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_SUPERSCRIPT = str.maketrans("0123456789−()", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁽⁾")


class Formula(NamedTuple):
    """A formula and the tensors in it: their positions in the graph, in order and with repeats.

    `head` and `tail` tell how strongly it holds together where something stands before or after it.
    """

    text: str
    inputs: tuple[int, ...] = ()
    head: float = ATOM
    tail: float = ATOM


class Sheet(NamedTuple):
    """The formulas of a graph: the tensors that have a place of their own, by position, with their names on paper."""

    names: dict[int, str]
    formulas: dict[int, Formula]


def write(graph: Graph, limit: int = LIMIT) -> Sheet:
    """Write the formula of every tensor that is named, used more than once, or a result.

    Another gets a place of its own only where a formula would become longer than `limit` characters.  A tensor without
    a name is called after its op: add₁.

    >>> from tinygrad_lite import capture
    >>> W1, X, b1 = (Tensor([[1.0]], name=name) for name in ("W1", "X", "b1"))
    >>> [formula.text for formula in write(capture(lambda: 2 * (W1 @ X + b1))).formulas.values()]
    ['2 (W₁ X + b₁)']
    """
    names: dict[int, str] = {}
    taken, numbered = set[str](), Counter[str]()
    for i, vertex in enumerate(graph.vertices):
        name, k = pretty(vertex.name or ""), 2
        while name and name in taken:  # W1 and W_1
            name, k = pretty(f"{vertex.name}#{k}"), k + 1
        if name:
            names[i] = name
            taken.add(name)
    uses = [len(users) for users in graph.consumers]
    results = set(graph.outputs)
    parts: list[Formula] = []  # what stands for each vertex in the formulas of others
    placed: dict[int, str] = {}
    formulas: dict[int, Formula] = {}

    def place(i: int) -> None:
        vertex = graph.vertices[i]
        if vertex.op is not None:
            formulas[i] = parts[i]
        kind = vertex.op.name if vertex.op is not None else vertex.kind
        name = names.get(i)
        while name is None or (i not in names and name in taken):
            numbered[kind] += 1
            name = kind + str(numbered[kind]).translate(_SUBSCRIPT)
        placed[i] = name
        parts[i] = Formula(name, (i,))

    for i, vertex in enumerate(graph.vertices):
        if vertex.op is None:
            parts.append(_number(vertex.value) if vertex.kind == "number" else Formula(""))
        else:
            parts.append(_compose(vertex, [parts[j] for j in vertex.inputs]))
            excess = len(parts[i].text) - limit
            loose = {j for j in vertex.inputs if j not in placed and graph.vertices[j].op is not None}
            if excess > 0 and loose:
                for j in sorted(loose, key=lambda j: (-len(parts[j].text), j)):
                    if excess > 0:
                        excess -= len(parts[j].text)
                        place(j)
                        excess += len(parts[j].text)
                parts[i] = _compose(vertex, [parts[j] for j in vertex.inputs])
        if vertex.kind != "number" and (vertex.op is None or i in names or uses[i] != 1 or i in results):
            place(i)
    return Sheet(placed, formulas)


def pretty(name: str) -> str:
    """Write a name as on paper: W₁ for W1, y⁽²⁾ for the second tensor named y; on one line, and not too long.

    >>> pretty("W1"), pretty("b_12"), pretty("y#2"), pretty("encoder.W")
    ('W₁', 'b₁₂', 'y⁽²⁾', 'encoder.W')
    """
    name = one_line(name)
    name, repeat = m.groups() if (m := re.fullmatch(r"(.+)#(\d+)", name)) else (name, "")
    if len(name) > NAME_LIMIT:
        name = f"{name[: NAME_LIMIT // 2]}…{name[1 - NAME_LIMIT // 2 :]}"
    name = re.sub(r"(?<=[^\W\d_])_?([0-9]+)$", lambda m: m[1].translate(_SUBSCRIPT), name)
    return name + f"({repeat})".translate(_SUPERSCRIPT) if repeat else name


def one_line(text: str) -> str:
    """Return text on one line, without control characters.

    >>> one_line("\\n a\\tb\\x00")
    'a b'
    """
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _compose(vertex: Vertex, parts: Sequence[Formula]) -> Formula:
    """Write one op from the formulas of its inputs, with the brackets that its template and precedence demand."""
    op, inputs = vertex.op, tuple(i for part in parts for i in part.inputs)
    assert op is not None
    settings = {name: _setting(value) for name, value in {**op.defaults, **vertex.params}.items()}
    if op.variadic:
        texts = [part.text for part in parts]
        listed = ", ".join(texts[:4] + ["…"] * (len(texts) > 5) + texts[4:][-1:])
        return Formula(op.text.format(listed, **settings), inputs)
    first, last, between = _ends(op.text)
    strength = {" ": JUXTAPOSED, " / ": QUOTIENT}.get(between, op.precedence if op.vjps else RELATION)
    if op.name == "mul" and _is_number(parts[0]) != _is_number(parts[1]):  # 2 x for x ⊙ 2
        a, b = sorted(parts, key=_is_number, reverse=True)
        b = _bracket(b, b.head < JUXTAPOSED or b.text[0].isdigit())
        return Formula(f"{a.text} {b.text}", inputs, min(JUXTAPOSED, a.head), min(JUXTAPOSED, b.tail))
    if op.name == "pow" and re.fullmatch(r"−?\d+", parts[1].text):  # x² for x^2
        a = _bracket(parts[0], parts[0].tail <= POWER or parts[0].text[-1] == "⁾")
        return Formula(a.text + parts[1].text.translate(_SUPERSCRIPT), inputs, min(POWER, a.head), POWER)
    if op.text == "{0}":
        return parts[0]
    parts, head, tail = list(parts), float(ATOM), float(ATOM)
    if first is not None:  # a + …, xᵀ, x[0]: left to right, but a^b^c and a > b > c say nothing
        strict = strength in (POWER, RELATION)
        a = parts[first] = _bracket(parts[first], parts[first].tail < strength + 0.5 * strict)
        head, tail = min(strength, a.head), strength
    if last is not None:
        prefix = first is None  # −x, Σ x: it may be read as to reach further
        demanded = strength if prefix else UNARY if strength == QUOTIENT else strength + 0.5
        b = parts[last] = _bracket(parts[last], parts[last].head < demanded)
        tail = min(strength - prefix, b.tail)
        head = (SUM if op.text[0] in "+−-" else UNARY) if prefix else head
    return Formula(op.text.format(*[part.text for part in parts], **settings), inputs, head, tail)


def _bracket(part: Formula, needed: bool) -> Formula:
    return Formula(f"({part.text})", part.inputs) if needed else part


@cache
def _ends(template: str) -> tuple[int | None, int | None, str]:
    """Return the input that the template begins with, the one it ends with, and the text between two such."""
    pieces = list(Formatter().parse(template))
    begin, end = pieces[0], pieces[-1]
    first = int(begin[1]) if begin[0] == "" and begin[1] and begin[1].isdigit() else None
    last = int(end[1]) if end[1] and end[1].isdigit() and (first is None or len(pieces) > 1) else None
    return first, last, end[0] if len(pieces) == 2 and first is not None else ""


def _number(x: Any) -> Formula:
    """Write a Python number: a fraction with four significant digits."""
    if isinstance(x, float):
        text = str(int(x)) if x.is_integer() and abs(x) < 1e6 else f"{x:.4g}"
        text = re.sub(r"e([+-])0*", r"e\1", text).replace("e+", "e").replace("inf", "∞")
    else:
        text = str(x)
    text = text.replace("-", "−")
    return Formula(text, (), SUM, UNARY) if text[0] == "−" else Formula(text)


def _is_number(part: Formula) -> bool:
    return not part.inputs and re.fullmatch(r"−?(\d.*|∞)", part.text) is not None


def _setting(value: Any) -> str:
    """Write a parameter of an op: an axis, a shape, an index."""
    if isinstance(value, slice):
        ends = ("" if x is None else _setting(x) for x in (value.start, value.stop))
        return ":".join(ends) + (f":{_setting(value.step)}" if value.step is not None else "")
    if isinstance(value, tuple):
        return ", ".join(map(_setting, value))
    if isinstance(value, Tensor) or is_array(value):
        return "mask" if value.dtype.kind == "b" else "indices"
    text = "…" if value is Ellipsis else _number(value).text if isinstance(value, float | int) else str(value)
    return text if len(text) <= NAME_LIMIT else text[:NAME_LIMIT] + "…"
