"""parse: one handwritten formula → a Statement.

Spellings are unified in `spelling.py`, the grammar is in `grammar.lark`; here is what its rules mean, as trees of ops.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, lru_cache, reduce
from importlib.resources import files
from typing import Any

from lark import Lark, Token, Transformer, UnexpectedInput, v_args

from ..derive.expression import Apply, Expression, Name, Number, parts_of, replaced, write
from ..op import REGISTRY
from .spelling import NotUnderstood, core, shown
from .statement import Size, Statement

DEEPEST, LONGEST = 60, 250

_FUNCTIONS = {
    "σ": "sigmoid", "sigma": "sigmoid", "logistic": "sigmoid", "ln": "log", "swish": "silu", "leakyrelu": "leaky_relu",
    "√": "sqrt", "logsoftmax": "log_softmax", "multiply": "mul", "power": "pow", "dot": "matmul", "mm": "matmul",
    "φ": "phi", "ϕ": "phi", "varphi": "phi", "ψ": "psi",
}  # fmt: skip
_ENTRYWISE = (
    *"⊙∘⊗∗∙*",
    ".*",
    *(f"\\{name}" for name in ("odot", "circ", "otimes", "ast", "star", "bigodot", "oslash")),
)
_GREEK = {"α": "alpha", "eta": "alpha", "η": "alpha", "λ": "lambda", "ε": "epsilon", "γ": "gamma", "β": "beta"}
_GREEK |= {"μ": "mu", "ρ": "rho"}
_COMPARISONS = {">": "greater", "<": "less", "=": "equal", "≥": "greater_equal", "≤": "less_equal"}
_ARITHMETIC = {"mul", "div", "neg", "pow", "sqrt", "add", "sub"}
_HATS = {"ˆ": "hat", "˜": "tilde", "ˉ": "bar"}
_LOSSES = {"dJ", "dL", "dC", "dE"}


def parse(text: str) -> Statement:
    r"""Read one equation.

    Raises NotUnderstood, which says what cannot be read and where.

    >>> statement = parse(r"dW^{[2]} = \frac{1}{m} dZ^{[2]} A^{[1]T}")
    >>> statement.target, write(statement.sides[0])
    ('dW2', '1/m dZ2 A1ᵀ')
    """
    return parsed(text)[0]


@lru_cache(maxsize=1024)
def parsed(text: str) -> tuple[Statement, tuple[Size, ...]]:
    """Read one equation, and the sizes that stand in it as subscripts."""
    spelt, sizes = core(text)
    named = (replace(size, name=canonical(size.name)) if size.name else size for size in sizes)
    return _read(spelt, "statement"), tuple(named)


def canonical(symbol: str) -> str:
    r"""Return the canonical name of a symbol, or nothing where it is none.

    >>> canonical("w^{[1]}"), canonical(r"\delta z_2"), canonical("W X")
    ('W1', 'dZ2', '')
    """
    try:
        tree = _finished(_read(core(shown(symbol))[0], "expr"))
    except NotUnderstood:
        return ""
    return tree.text if isinstance(tree, Name) else ""


def is_formula(text: str) -> bool:
    """Whether a text without an equals sign reads as a formula."""
    try:
        _read(core(text)[0], "expr")
    except NotUnderstood:
        return False
    return True


def _read(spelt: str, start: str) -> Any:
    if len(re.findall(r"\w+|[^\w\s]", spelt)) > LONGEST:
        raise NotUnderstood(f"it is longer than {LONGEST} names and signs")
    try:
        return _parser().parse(spelt, start=start)
    except UnexpectedInput as error:
        raise NotUnderstood(_complaint(spelt, error)) from None


def _complaint(spelt: str, error: UnexpectedInput) -> str:
    at = error.pos_in_stream
    at = len(spelt) if at is None or at < 0 or getattr(getattr(error, "token", None), "type", "") == "$END" else at
    before, after = shown(spelt[max(0, at - 12) : at]).strip(), shown(spelt[at : at + 12]).strip()
    wanted: set[str] = set(getattr(error, "expected", None) or getattr(error, "allowed", None) or ())
    what = (
        "a name, a number or a bracket" if "NAME" in wanted else "an operator" if "OPERATOR" in wanted else "a bracket"
    )
    what = "something" if not wanted else what
    return f"expected {what} after '{before}', found " + (f"'{after}'" if after else "the end")


@cache
def _parser() -> Lark:
    grammar = files(__package__).joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", lexer="basic", start=["statement", "expr"], transformer=_Meaning())


@dataclass(frozen=True)
class _Word:
    """A name in the making: its layer and its index may follow."""

    letters: str
    layer: str = ""
    index: str = ""
    prefix: str = ""

    def tree(self) -> Name:
        """Return the name in its canonical form."""
        hat = _HATS.get(self.letters[-1:], "")
        base = self.letters[0] if hat else self.letters or "Z"  # δ alone is dZ
        numbered = bool(self.prefix or self.layer)
        if (base in ("m", "n", "N") and not self.prefix) or (len(base) > 1 and base != "theta"):
            return Name(base + self.layer, scalar=True)
        if base in ("b", "B"):
            letter = "B" if base == "B" and not numbered else "b"  # B alone may be the size of a batch
        elif base == "e" and not numbered:
            letter = "e"
        else:
            letter = {"ℓ": "L", "theta": "theta"}.get(base, base.upper())
        layer = "" if letter == "Y" or (letter, self.layer) == ("X", "0") else self.layer
        return Name(self.prefix + letter + hat + layer + (f"⟪{self.index}⟫" if self.index else ""))


def _tree(part: Any) -> Any:
    return part.tree() if isinstance(part, _Word) else part


class _Meaning(Transformer[Token, Any]):
    """What each rule of the grammar means, as a tree of ops; called while parsing, from the leaves up."""

    @v_args(inline=True)
    def name(self, token: Token) -> _Word:
        text = str(token).strip()
        prefix = ""
        for sign in ("d", "δ", "Δ", "∂", "∇", "\\delta", "\\Delta", "\\partial", "\\nabla"):
            if text.startswith(sign) and (text != "d"):
                text, prefix = text[len(sign) :].strip(), "δ" if sign in ("δ", "\\delta") else "d"
                break
        bare = text.rstrip("0123456789")
        letters = bare.lstrip("\\")
        letters = {"ell": "ℓ", "θ": "theta", "ŷ": "yˆ", "Ŷ": "Yˆ"}.get(letters, _GREEK.get(letters, letters))
        return _Word(letters, text[len(bare) :], prefix=prefix)

    @v_args(inline=True)
    def layer(self, part: Any, token: Token) -> Any:
        layer = token[1:-1]
        if isinstance(part, _Word) and not part.layer:
            return replace(part, layer=layer)
        if isinstance(part, Name) and not part.text[-1].isdigit() and part.text[-1] not in "]⟫" and not part.scalar:
            return Name(part.text + ("" if part.text in ("Y", "Yhat") else layer))
        if isinstance(part, Number):
            raise NotUnderstood(f"a number bears no layer: {part.value} may be a badly scanned letter")
        if isinstance(part, Apply) and part.op == "transpose":
            return _apply("transpose", self.layer(part.inputs[0], token))
        raise NotUnderstood(
            f"single entries such as {shown(write(_tree(part)) + token)} are not judged: write whole matrices"
        )

    @v_args(inline=True)
    def index(self, part: Any, token: Token) -> Any:
        if isinstance(part, _Word):
            return replace(part, index=part.index + token[1:-1])
        if not isinstance(part, Name) or part.scalar:
            return part
        return Name(f"{part.text[:-1]}{token[1:]}" if "⟪" in part.text else f"{part.text}{token}")

    @v_args(inline=True)
    def number(self, token: Token) -> Number:
        if len(token) > 15:
            raise NotUnderstood("it has a number of more than 15 digits")
        return Number(int(token) if token.isdigit() else float(token))

    def suffixed(self, children: list[Any]) -> Expression:
        part, suffix = children
        if isinstance(suffix, Token):  # ᵀ or ′, the same for a matrix
            if isinstance(part, _Word) and part.prefix == "δ" and part.letters in ("A", "a", "X", "x", "H", "h"):
                return _product(_Word("", prefix="d").tree(), _apply("transpose", replace(part, prefix="").tree()))
            return _apply("transpose", _tree(part))
        tree = _tree(part)
        if suffix[0] == "^":
            if tree == Name("e"):
                return _apply("exp", suffix[1])
            if isinstance(tree, Apply) and tree.op == "sqrt" and suffix[1] == Number(2):
                return tree.inputs[0]
            return _apply("pow", tree, suffix[1])
        return self.call([Token("FUNCTION", suffix[0]), [], [tree, *suffix[1]]])

    def power(self, children: list[Any]) -> tuple[str, Expression]:
        (exponent,) = children
        return "^", self.number(exponent) if isinstance(exponent, Token) else _tree(exponent)

    def method(self, children: list[Any]) -> tuple[str, list[Any]]:
        return children[0][1:], children[1]

    def arguments(self, children: list[Any]) -> list[Any]:
        return [_tree(child) for child in children]

    def mods(self, children: list[Any]) -> list[Any]:
        return children

    def apply(self, children: list[Any]) -> Expression:
        token, mods, argument = children
        argument = self.number(argument) if isinstance(argument, Token) else _tree(argument)
        return self.call([token, mods, [argument]])

    def call(self, children: list[Any]) -> Expression:
        token, mods, arguments = children
        name = str(token).lstrip("\\").lower().replace(" ", "")
        name = _FUNCTIONS.get(name, name)
        settings = dict(_setting(part) for part in arguments if isinstance(part, Token))
        inputs = tuple(part for part in arguments if not isinstance(part, Token))
        primes = "'" * sum(isinstance(mod, Token) and mod.type == "PRIME" for mod in mods)
        layers = [mod[1:-1] for mod in mods if isinstance(mod, Token) and mod.type == "LAYER"]
        if name not in REGISTRY and name not in ("norm", "identity", "where"):  # g, f, h: some activation
            own = _Word(name, layers[0] if layers else "").tree()
            if not primes and layers and any(own in parts_of(part) for part in inputs):  # h1 (1 − h1)
                return _product(own, *inputs)
            params: tuple[tuple[str, Any], ...] = (("layer", layers[0]),) if layers else ()
            tree: Expression = Apply(name + primes, inputs, params)
        else:
            tree = _known(name, primes, inputs, settings)
        for mod in mods:
            tree = _apply("pow", tree, mod[1]) if isinstance(mod, tuple) else tree
        return tree

    @v_args(inline=True)
    def compare(self, a: Any, sign: Token, b: Any) -> Expression:
        sign_ = {">=": "≥", "<=": "≤", "\\gt": ">", "\\lt": "<", "==": "="}.get(sign, str(sign))
        sign_ = "≥" if sign_.startswith("\\g") else "≤" if sign_.startswith("\\l") else sign_
        return _apply(_COMPARISONS[sign_], _tree(a), _tree(b))

    @v_args(inline=True)
    def fraction(self, a: Any, b: Any) -> Expression:
        return _quotient(_tree(a), _tree(b))

    def total(self, children: list[Any]) -> Expression:
        return _summed(_tree(children[-1]), {letter for token in children[1:-1] for letter in token[1:-1]})

    def run(self, children: list[Any]) -> list[tuple[str, Any]]:
        return [("", _tree(children[0]))]

    def beside(self, children: list[Any]) -> list[tuple[str, Any]]:
        return [*children[0], ("", _tree(children[1]))]

    def joined(self, children: list[Any]) -> list[tuple[str, Any]]:
        return [*children[0], (str(children[1]), _tree(children[2]))]

    def joined_signed(self, children: list[Any]) -> list[tuple[str, Any]]:
        return [*children[0], (str(children[1]), _signed(children[2], _tree(children[3])))]

    def product(self, children: list[Any]) -> Expression:
        factors: list[tuple[str, Any]] = children[0] if isinstance(children[0], list) else [("", children[0])]
        if len(children) > 1:
            factors = [*factors, (str(children[1]) if len(children) > 2 else "", children[-1])]
        return _folded(factors)

    def signed(self, children: list[Any]) -> Expression:
        return _signed(*children)

    def plus(self, children: list[Any]) -> Expression:
        a, sign, *rest = children
        return _apply("add" if sign == "+" else "sub", a, _signed(*rest) if len(rest) > 1 else rest[0])

    def statement(self, children: list[Any]) -> Statement:
        target, *rest = children
        sign, sides = str(rest[0]), [_finished(side) for side in rest[1::2]]
        target = _finished(target)
        if sign in ("-=", "+="):
            sides[0] = _apply("sub" if sign == "-=" else "add", target, sides[0])
        if isinstance(target, Name):
            name = target.text
        elif isinstance(target, Apply) and target.op not in _ARITHMETIC | {"matmul", "transpose"}:
            name = write(target)  # ReLU(n) = …
        else:
            raise NotUnderstood(f"expected a name before '{sign}', found '{write(target)}'")
        sides = [side for side in sides if side != target] or sides
        if f"d{name}" in _LOSSES:
            sides = [_inner(side) for side in sides]
        inner = {part.text for side in sides for part in parts_of(side) if isinstance(part, Name)}
        update = not name.startswith("d") and any(text.startswith("d") for text in inner)
        return Statement(name, tuple(sides), update)


def _setting(token: Token) -> tuple[str, Any]:
    key, value = (part.strip() for part in token.split("="))
    key = {"dim": "axis", "keepdim": "keepdims"}.get(key, key)
    return key, int(value) if value.lstrip("-").isdigit() else {"True": True, "False": False}.get(value)


def _known(name: str, primes: str, inputs: tuple[Any, ...], settings: dict[str, Any]) -> Expression:
    """Apply a function that is one of the ops."""
    wanted = {"mul": 2, "matmul": 2, "pow": 2, "maximum": 2, "minimum": 2, "where": 3, "outer": 2}.get(name, 1)
    if name in ("max", "min") and len(inputs) == 2:
        name, wanted = f"{name}imum", 2
    if (
        len(inputs) == wanted + 1 and isinstance(inputs[-1], Number | Apply) and not primes
    ):  # sum(Z, 1), LeakyReLU(Z, 0.01)
        keys = list(REGISTRY[name].defaults) if name in REGISTRY else []
        value = inputs[-1].value if isinstance(inputs[-1], Number) else -1
        if keys:
            settings = {keys[0]: min(value, 1) if keys[0] == "axis" else value, **settings}
            inputs = inputs[:-1]
    if len(inputs) != wanted:
        raise NotUnderstood(f"{name} takes {wanted} argument{'s'[: wanted - 1]}, not {len(inputs)}")
    if name == "norm":
        return _apply("sqrt", _apply("sum", _apply("pow", inputs[0], Number(2))))
    if name == "identity":
        return Number(1) if primes else inputs[0]
    if name == "mul" or name == "matmul":
        return _product(inputs[0], inputs[1], name == "mul")
    known = {key: value for key, value in settings.items() if key in REGISTRY[name].defaults and value is not None}
    return Apply(name + primes, inputs, tuple(sorted(known.items())))


def _apply(op: str, *inputs: Expression) -> Expression:
    if op == "div" and all(isinstance(part, Number) and isinstance(part.value, int) for part in inputs):
        a, b = (part.value for part in inputs if isinstance(part, Number))
        if b:
            return Number(Fraction(a) / Fraction(b))
    return Apply(op, inputs)


def _signed(sign: Any, tree: Any) -> Expression:
    if sign == "+":
        return _tree(tree)  # type: ignore[no-any-return]
    return _apply("neg", _tree(tree))


def _is_scalar(tree: Expression) -> bool:
    match tree:
        case Name(_, scalar):
            return scalar
        case Number():
            return True
        case Apply(op, inputs):
            return op in _ARITHMETIC and all(_is_scalar(part) for part in inputs)


def _is_ones(tree: Expression) -> bool:
    if isinstance(tree, Apply) and tree.op == "transpose":
        tree = tree.inputs[0]
    return isinstance(tree, Name) and tree.text.startswith("𝟙")


def _product(a: Expression, b: Expression, loose: bool = False) -> Expression:
    """Multiply: scalars stand in front, 1 times an indicator is the indicator, matrices are multiplied as written."""
    if a in (Number(1), Name("I"), Name("𝟙")) and isinstance(b, Apply) and b.op in _COMPARISONS.values():
        return b
    if a == Number(1) and not _is_scalar(b):
        raise NotUnderstood("a factor of 1 says nothing: is 1/m meant?")
    if _is_scalar(a) or _is_scalar(b):
        a, b = (a, b) if _is_scalar(a) else (b, a)
        if not _is_scalar(b) and isinstance(b, Apply) and b.op == "mul" and _is_scalar(b.inputs[0]):
            return _apply("mul", _apply("mul", a, b.inputs[0]), b.inputs[1])
        return _apply("mul", a, b)
    for first, part in enumerate((a, b)):
        if isinstance(part, Apply) and part.op == "mul" and _is_scalar(part.inputs[0]):
            inner = _product(a, part.inputs[1], loose) if first else _product(part.inputs[1], b, loose)
            return _product(part.inputs[0], inner)
    if _is_ones(a) or _is_ones(b):  # 1ᵀ dZ is a sum
        return _summed(b if _is_ones(a) else a, set())
    return _apply("mul" if loose else "matmul", a, b)


def _quotient(a: Expression, b: Expression) -> Expression:
    """Divide, where ∂J/∂W1 is the gradient dW1."""
    if isinstance(a, Name) and isinstance(b, Name) and b.text.startswith(("d", "δ")):
        if a.text.split("⟪")[0].replace("δ", "d") in _LOSSES:
            return b
        if a.text.startswith(("d", "δ")):
            said = f"the derivative of {a.text[1:]} by {b.text[1:]}"
            raise NotUnderstood(f"{said} is not judged by itself: write the formula of the gradient")
    b = replaced(b, lambda part: Name("B", scalar=True) if part == Name("B") else None)
    return _apply("div", a, b)


def _folded(factors: Iterable[tuple[str, Any]]) -> Expression:
    """Multiply a run of factors: products of matrices bind closer than ⊙, * and @; 1/m and ∂J/∂W are one factor."""
    total: Expression | None = None
    sign = ""
    group: list[Expression] = []

    def closed() -> Expression:
        product = reduce(_product, group)
        return product if total is None else _product(total, product, loose=sign != "@")

    for operator, tree in factors:
        if operator in ("/", "÷", "\\div"):
            names = isinstance(group[-1], Name) and isinstance(tree, Name) and tree.text.startswith(("d", "δ"))
            if names or (_is_scalar(group[-1]) and (_is_scalar(tree) or tree == Name("B"))):
                group[-1] = _quotient(group[-1], tree)
            else:
                total, group = None, [_quotient(closed(), tree)]
        elif operator == "@" or operator in _ENTRYWISE:
            total, group, sign = closed(), [tree], operator
        else:
            group.append(tree)
    return closed()


def _indices(tree: Expression) -> set[str]:
    names = [part.text for part in parts_of(tree) if isinstance(part, Name)]
    return {i for text in names if "⟪" in text for i in text.split("⟪")[1][:-1]}


def _without(tree: Expression, letters: set[str]) -> Expression:
    """Return a tree without these indices."""

    def rule(part: Expression) -> Expression | None:
        if not isinstance(part, Name) or "⟪" not in part.text:
            return None
        text, rest = part.text[:-1].split("⟪")
        rest = "".join(i for i in rest if i not in letters)
        return Name(f"{text}⟪{rest}⟫" if rest else text)

    return replaced(tree, rule)


def _summed(body: Expression, letters: set[str]) -> Expression:
    """Sum over the samples: the products dz_i x_iᵀ are summed by the product dZ Xᵀ."""
    found = _indices(body)
    bound = letters or found
    core_ = body
    while isinstance(core_, Apply) and (core_.op == "neg" or (core_.op == "mul" and _is_scalar(core_.inputs[0]))):
        core_ = core_.inputs[-1]
    while isinstance(core_, Apply) and core_.op == "div" and _is_scalar(core_.inputs[1]):
        core_ = core_.inputs[0]
    product = isinstance(core_, Apply) and core_.op == "matmul"
    transposed = any(isinstance(part, Apply) and part.op == "transpose" for part in parts_of(core_))
    if bound and product and transposed:
        return _without(body, bound)

    def entrywise(part: Expression) -> Expression | None:
        if not isinstance(part, Apply) or part.op != "matmul" or not _indices(part) & bound:
            return None
        if len({frozenset(_indices(side)) for side in part.inputs if _indices(side)}) > 1:
            raise NotUnderstood("sums over single entries are not judged: write whole matrices")
        return Apply("mul", part.inputs)

    body = _without(replaced(body, entrywise), bound)
    return body if isinstance(body, Apply) and body.op == "sum" else Apply("sum", (body,))


def _inner(loss: Expression) -> Expression:
    """Return a loss with yᵀ log a, of one sample, as a sum over entries."""

    def rule(part: Expression) -> Expression | None:
        match part:
            case Apply("matmul", (Apply("transpose", (a,)), b)):
                return Apply("sum", (Apply("mul", (a, b)),))
            case Apply("sum", (Apply("sum"),)):
                return part.inputs[0]
        return None

    return replaced(loss, rule)


def _finished(side: Any) -> Expression:
    """Return a side of an equation without indices: one formula for every sample is the formula of the matrices."""
    tree: Expression = _tree(side)
    free = _indices(tree)
    if len(free) > 1:
        raise NotUnderstood(
            f"single entries, with indices {', '.join(sorted(free))}, are not judged: write whole matrices"
        )
    tree = _without(tree, free)

    def rule(part: Expression) -> Expression | None:
        if not isinstance(part, Name) or part.scalar:
            return None
        text = {"B": "b", "e": "E"}.get(part.text, part.text)
        return Name("d" + text[1:] if text.startswith("δ") else text)

    tree = replaced(tree, rule)
    level: list[Expression] = [tree]
    depth = 0
    while level:
        level = [part for parent in level if isinstance(parent, Apply) for part in parent.inputs]
        depth += 1
    if depth > DEEPEST:
        raise NotUnderstood(f"it is nested deeper than {DEEPEST}")
    return tree
