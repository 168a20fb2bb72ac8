"""Term: a factor times a tree, simplified as a person does: factors to the front, what changes nothing left out.

Of quotients: elementwise formulas are multiplied out, so that these cancel: dA ⊙ A ⊙ (1 − A) of a cross-entropy is A − Y.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite
from typing import Any, TypeAlias

from ..op import Op
from .expression import Apply, Expression, Name, Number, hashable, parts_of, write
from .factor import Factor, Powers

ONE = Number(1)
LIMIT = 24  # names, numbers and ops in an equation: of a longer one a part gets a name of its own


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
    if op.form == "elementwise":
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
    if op.form == "reshaping" and _same(shapes[0], shapes[-1]):
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


# --- quotients --------------------------------------------------------------------------------------------------------


Monomial: TypeAlias = tuple[tuple[Expression, int], ...]  # powers of what is multiplied element by element
Sum: TypeAlias = dict[Monomial, Factor]
MANY = 50  # terms; a longer formula is not multiplied out


def cancelled(tree: Expression, known: Mapping[Expression, Expression]) -> Term | None:
    """Return an elementwise formula without its quotients where these cancel, else None: (1 − Y / A) ⊙ A is A − Y.

    `known` has formulas that may be put in the place of others.

    >>> from tinygrad_lite.formula.expression import Name
    >>> quotient = Apply("sub", (Number(1), Apply("div", (Name("Y"), Name("A")))))
    >>> cancelled(Apply("mul", (quotient, Name("A"))), {}).tree == Apply("sub", (Name("A"), Name("Y")))
    True
    """
    if not any(part in known or is_quotient(part) for part in parts_of(tree)):
        return None
    found = _expanded(tree, known)
    if any(power < 0 or is_scalar(atom) for monomial in found for atom, power in monomial):
        return None
    total: Term | None = None
    for monomial, factor in sorted(found.items(), key=lambda item: (item[1].number < 0, len(item[0]) > 1)):
        atoms = sorted((atom for atom, power in monomial for _ in range(power)), key=_is_sum)
        term = Term(factor, joined(atoms))
        total = term if total is None else added([total, term], {}, [(), (), ()])
    return total if total is not None and total.tree != tree and size_of(total.tree) <= size_of(tree) else None


def is_quotient(tree: Expression) -> bool:
    """Whether a formula is divided by one that is no number."""
    return isinstance(tree, Apply) and tree.op == "div" and not is_scalar(tree.inputs[1])


def _is_sum(tree: Expression) -> bool:
    return isinstance(tree, Apply) and tree.op == "sum"


def _expanded(tree: Expression, known: Mapping[Expression, Expression]) -> Sum:
    """Multiply a formula out, with the sums that it is divided by as a whole, until these cancel."""
    match tree:
        case Number(value):
            return {(): Factor(Fraction(value))} if value else {}
        case Apply("neg", (a,)):
            return _times(_expanded(a, known), {(): MINUS})
        case Apply("add" | "sub" as op, (a, b)):
            found = _expanded(a, known)
            for monomial, factor in _expanded(b, known).items():
                _put(found, monomial, factor if op == "add" else factor * MINUS)
            return found
        case Apply("mul", (a, b)):
            return _multiplied(_expanded(a, known), b, known)
        case Apply("square", (a,)):
            return _multiplied(_expanded(a, known), a, known)
        case Apply("div", (a, b)):
            return _multiplied(_expanded(a, known), b, known, -1)
    if tree in known:
        return _expanded(known[tree], {one: other for one, other in known.items() if one != tree})
    return {((tree, 1),): Factor()}


def _multiplied(total: Sum, tree: Expression, known: Mapping[Expression, Expression], sign: int = 1) -> Sum:
    """Multiply a sum with a formula, or divide it by one, factor by factor."""
    match tree:
        case Apply("mul" | "div" as op, (a, b)):
            return _multiplied(_multiplied(total, a, known, sign), b, known, sign if op == "mul" else -sign)
        case Apply("neg", (a,)):
            return _times(_multiplied(total, a, known, sign), {(): MINUS})
    if tree in known:
        return _multiplied(total, known[tree], {one: other for one, other in known.items() if one != tree}, sign)
    parts = _expanded(tree, known)
    if len(parts) == 1:
        ((monomial, factor),) = parts.items()
        one = Factor() / factor if sign < 0 else factor
        return _times(total, {tuple((atom, sign * power) for atom, power in monomial): one})
    found: Sum = {}
    for monomial, factor in total.items():
        whole = sign < 0 or dict(monomial).get(tree, 0) < 0 or len(total) * len(parts) > MANY
        for other, product in _times({monomial: factor}, {((tree, sign),): Factor()} if whole else parts).items():
            _put(found, other, product)
    return found


def _times(a: Sum, b: Sum) -> Sum:
    found: Sum = {}
    for one, factor in a.items():
        for other, by in b.items():
            powers = dict(one)
            for atom, power in other:
                powers[atom] = powers.get(atom, 0) + power
            left = [(atom, power) for atom, power in powers.items() if power]
            _put(found, tuple(sorted(left, key=lambda item: write(item[0]))), factor * by)
    return found


def _put(found: Sum, monomial: Monomial, factor: Factor) -> None:
    number = factor.number + (found[monomial].number if monomial in found else 0)
    found.pop(monomial, None)
    if number:
        found[monomial] = Factor(number)
