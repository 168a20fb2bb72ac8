"""parse: one handwritten formula → a Statement.

Spellings are unified in `spelling.py`, the grammar is in `grammar.lark`; here is what its rules mean, as trees of ops.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cache, lru_cache, reduce
from importlib.resources import files
from typing import Any

from lark import Lark, Token, Transformer, UnexpectedInput, v_args

from ..formula.expression import Apply, Expression, Name, Number, parts_of, replaced, write
from ..op import REGISTRY
from .entries import SUMMED, Mismatch, indices, whole
from .spelling import PLAIN, NotUnderstood, activations, core, shown
from .statement import Entries, Size, Statement

DEEPEST, LONGEST = 60, 250

_FUNCTIONS = {
    "σ": "sigmoid", "sigma": "sigmoid", "logistic": "sigmoid", "ln": "log", "swish": "silu", "leakyrelu": "leaky_relu",
    "√": "sqrt", "logsoftmax": "log_softmax", "multiply": "mul", "power": "pow", "dot": "matmul", "mm": "matmul",
    "φ": "phi", "ϕ": "phi", "varphi": "phi", "ψ": "psi",
}  # fmt: skip
_ARGUMENTS = {"mul": 2, "matmul": 2, "pow": 2, "maximum": 2, "minimum": 2, "where": 3, "outer": 2}
_NAMES = {
    "α": "alpha", "eta": "alpha", "η": "alpha", "λ": "lambda", "ε": "epsilon", "γ": "gamma", "β": "beta", "μ": "mu",
    "ρ": "rho", "θ": "theta", "Θ": "theta", "Theta": "theta", "ℓ": "L", "ell": "L", "ŷ": "yˆ", "Ŷ": "Yˆ",
}  # fmt: skip
_NAME = re.compile(
    r"(?:(?P<delta>δ|\\delta)|(?P<d>d(?=\s*\\?[^\W\d_])|[Δ∂∇]|\\(?:Delta|partial|nabla)))?\s*\\?(?P<letters>𝟙|[^\W\d_⟦⟪]*)"
    r"(?P<hat>[ˆ˜ˉ]?)(?P<layer>\d*)(?P<marks>.*)"
)
_HATS = {"ˆ": "hat", "˜": "tilde", "ˉ": "bar"}
_COMPARISONS = {
    ">": "greater", "\\gt": "greater", "<": "less", "\\lt": "less", "=": "equal", "==": "equal",
    "≥": "greater_equal", ">=": "greater_equal", "≤": "less_equal", "<=": "less_equal",
}  # fmt: skip
_ONES = (Number(1), Name("I"), Name("𝟙"))
_ARITHMETIC = {"mul", "div", "neg", "pow", "sqrt", "add", "sub"}
_ENTRYWISE = re.compile(r"\.?\*|[⊙∘⊗∗∙]|\\(?!div|cdot|times|bullet).*")
_COUNTS = (Name("B"), Name("M"))  # of samples, where something is divided by it
_LOSSES = {"dJ", "dL", "dC", "dE"}
_SINGLE = "are not judged: write whole matrices"


def parse(text: str) -> Statement:
    r"""Read one equation.

    Raises NotUnderstood, which says what cannot be read and where.

    >>> statement = parse(r"dW^{[2]} = \frac{1}{m} dZ^{[2]} A^{[1]T}")
    >>> statement.target, write(statement.sides[0])
    ('dW2', '1/m dZ2 A1ᵀ')
    """
    return parsed(text)[0]


def parsed(text: str) -> tuple[Statement, tuple[Size, ...]]:
    """Read one equation, and the sizes that stand in it as subscripts."""
    return _parsed(text, activations())


@lru_cache(maxsize=1024)
def _parsed(text: str, _names: tuple[str, ...]) -> tuple[Statement, tuple[Size, ...]]:
    spelt, sizes = core(text)
    found: Statement = _read(spelt, "statement")
    if re.match(r"\s*(?:Δ|\\Delta)", spelt) and all(_steps(side) for side in found.sides):
        entries = found.entries and replace(found.entries, sign=f"Δ{found.entries.sign}")
        found = replace(_step(found), entries=entries)
    return found, tuple(replace(size, name=canonical(size.name)) for size in sizes)


def canonical(symbol: str) -> str:
    r"""Return the canonical name of a symbol, or nothing where it is none.

    >>> canonical("w^{[1]}"), canonical(r"\delta z_2"), canonical("W X")
    ('W1', 'dZ2', '')
    """
    tree = formula(shown(symbol)) if symbol else None
    return tree.text if isinstance(tree, Name) else ""


def formula(text: str) -> Expression | None:
    """Read a formula without an equals sign; None where it is none."""
    try:
        return _finished(_read(core(text)[0], "expr"))
    except NotUnderstood:
        return None


def _read(spelt: str, start: str) -> Any:
    if len(re.findall(r"\w+|[^\w\s]", spelt)) > LONGEST:
        raise NotUnderstood(f"it is longer than {LONGEST} names and signs")
    try:
        return _parser(activations()).parse(spelt, start=start)
    except UnexpectedInput as error:
        at, wanted = error.pos_in_stream, getattr(error, "expected", None) or getattr(error, "allowed", None) or ()
        if at is None or at < 0 or getattr(getattr(error, "token", None), "type", "") == "$END":
            at = len(spelt)
        kinds = {"NAME": "a name, a number or a bracket", "OPERATOR": "an operator"}
        what = next((kinds[kind] for kind in kinds if kind in wanted), "a bracket" if wanted else "something")
        before, after = shown(spelt[max(0, at - 12) : at]).strip(), shown(spelt[at : at + 12]).strip()
        found = f"'{after}'" if after else "the end"
        raise NotUnderstood(f"expected {what} after '{before}', found {found}") from None


@cache
def _parser(names: tuple[str, ...]) -> Lark:
    grammar = files(__package__).joinpath("grammar.lark").read_text(encoding="utf-8")
    grammar = grammar.replace("ACTIVATION", "|".join(names))
    return Lark(grammar, parser="lalr", lexer="basic", start=["statement", "expr"], transformer=_Meaning())


def _name(letters: str, hat: str = "", layer: str = "", prefix: str = "", index: str = "") -> Name:
    """Return a name in its canonical form; δ stays apart from d until it is known what is meant by it."""
    letters = _NAMES.get(letters, letters or "Z")  # δ alone is dZ
    letters, hat = letters.rstrip("ˆ"), _HATS.get(hat or letters[-1], "")
    letters, wide = letters.translate(PLAIN), letters
    if letters != wide and len(letters) > 1:  # a word that is a name on this page
        return Name(prefix.replace("δ", "d") + letters.lower() + layer + (f"⟪{index}⟫" if index else ""))
    counts = ("m", "n", "N") if layer else ("m", "n", "N", "k", "K")
    if (letters in counts and not prefix) or (len(letters) > 1 and letters != "theta"):
        return Name(letters + layer, scalar=True)
    if letters == "b" or (letters == "B" and (prefix or layer)):  # B alone may be the size of a batch
        letters = "b"
    elif letters != "theta" and (letters != "e" or prefix or layer):
        letters = letters.upper()
    layer = "" if letters == "Y" or (letters, layer) == ("X", "0") else layer
    return Name(prefix + letters + hat + layer + (f"⟪{index}⟫" if index else ""))


@v_args(inline=True)
class _Meaning(Transformer[Token, Any]):
    """What each rule of the grammar means, as a tree of ops; called while parsing, from the leaves up."""

    def name(self, token: str) -> Name:
        found = _NAME.fullmatch(token.strip())
        assert found is not None
        layers, index = re.findall(r"⟦([^⟧]*)⟧", found["marks"]), "".join(re.findall(r"⟪([^⟫]*)⟫", found["marks"]))
        layers = [found["layer"]] * bool(found["layer"]) + layers
        if len(layers) > 1:
            raise NotUnderstood(f"single entries such as {shown(token)} {_SINGLE}")
        prefix = "δ" if found["delta"] else "d" if found["d"] else ""
        return _name(found["letters"], found["hat"], "".join(layers), prefix, index)

    def mark(self, part: Expression, token: str) -> Expression:
        """Put a layer or an index to what stands in brackets or is transposed."""
        if isinstance(part, Apply) and part.op == "transpose":
            return _apply("transpose", self.mark(part.inputs[0], token))
        if token[0] == "⟪":
            if not isinstance(part, Name) or part.scalar:
                return part
            return Name(f"{part.text[:-1]}{token[1:]}" if "⟪" in part.text else f"{part.text}{token}")
        if isinstance(part, Number):
            raise NotUnderstood(f"a number bears no layer: {part.value} may be a badly scanned letter")
        if not isinstance(part, Name) or part.scalar or part.text[-1] in "0123456789]⟫":
            raise NotUnderstood(f"single entries such as {shown(write(part) + token)} {_SINGLE}")
        return Name(part.text + ("" if part.text in ("Y", "Yhat") else token[1:-1]))

    def number(self, token: str) -> Number:
        if len(token) > 15:
            raise NotUnderstood("it has a number of more than 15 digits")
        return Number(int(token) if token.isdigit() else float(token))

    def suffixed(self, part: Expression, suffix: Any) -> Expression:
        if isinstance(suffix, Token):  # ᵀ or ′, the same for a matrix
            if isinstance(part, Name) and part.text[0] == "δ" and part.text[1] in "AXH":  # δ aᵀ
                return _product(Name("dZ"), _apply("transpose", Name(part.text[1:])))
            return _apply("transpose", Name("𝟙") if part == Number(1) else part)
        kind, argument = suffix
        if kind != "^":
            return self.call(kind, [], [part, *argument])
        if part == Name("e"):
            return _apply("exp", argument)
        if isinstance(part, Apply) and part.op == "sqrt":
            return _power(part, argument)
        if not isinstance(argument, Number) and not _is_scalar(part):
            raise NotUnderstood(f"{shown(write(part))} to the power {write(argument)}: is a layer meant?")
        return _apply("pow", part, argument)

    arguments = mods = lambda _, *parts: list(parts)
    method = lambda _, name, arguments: (name[1:], arguments)
    fraction = lambda _, a, b: _quotient(a, b)
    signed = lambda _, sign, tree: _signed(sign, tree)
    power = lambda _, exponent: ("^", exponent)
    apply = lambda self, name, mods, argument: self.call(name, mods, [argument])

    def call(self, token: str, mods: list[Any], arguments: list[Any]) -> Expression:
        name = token.lstrip("\\").lower().replace(" ", "")
        name = _FUNCTIONS.get(name, name)
        inputs = tuple(part for part in arguments if not isinstance(part, Token))
        primes = "'" * mods.count("′")
        layer = next((mod[1:-1] for mod in mods if isinstance(mod, Token) and mod[0] == "⟦"), "")
        if name in REGISTRY or name in ("norm", "identity", "where"):
            tree = _known(name, primes, inputs, dict(_setting(part) for part in arguments if isinstance(part, Token)))
        elif name == "sech" and not primes and len(inputs) == 1:
            tree = _apply("sqrt", _apply("sub", Number(1), _apply("pow", Apply("tanh", inputs), Number(2))))
        elif not primes and any(_name(name, layer=layer) in parts_of(part) for part in inputs):
            return _product(_name(name, layer=layer), *inputs)  # h1 (1 − h1)
        else:  # g, f, h: some activation
            tree = Apply(name + primes, inputs, (("layer", layer),) if layer else ())
        return reduce(lambda tree, mod: _power(tree, mod[1]), (m for m in mods if isinstance(m, tuple)), tree)

    def compare(self, a: Expression, sign: str, b: Expression) -> Expression:
        sign = {"\\g": "≥", "\\l": "≤"}.get(sign[:2] if sign[2:] != "t" else "", sign)
        return _apply(_COMPARISONS[str(sign)], a, b)

    def total(self, *parts: Any) -> Expression:
        return _summed(parts[-1], {letter for token in parts[1:-1] for letter in token[1:-1]})

    def run(self, *parts: Any) -> list[tuple[str, Expression]]:
        """Add a factor to a run of them, with the operator and the sign before it."""
        factors, *signs, tree = parts if isinstance(parts[0], list) else ([], *parts)
        tree = _signed(signs[1], tree) if len(signs) > 1 else tree
        return [*factors, (str(signs[0]) if signs else "", tree)]

    def product(self, *parts: Any) -> Expression:
        return _folded(parts[0] if isinstance(parts[-1], list) else self.run(*parts))

    def plus(self, a: Expression, sign: str, *rest: Any) -> Expression:
        return _apply("add" if sign == "+" else "sub", a, _signed(*rest) if len(rest) > 1 else rest[0])

    def statement(self, *parts: Any) -> Statement:
        return of_entries(str(parts[1]), parts[::2])


def of_entries(sign: str, entries: Sequence[Expression]) -> Statement:
    """Return the statement that expressions with equals signs between them are, whatever indices their names have."""
    unfit = ""
    try:
        target, *sides = _matrices(*entries)
    except Mismatch as error:
        unfit = str(error)
        target, *sides = (_finished(_without(tree, _indices(tree))) for tree in entries)
    if sign in ("-=", "+="):
        sides[0] = _apply("sub" if sign == "-=" else "add", target, sides[0])
    if not isinstance(target, Name) and isinstance(sides[-1], Name) and len(sides) == 1:
        target, sides = sides[0], [target]  # 1/m dZ Xᵀ = dW
    if isinstance(target, Name):
        name = target.text
    elif isinstance(target, Apply) and target.op not in _ARITHMETIC | {"matmul", "transpose"}:
        name = write(target)  # ReLU(n) = …
    else:
        raise NotUnderstood(f"expected a name before '{sign}', found '{write(target)}'")
    found = _stated(name, [side for side in sides if side != target] or sides)
    found = _step(found) if sign[0] == "Δ" else found
    return replace(found, entries=Entries(sign, tuple(entries), unfit)) if any(map(_indices, entries)) else found


def _step(s: Statement) -> Statement:
    """Return ΔW = −α ∇W as W = W − α ∇W."""
    name = s.target[1:]
    return replace(s, target=name, sides=tuple(_added(Name(name), side) for side in s.sides), update=True)


def _stated(name: str, sides: list[Expression]) -> Statement:
    """Return the statement; the sides that are but the chain rule are kept apart."""
    named = [{part.text for part in parts_of(side) if isinstance(part, Name)} for side in sides]
    chains = tuple(s for s, names in zip(sides, named, strict=True) if any("∂" in text for text in names))
    sides = [side for side in sides if side not in chains]
    if not sides and not all(map(is_chain, chains)):
        raise NotUnderstood("in a product with the derivative of one tensor by another only the chain rule is judged")
    if not re.search(r"\d|\]", name) and _has_one(sides):
        raise NotUnderstood("a factor of 1 says nothing: is 1/m meant?")
    if f"d{name}" in _LOSSES:
        sides = [_inner(side) for side in sides]
    update = name[0] != "d" and any(text[0] == "d" for names in named for text in names)
    return Statement(name, tuple(sides), update, tuple(filter(is_chain, chains)))


def is_chain(tree: Expression) -> bool:
    """Whether an expression is a product of a gradient and derivatives of one tensor by another, and nothing else."""
    return all(
        (isinstance(part, Apply) and part.op in ("mul", "matmul", "transpose"))
        or (isinstance(part, Name) and part.text[0] in "d∂")
        for part in parts_of(tree)
    )


def _steps(side: Expression) -> bool:
    """Whether an expression is α times something."""
    match side:
        case Apply("neg", (x,)):
            return _steps(x)
        case Apply("mul" | "matmul", (a, b)):
            return _steps(a) or _steps(b)
    return side == Name("alpha", True)


def _added(name: Name, side: Expression) -> Expression:
    return (
        _apply("sub", name, side.inputs[0])
        if isinstance(side, Apply) and side.op == "neg"
        else _apply("add", name, side)
    )


def _has_one(sides: list[Expression]) -> bool:
    products = [part for side in sides for part in parts_of(side) if isinstance(part, Apply) and part.op == "mul"]
    return any(part.inputs[0] == Number(1) for part in products)


def _setting(token: str) -> tuple[str, Any]:
    key, value = (part.strip() for part in token.split("="))
    key = {"dim": "axis", "keepdim": "keepdims"}.get(key, key)
    return key, int(value) if value.lstrip("-").isdigit() else {"True": True, "False": False}.get(value)


def _known(name: str, primes: str, inputs: tuple[Any, ...], settings: dict[str, Any]) -> Expression:
    """Apply a function that is one of the ops."""
    name += "imum" * (name in ("max", "min") and len(inputs) == 2)
    wanted, defaults = _ARGUMENTS.get(name, 1), REGISTRY[name].defaults if name in REGISTRY else {}
    if len(inputs) == wanted + 1 and isinstance(inputs[-1], Number | Apply) and defaults:
        key, value = next(iter(defaults)), inputs[-1].value if isinstance(inputs[-1], Number) else -1
        settings = {key: min(value, 1) if key == "axis" else value, **settings}  # sum(Z, 1), LeakyReLU(Z, 0.01)
        inputs = inputs[:-1]
    if len(inputs) != wanted:
        raise NotUnderstood(f"{name} takes {wanted} argument{'s'[: wanted - 1]}, not {len(inputs)}")
    match name:
        case "norm":
            return _apply("sqrt", _apply("sum", _apply("pow", inputs[0], Number(2))))
        case "identity":
            return Number(1) if primes else inputs[0]
        case "mul" | "matmul":
            return _product(inputs[0], inputs[1], name == "mul")
    known = {key: value for key, value in settings.items() if key in defaults and value is not None}
    return Apply(name + primes, inputs, tuple(sorted(known.items())))


def _apply(op: str, *inputs: Expression) -> Expression:
    match op, inputs:
        case "div", (Number(int(a)), Number(int(b))) if b:
            return Number(Fraction(a) / Fraction(b))
    return Apply(op, inputs)


def _power(tree: Expression, exponent: Expression) -> Expression:
    root = isinstance(tree, Apply) and tree.op == "sqrt" and exponent == Number(2)
    return tree.inputs[0] if root and isinstance(tree, Apply) else _apply("pow", tree, exponent)


def _signed(sign: str, tree: Expression) -> Expression:
    return tree if sign == "+" else _apply("neg", tree)


def _is_scalar(tree: Expression) -> bool:
    if isinstance(tree, Apply):
        return tree.op in _ARITHMETIC and all(map(_is_scalar, tree.inputs))
    return isinstance(tree, Number) or tree.scalar


def _is_scaled(tree: Expression) -> bool:
    scaled = isinstance(tree, Apply) and (
        tree.op == "neg" or (tree.op in ("mul", "div") and any(map(_is_scalar, tree.inputs)))
    )
    return scaled or _is_scalar(tree)


def _upright(tree: Expression) -> Expression:
    return tree.inputs[0] if isinstance(tree, Apply) and tree.op == "transpose" else tree


def _is_ones(tree: Expression) -> bool:
    tree = _upright(tree)
    return isinstance(tree, Name) and tree.text.startswith("𝟙")


def _is_bias(tree: Expression) -> bool:
    tree = _upright(tree)
    return isinstance(tree, Name) and re.fullmatch(r"b\d*|b\[.*", tree.text) is not None


def _product(a: Expression, b: Expression, loose: bool = False) -> Expression:
    """Multiply: scalars stand in front, 1 times an indicator is the indicator, matrices are multiplied as written."""
    if a in _ONES and isinstance(b, Apply) and b.op in _COMPARISONS.values():
        return b
    if _is_scalar(a) or _is_scalar(b):
        a, b = (a, b) if _is_scalar(a) else (b, a)
        match b:
            case Apply("mul", (factor, rest)) if _is_scalar(factor) and not _is_scalar(b):
                return _apply("mul", _apply("mul", a, factor), rest)
        return _apply("mul", a, b)
    for first, part in enumerate((a, b)):
        match part:
            case Apply("mul", (factor, rest)) if _is_scalar(factor):
                return _product(factor, _product(a, rest, loose) if first else _product(rest, b, loose))
    if _is_ones(a) or _is_ones(b):  # 1 bᵀ is b below each other, and 1ᵀ dZ a sum
        rest = _upright(b if _is_ones(a) else a)
        return rest if _is_bias(rest) else _summed(rest, set())
    return _apply("mul" if loose else "matmul", a, b)


def _quotient(a: Expression, b: Expression) -> Expression:
    """Divide, where ∂J/∂W1 is the gradient dW1, and ∂Z2/∂A1 a part of the chain rule."""
    if isinstance(a, Name) and isinstance(b, Name) and b.text[0] in "dδ":
        if a.text.split("⟪")[0].replace("δ", "d") in _LOSSES:
            return b
        if a.text[0] in "dδ":
            return Name(f"∂{a.text[1:]}∂{b.text[1:]}")
    return _apply("div", a, replaced(b, lambda part: replace(part, scalar=True) if part in _COUNTS else None))


def _folded(factors: Iterable[tuple[str, Expression]]) -> Expression:
    """Multiply a run of factors: products of matrices bind closer than ⊙, * and @; 1/m and ∂J/∂W are one factor."""
    total: Expression | None = None
    sign = ""
    group: list[Expression] = []

    def closed() -> Expression:
        product = _scaled_rows(group) or reduce(_product, group)
        return product if total is None else _product(total, product, loose=sign != "@")

    for operator, tree in factors:
        if operator in ("/", "÷", "\\div"):
            names = isinstance(group[-1], Name) and isinstance(tree, Name) and tree.text[0] in "dδ"
            if names or (_is_scalar(group[-1]) and (_is_scalar(tree) or tree in _COUNTS)):
                group[-1] = _quotient(group[-1], tree)
            else:
                total, group = None, [_quotient(closed(), tree)]
        elif operator == "@" or _ENTRYWISE.fullmatch(operator):
            total, group, sign = closed(), [tree], operator
        else:
            if group and group[-1] in _ONES and isinstance(tree, Apply) and tree.op in _COMPARISONS.values():
                group.pop()  # 1[Z > 0]
            elif not operator and group and Number(1) in (tree, group[-1]):
                ones = (_is_bias(tree) and len(group) == 1) or (tree == Number(1) and not _is_scalar(group[-1]))
                group[-1], tree = (Name("𝟙") if ones and part == Number(1) else part for part in (group[-1], tree))
            group.append(tree)
    return closed()


def _scaled_rows(group: list[Expression]) -> Expression | None:
    """Return a product that begins or ends with diag(v), which multiplies every entry: v ⊙ (Wᵀ δ)."""
    match group:
        case [Apply("diag", (v,)), _, *_]:
            return _apply("mul", v, reduce(_product, group[1:]))
        case [_, *_, Apply("diag", (v,))]:
            return _apply("mul", reduce(_product, group[:-1]), v)
    return None


def _indices(tree: Expression) -> set[str]:
    names = [part.text for part in parts_of(tree) if isinstance(part, Name) and "⟪" in part.text]
    return {index for text in names for index in text.split("⟪")[1][:-1]}


def _index_sets(tree: Expression) -> list[set[str]]:
    return [{*indices(part.text)} for part in parts_of(tree) if isinstance(part, Name) and "⟪" in part.text]


def _without(tree: Expression, letters: set[str]) -> Expression:
    """Return a tree without these indices."""
    gone = re.compile(rf"[{''.join(letters)}](?=\w*⟫)|⟪[{''.join(letters)}]*⟫") if letters else re.compile("$^")
    return replaced(tree, lambda part: replace(part, text=gone.sub("", part.text)) if isinstance(part, Name) else None)


def _summed(body: Expression, letters: set[str]) -> Expression:
    """Sum over the samples: the products dz_i x_iᵀ are summed by the product dZ Xᵀ."""
    bound = letters or _indices(body)
    if letters and len(_indices(body)) > 1 and len({*map(frozenset, _index_sets(body))}) > 1:
        return Apply(SUMMED, (body,), (("over", "".join(sorted(letters))),))
    inner = next((part for part in parts_of(body) if not _is_scaled(part)), body)
    transposed = any(isinstance(part, Apply) and part.op == "transpose" for part in parts_of(inner))
    if bound and transposed and isinstance(inner, Apply) and inner.op == "matmul":
        return _without(body, bound)

    def entrywise(part: Expression) -> Expression | None:
        if not isinstance(part, Apply) or part.op != "matmul" or not _indices(part) & bound:
            return None
        return Apply("mul", part.inputs)

    body = _without(replaced(body, entrywise), bound)
    return body if isinstance(body, Apply) and body.op == "sum" else Apply("sum", (body,))


def _inner(loss: Expression) -> Expression:
    """Return a loss with yᵀ log a, of one sample, as a sum over entries."""

    def rule(part: Expression) -> Expression | None:
        match part:
            case Apply("matmul", (Apply("transpose", (a,)), b)):
                return Apply("sum", (Apply("mul", (a, b)),))
            case Apply("sum", (Apply("sum") as inner,)):
                return inner
        return None

    return replaced(loss, rule)


def _matrices(target: Expression, *sides: Expression) -> list[Expression]:
    """Return the two sides of an equation without indices."""
    single = any(isinstance(p, Apply) and p.op == SUMMED for side in sides for p in parts_of(side))
    if not isinstance(target, Name) or not (single or len(_indices(target)) > 1):
        return [*map(_finished, (target, *sides))]
    order = indices(target.text)
    return [_finished(_without(target, {*order})), *(_finished(whole(side, order)) for side in sides)]


def _is_tower(tree: Expression) -> bool:
    """Whether an expression is a power of which a number of 10¹² digits could come: 10^(10^12)."""
    match tree:
        case Apply("pow", (base, exponent)):
            inner = [*parts_of(exponent), *(parts_of(base) if _is_scalar(base) else ())]
            large = isinstance(exponent, Number) and abs(float(exponent.value)) > 64
            return large or any(isinstance(part, Apply) and part.op == "pow" for part in inner)
    return False


def _finished(tree: Expression) -> Expression:
    """Return a side of an equation without indices: one formula for every sample is the formula of the matrices."""
    level, depth = [tree], 0
    while level:
        level, depth = [part for parent in level if isinstance(parent, Apply) for part in parent.inputs], depth + 1
    if depth > DEEPEST:
        raise NotUnderstood(f"it is nested deeper than {DEEPEST}")
    if any(map(_is_tower, parts_of(tree))):
        raise NotUnderstood("a power of a power of numbers, or one above 64, is too large to be computed")
    free = _indices(tree)
    if len(free) > 1:
        raise Mismatch(f"single entries, with indices {', '.join(sorted(free))}, {_SINGLE}")

    def rule(part: Expression) -> Expression | None:
        if not isinstance(part, Name) or part.scalar:
            return None
        return Name({"B": "b", "e": "E"}.get(part.text, "d" + part.text[1:] if part.text[0] == "δ" else part.text))

    return replaced(_without(tree, free), rule)
