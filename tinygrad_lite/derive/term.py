"""Term: a factor times a tree, simplified as a person does: factors to the front, what changes nothing left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isclose, isfinite, prod, sqrt
from typing import Any, TypeAlias

from ..op import Op
from .expression import Apply, Expression, Name, Number, hashable, parts_of, write

Powers: TypeAlias = tuple[tuple[str, Fraction], ...]
Rational: TypeAlias = Any  # a Fraction where a number is one of small whole numbers, else a float
ONE = Number(1)
LIMIT = 24  # names, numbers and ops in an equation: of a longer one a part gets a name of its own
RESHAPING = {"reshape", "squeeze", "expand_dims", "astype", "positive", "broadcast_to"}
ELEMENTWISE = {"add", "sub", "mul", "div", "masked", "where", "maximum", "minimum"}  # their inputs broadcast


@dataclass(frozen=True)
class Factor:
    """A number times powers of sizes, such as 2/m."""

    number: Rational = Fraction(1)
    sizes: Powers = ()

    def __mul__(self, other: Factor) -> Factor:
        return self._times(other, 1)

    def __truediv__(self, other: Factor) -> Factor:
        return self._times(other, -1)

    def _times(self, other: Factor, sign: int) -> Factor:
        powers = dict(self.sizes)
        for name, p in other.sizes:
            powers[name] = powers.get(name, Fraction(0)) + sign * p
        number = self.number * other.number if sign > 0 else self.number / other.number
        return Factor(number, tuple(sorted((name, p) for name, p in powers.items() if p)))

    def power(self, exponent: Fraction) -> Factor | None:
        """Return the factor to a power; None where its number has no such power that is exact."""
        if self.number < 0 and exponent.denominator != 1:
            return None
        number = self.number**exponent
        if isinstance(self.number, Fraction) and not isinstance(number, Fraction):
            number = _exact(number)
        return Factor(number, tuple((name, p * exponent) for name, p in self.sizes))

    def at(self, sizes: Mapping[str, int]) -> float:
        """Return its value."""
        return float(self.number * prod(sizes[name] ** float(p) for name, p in self.sizes))

    def without(self, size: str) -> Factor:
        """Return the factor with a size in the denominator left out: 2 for 2/m."""
        return Factor(self.number, tuple((name, p) for name, p in self.sizes if name != size or p > 0))


def factor_of(value: float, sizes: Mapping[str, int]) -> Factor:
    """Recognise the sizes in a number: 2/m in 2/37.  The sizes are prime numbers that stand for themselves alone.

    >>> factor_of(2 / 37, {"m": 37})
    Factor(number=Fraction(2, 1), sizes=(('m', Fraction(-1, 1)),))
    """
    exact = _exact(value) if isfinite(value) else value
    if isinstance(exact, Fraction):
        found = _factored(exact, sizes, Fraction(1))
        decimal = found.number.denominator > 1000 or (
            found.number.denominator > 1 and 10**6 % found.number.denominator == 0
        )
        return Factor(value) if decimal and not found.sizes and found.number.denominator > 9 else found
    square = _exact(value * value) if isfinite(value) else value
    if isinstance(square, Fraction) and (found := _factored(square, sizes, Fraction(1, 2))).sizes:
        root = Fraction(round(sqrt(found.number.numerator)), round(sqrt(found.number.denominator)))
        if root**2 == found.number:
            return Factor(root if value > 0 else -root, found.sizes)
    return Factor(value)


def _factored(exact: Fraction, sizes: Mapping[str, int], exponent: Fraction) -> Factor:
    powers: dict[str, Fraction] = {}
    for name, prime in sizes.items():
        for part, sign in ((exact.numerator, 1), (exact.denominator, -1)):
            while part and part % prime == 0:
                part //= prime
                exact /= Fraction(prime) ** sign
                powers[name] = powers.get(name, Fraction(0)) + sign * exponent
    return Factor(exact, tuple(sorted(powers.items())))


def _exact(value: float) -> Rational:
    """Return a number as a fraction, where it is one of small whole numbers."""
    near = Fraction(value).limit_denominator(10**7) if abs(value) < 10**7 else Fraction(round(value))
    return (
        near if isclose(near, value, rel_tol=1e-12) and (near.denominator < 10**4 or 1 / near == 1 // near) else value
    )


@dataclass(frozen=True)
class Term:
    """factor · tree."""

    factor: Factor
    tree: Expression

    @property
    def pure(self) -> bool:
        """Whether it is a number."""
        return self.tree == ONE


MINUS = Factor(Fraction(-1))


def number_term(factor: Factor) -> Term:
    """Return a factor as a term."""
    return Term(factor, ONE)


def applied(op: Op, terms: Sequence[Term], params: Mapping[str, Any], shapes: Sequence[tuple[int, ...]]) -> Term:
    """Return an op on terms, simplified; `shapes` are those of the inputs and, last, of the result.

    Constant factors are pulled out of every op that is linear in an input, which its rules tell: a rule that reads neither
    the value of its input nor the result.
    """
    if op.name in ELEMENTWISE:
        terms = [_bare(term, shape, shapes) for term, shape in zip(terms, shapes, strict=False)]
    found = SPECIAL[op.name](list(terms), params, shapes) if op.name in SPECIAL else None
    if found is None:
        found = _general(op, terms, params, shapes)
    return found if found.factor.number or found.pure else constant(Factor(Fraction(0)), shapes[-1])


def constant(factor: Factor, shape: tuple[int, ...]) -> Term:
    """Return a number in every place of a shape."""
    return Term(factor, Apply("broadcast_to", (ONE,), (("shape", hashable(shape)),)) if shape else ONE)


def _general(op: Op, terms: Sequence[Term], params: Mapping[str, Any], shapes: Sequence[tuple[int, ...]]) -> Term:
    """Return an op on terms of which nothing is known but its rules."""
    if op.name in RESHAPING and _same(shapes[0], shapes[-1]):
        return terms[0]
    if op.name == "broadcast_to" and isinstance(terms[0].tree, Apply) and terms[0].tree.op == "broadcast_to":
        return terms[0]
    factors = [Factor()] * len(terms)
    for i in _linear(op, len(terms)):
        factors[i] = terms[i].factor
    total = Factor()
    for factor in factors:
        total *= factor
    inner = [t.tree if f == t.factor else as_tree(t) for t, f in zip(terms, factors, strict=True)]
    settings = tuple(sorted((name, hashable(value)) for name, value in {**op.defaults, **params}.items()))
    return Term(total, Apply(op.name, tuple(inner), settings))


def _linear(op: Op, inputs: int) -> list[int]:
    """Return the inputs in each of which alone an op is linear; not those of a sum, which is linear in all together."""
    if op.variadic or op.composed or not op.vjps:
        return []
    kept = {i: op.plan(1 << i, inputs) for i in range(inputs) if op.vjps[i] is not None}
    smooth = [i for i, plan in kept.items() if i in plan.drop and not plan.keep_out]
    return [i for i in smooth if not any(j in kept[i].drop for j in smooth if j != i)]


def _same(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """Whether two shapes differ by axes of length 1 only."""
    return [n for n in a if n != 1] == [n for n in b if n != 1]


def _bare(term: Term, shape: tuple[int, ...], shapes: Sequence[tuple[int, ...]]) -> Term:
    """Leave out a broadcast where another input of an elementwise op has the full shape."""
    match term.tree:
        case Apply("broadcast_to", (inner,)) if list(shapes[:-1]).count(shapes[-1]) > (shape == shapes[-1]):
            return Term(term.factor, inner)
    return term


# --- ops of their own -------------------------------------------------------------------------------------------------


def added(terms: list[Term], _params: Any, shapes: Sequence[tuple[int, ...]], sign: int = 1) -> Term | None:
    """a + b, with what is common to their factors pulled out; a − b where one is negative."""
    a, b = terms
    if sign < 0:
        b = Term(b.factor * MINUS, b.tree)
    if not a.factor.number or not b.factor.number:  # x + 0
        i = int(not a.factor.number)
        return (a, b)[i] if shapes[i] == shapes[-1] else None
    if a.tree == b.tree and a.factor.sizes == b.factor.sizes and not a.pure:
        return Term(Factor(a.factor.number + b.factor.number, a.factor.sizes), a.tree)
    match a.tree:
        case Apply("add", (rest, again)) if again == b.tree and a.factor == b.factor:  # x + y + y
            return Term(a.factor, Apply("add", (rest, as_tree(Term(Factor(Fraction(2)), again)))))
    common = Factor(Fraction(1), () if a.pure else _common(a.factor, b.factor))
    if a.pure and b.pure and a.factor.sizes == b.factor.sizes:
        return Term(Factor(a.factor.number + b.factor.number, a.factor.sizes), ONE)
    if abs(a.factor.number) == abs(b.factor.number):
        common *= Factor(abs(a.factor.number))
    if a.factor.number < 0 and b.factor.number < 0:
        common *= MINUS
    a, b = Term(a.factor / common, a.tree), Term(b.factor / common, b.tree)
    if a.factor.number < 0 < b.factor.number:
        a, b = b, a
    if (a.factor, b.factor) in ((Factor(), Factor()), (Factor(), MINUS)) and (shared := _shared(a.tree, b.tree)):
        one, other, rest = shared
        return Term(common, Apply("mul", (one, Apply("sub" if b.factor == MINUS else "add", (other, rest)))))
    if b.factor.number < 0:
        return Term(common, Apply("sub", (as_tree(a), as_tree(Term(b.factor * MINUS, b.tree)))))
    return Term(common, Apply("add", (as_tree(a), as_tree(b))))


def _common(a: Factor, b: Factor) -> Powers:
    """Return the sizes that two factors have in common: 1/m of 1/m and 1/m²."""
    other = dict(b.sizes)
    both = [(n, p, other.get(n, Fraction(0))) for n, p in a.sizes]
    return tuple((n, min(p, q, key=abs)) for n, p, q in both if p * q > 0)


def _shared(a: Expression, b: Expression) -> tuple[Expression, Expression, Expression] | None:
    """Return G, H and K of G ⊙ H and G ⊙ K."""
    match a, b:
        case Apply("mul", (one, other)), Apply("mul", (two, rest)) if one == two and not is_scalar(one):
            return one, other, rest
    return None


def is_scalar(tree: Expression) -> bool:
    """Whether a formula is made of numbers and sizes alone."""
    return not any(isinstance(part, Name) and not part.scalar for part in parts_of(tree))


def _mul(terms: list[Term], _params: Any, _shapes: Any) -> Term | None:
    a, b = terms
    factor = a.factor * b.factor
    if a.pure or b.pure:
        return Term(factor, b.tree if a.pure else a.tree)
    match a.tree, b.tree:  # (1 / x) ⊙ y
        case (Apply("div", (Number(1), below)), above) | (above, Apply("div", (Number(1), below))):
            return Term(factor, Apply("div", (above, below)))
    return Term(factor, Apply("square", (a.tree,)) if a.tree == b.tree else Apply("mul", (a.tree, b.tree)))


def _div(terms: list[Term], _params: Any, _shapes: Any) -> Term | None:
    a, b = terms
    factor = a.factor / b.factor if b.factor.number else None
    if factor is None:
        return None
    return Term(factor, a.tree if b.pure else Apply("div", (a.tree, b.tree)))


def _pow(terms: list[Term], _params: Any, shapes: Sequence[tuple[int, ...]]) -> Term | None:
    base, exponent = terms
    if not exponent.pure or exponent.factor.sizes or not isinstance(exponent.factor.number, Fraction):
        return None
    p = exponent.factor.number
    factor = base.factor.power(p)
    if factor is None or (p < 0 and base.pure and not base.factor.number):
        return None
    match p:
        case 0:
            return constant(Factor(), shapes[-1])
        case 1:
            return base
        case _ if base.pure:
            return Term(factor, ONE)
        case 2:
            return Term(factor, Apply("square", (base.tree,)))
    return Term(factor, Apply("pow", (base.tree, Number(p))))


def _transpose(terms: list[Term], params: Mapping[str, Any], shapes: Sequence[tuple[int, ...]]) -> Term | None:
    """(Xᵀ)ᵀ = X, (A B)ᵀ = Bᵀ Aᵀ; of several axes the last two are those of matrices."""
    (term,) = terms
    axes = list(range(len(shapes[0])))
    order = order_of(params, len(axes))
    if order == axes:
        return term
    if len(axes) == 2:
        return Term(term.factor, _turned(term.tree))
    if order == [*axes[:-2], axes[-1], axes[-2]]:
        return Term(term.factor, _flipped(term.tree, MATRICES))
    match term.tree:
        case Apply("transpose", (inner,), (("axes", tuple(before)),)) if [before[i] for i in order] == axes:
            return Term(term.factor, inner)
    return Term(term.factor, Apply("transpose", (term.tree,), (("axes", tuple(order)),)))


def order_of(params: Mapping[str, Any], count: int) -> list[int]:
    """Return which axis each axis of a transpose was, from the parameters of transpose or swapaxes."""
    axes = list(range(count))
    if "axis1" not in params:
        return axes[::-1] if params.get("axes") is None else [axes[int(i)] for i in params["axes"]]
    i, j = params["axis1"], params["axis2"]
    axes[i], axes[j] = axes[j], axes[i]
    return axes


def _matmul(terms: list[Term], _params: Any, shapes: Sequence[tuple[int, ...]]) -> Term | None:
    """Xᵀ v in the place of v X, as vectors are columns."""
    a, b = terms
    match len(shapes[0]), len(shapes[1]):
        case 1, 2:
            return Term(a.factor * b.factor, Apply("matmul", (_turned(b.tree), a.tree)))
        case 1, 1:
            return Term(a.factor * b.factor, Apply("matmul", (_turned(a.tree), b.tree)))
    return None


def _reshape(terms: list[Term], params: Mapping[str, Any], shapes: Sequence[tuple[int, ...]]) -> Term | None:
    """Of several reshapes the last one tells the shape."""
    match terms[0].tree:
        case Apply("reshape", (inner,)) if not _same(shapes[0], shapes[-1]):
            return Term(terms[0].factor, Apply("reshape", (inner,), (("shape", hashable(params["shape"])),)))
    return None


MATRIX: tuple[str, Any] = ("transpose", ())
MATRICES: tuple[str, Any] = ("swapaxes", (("axis1", -2), ("axis2", -1)))


def _turned(tree: Expression) -> Expression:
    return _flipped(tree, MATRIX)


def _flipped(tree: Expression, turn: tuple[str, Any]) -> Expression:
    """Return the transpose of a matrix, or of each in a stack of matrices."""
    op, params = turn
    match tree:
        case Apply(other, (inner,)) if other == op and (op == "transpose" or tree.params == params):
            return inner
        case Apply("matmul", (a, b)) if any(isinstance(x, Apply) and x.op == op for x in (a, b)):
            return Apply("matmul", (_flipped(b, turn), _flipped(a, turn)))
        case Apply("sum", (Apply("matmul", (Apply("swapaxes"), _)) as inner,), summed) if op == "transpose":
            return Apply("sum", (_flipped(inner, MATRICES),), summed)
        case Number():
            return tree
    return Apply(op, (tree,), params)


def _sum(terms: list[Term], params: Mapping[str, Any], shapes: Sequence[tuple[int, ...]]) -> Term | None:
    """A sum of sums over everything is one; a sum of one thing is that thing."""
    (term,) = terms
    if _same(shapes[0], shapes[-1]):
        return term
    match term.tree:
        case Apply("div", (above, Apply("sum", _, settings) as below)) if _along(settings) == _along(params.items()):
            whole = Apply("sum", (above,), settings)  # Σ E does not vary along the axis that is summed over
            return Term(term.factor, Apply("div", (whole, below)))
        case Apply("sum", (inner,)) if all(n == 1 for n in shapes[-1]):
            return Term(term.factor, Apply("sum", (inner,)))
    return None


def _along(params: Iterable[tuple[str, Any]]) -> tuple[Any, ...]:
    """Return the axes of a sum that leaves them in place, else something that equals no other."""
    settings = dict(params)
    axes = settings["axis"]
    return axes if isinstance(axes, tuple) else (axes,) if settings["keepdims"] else (object(),)


def _where(terms: list[Term], _params: Any, _shapes: Any) -> Term | None:
    """The factor of the one that is not zero, or what the factors of both have in common, comes first."""
    mask, *both = terms
    factors = [term.factor for term in both if term.factor.number]
    if not factors or not all(isfinite(factor.number) for factor in factors):
        return None
    common = factors[0] if len(set(factors)) == 1 else Factor(Fraction(1), _common(factors[0], factors[-1]))
    inner = [as_tree(Term(term.factor / common, term.tree)) if term.factor.number else Number(0) for term in both]
    return Term(common, Apply("where", (as_tree(mask), *inner)))


def _neg(terms: list[Term], _params: Any, _shapes: Any) -> Term | None:
    return Term(terms[0].factor * MINUS, terms[0].tree)


def _cross_entropy(terms: list[Term], params: Mapping[str, Any], shapes: Sequence[tuple[int, ...]]) -> Term:
    """−Σ Y ⊙ log softmax(Z); of labels that are integers Y is the one-hot form."""
    z, y = (as_tree(term) for term in terms)
    if shapes[0] != shapes[1]:
        hot = (("axis", params["axis"]), ("classes", shapes[0][params["axis"]]))
        y = Apply("one_hot", (y,), hot)
    softmax = Apply("softmax", (z,), tuple(sorted(params.items())))
    axis = (("axis", params["axis"]), ("keepdims", False))
    return Term(MINUS, Apply("sum", (Apply("mul", (y, Apply("log", (softmax,)))),), axis))


def _binary_cross_entropy(terms: list[Term], _params: Any, _shapes: Any) -> Term | None:
    """−(Y ⊙ log σ(Z) + (1 − Y) ⊙ log(1 − σ(Z)))."""
    z, y = (as_tree(term) for term in terms)
    p = Apply("sigmoid", (z,))
    one = Apply("mul", (y, Apply("log", (p,))))
    other = Apply("mul", (Apply("sub", (ONE, y)), Apply("log", (Apply("sub", (ONE, p)),))))
    return Term(MINUS, Apply("add", (one, other)))


SPECIAL = {
    "add": added,
    "sub": lambda terms, params, shapes: added(terms, params, shapes, -1),
    "mul": _mul,
    "div": _div,
    "pow": _pow,
    "neg": _neg,
    "where": _where,
    "reshape": _reshape,
    "sum": _sum,
    "transpose": _transpose,
    "swapaxes": _transpose,
    "matmul": _matmul,
    "softmax_cross_entropy": _cross_entropy,
    "sigmoid_cross_entropy": _binary_cross_entropy,
}


# --- back to trees ----------------------------------------------------------------------------------------------------


def as_tree(term: Term) -> Expression:
    """Return a term as a tree: (A − Y)/m, 1/m dZ Aᵀ, −2 x."""
    factor, tree = term.factor, term.tree
    if factor == Factor():
        return tree
    match tree:
        case Apply("broadcast_to", (Number() as inner,), params):
            return Apply("broadcast_to", (as_tree(Term(factor, inner)),), params)
    if not factor.number:
        return Number(0)
    if factor.number < 0:
        size = factor * MINUS
        if term.pure or size == Factor():
            return Apply("neg", (as_tree(Term(size, tree)),))
        return Apply("mul", (Apply("neg", (as_tree(number_term(size)),)), tree))
    fraction = isinstance(factor.number, Fraction)
    above, below = _product(factor, 1), _product(factor, -1)
    if fraction and factor.number.denominator != 1:
        below = [Number(factor.number.denominator), *below]
    whole = factor.number.numerator if fraction else factor.number
    above = [Number(whole)] * (whole != 1) + above
    if term.pure:
        return _quotient(joined(above), below)
    if not above and isinstance(tree, Apply) and tree.op in ("add", "sub"):
        return _quotient(tree, below)
    return Apply("mul", (_quotient(joined(above), below), tree))


def _product(factor: Factor, sign: int) -> list[Expression]:
    found: list[Expression] = []
    for name, power in factor.sizes:
        if power * sign > 0:
            size, p = Name(name, scalar=True), abs(power)
            if p.denominator == 2:
                found.append(Apply("sqrt", (size,)))
                p -= Fraction(1, 2)
            found += [size] * int(p) if p < 2 else [Apply("pow", (size, Number(int(p))))]
    return found


def joined(parts: Sequence[Expression]) -> Expression:
    """Return the product of formulas, element by element."""
    whole: Expression = parts[0] if parts else ONE
    for part in parts[1:]:
        whole = Apply("mul", (whole, part))
    return whole


def _quotient(above: Expression, below: Sequence[Expression]) -> Expression:
    return Apply("div", (above, joined(below))) if below else above


def size_of(tree: Expression) -> int:
    """Return how many names, numbers and ops a tree has."""
    return sum(1 for _ in parts_of(tree))


def is_long(tree: Expression) -> bool:
    """Whether a formula is too long for one line."""
    return size_of(tree) > LIMIT or len(write(tree)) > 3 * LIMIT
