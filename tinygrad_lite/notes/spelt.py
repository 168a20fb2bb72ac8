"""Spelt: a formula written as the page at hand writes its own: d or ∂J/∂, W^{[1]} or W_1, z or Z, LaTeX or plain text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cached_property, lru_cache
from typing import NamedTuple

from ..formula.expression import Apply, Expression, Name, replaced, write
from ..formula.translate import code
from ..formula.value import SUMS
from ..notation import Notation
from .network import RATE, names_in, split
from .words import DERIVATIVES

_NAMED = (
    r"(?P<name>(?P<letter>[A-Za-z]|\\[tT]heta|[θΘ])(?P<layer>\s*(?P<mark>\^|_)?\s*(?P<open>\{?\s*[\[(]|\{)?\s*(?P<number>\d|[a-z](?=\s*[\])])|(?:(?<=_)|(?<=_\{))[a-z]{1,3}(?![A-Za-z]))"
    r"\s*(?:T|\\top)?\s*[\])]?\s*\}?)?)"
)
_LOSS = r"\s*(?:[JLCE]|\\mathcal\s*\{?[A-Z]\}?|\\ell)\s*"
_D = r"(?:\\partial|∂|\\mathrm\s*\{d\}|d)\s*"
_FORMS = [  # of a gradient, the longest first, and of a name
    rf"\\[dt]?frac\s*\{{\s*{_D}{_LOSS}\}}\s*\{{\s*{_D}{_NAMED}\s*\}}",
    rf"(?<![A-Za-z]){_D}{_LOSS}/\s*{_D}{_NAMED}(?![A-Za-z])",
    rf"(?:\\nabla|∇)\s*_\s*\{{?\s*{_NAMED}\s*\}}?{_LOSS}(?![A-Za-z])",
    rf"(?:\\delta\s*|\\Delta\s*|δ|Δ|\\partial\s*|∂|(?<![A-Za-z\\])d){_NAMED}(?![A-Za-z])",
    rf"(?:\\delta|δ|(?<![A-Za-z\\])delta(?=_)){_NAMED.replace('[A-Za-z]', '', 1)}",
    rf"(?<![A-Za-z\\]){_NAMED}(?![A-Za-z])",
]
_HAT = r"\\(?:wide)?hat\s*(?:\{\s*[yY]\s*\}|[yY])|[yY]_?hat|ŷ|Ŷ"


class Spelling(NamedTuple):
    """How a name is written: with what around it, and how its layer is marked."""

    around: str  # \0 for the name
    letter: str
    mark: str
    open: str
    layer: str

    def __str__(self) -> str:
        close = "".join({"{": "}", "[": "]", "(": ")"}[c] for c in reversed(self.open))
        layer = self.mark + self.open + self.layer + close if self.layer else ""
        return self.around.replace("\0", self.letter + layer)

    @property
    def turned(self) -> str:
        """The transpose."""
        text = str(self)
        if self.layer and self.mark == "^" and self.open and text.endswith("}"):
            return f"{text[:-1]}T}}"
        return rf"({text})^T" if self.mark == "^" or re.search(r"/|frac|nabla|∇", self.around) else f"{text}^T"


class Speller:
    """How one equation is spelt, and where it does not say, the page it stands on, of which `others` are the equations.

    `axis` is that of the samples.
    """

    def __init__(self, own: str, page: str, others: str, axis: int = 1) -> None:
        self.own, self.page, self.others, self.axis = own, page, others, axis
        self.python = "@" in own or "np." in own or ".T" in own
        self.latex = "\\" in own or "{" in own or ("$" in page and not self.python)

    @cached_property
    def found(self) -> list[list[tuple[bool, Spelling]]]:
        """The names in the equation, and those on the page, each with whether it is a gradient's; the most usual first."""
        return [_ranked(self.own), _ranked(self.others)]

    def __call__(self, target: str, tree: Expression, update: bool = False, plain: bool = False) -> str:
        """Write an equation; `plain` with the names as they are read."""
        sign = re.search(r"-=|\+=|:=|\\gets|\\leftarrow|←|=", self.own)
        sign_ = sign[0].replace("+", "-") if sign and (update or sign[0] == ":=") else "="
        if not target:
            return write(tree)
        if sign_ == "-=" and isinstance(tree, Apply):
            tree = tree.inputs[1]
        if self.python:
            text = f"{target} {sign_} {code(tree if split(target)[1] in 'JLCE' else self._in_python(tree))}"
            names = {n: str(self.named(n) or n) for n in (target, *names_in(tree)) if not plain}
            text = re.sub(
                r"\b[A-Za-z]\w*\b", lambda m: new if (new := names.get(m[0], "")).isidentifier() else m[0], text
            )
            return text.replace(RATE, self.rate)
        notation: Notation = "latex" if self.latex else "text"
        own = re.split(r":?=", self.own)[0].strip("$& ")
        left = own if re.search(r"[(∂]", target) else write(Name(target), notation)
        text = f"{left} {sign_} {write(tree, notation)}"
        spelt: dict[str, str] = {}
        for name in {target, *names_in(tree)} - {RATE} if not plain else ():
            if (own := self.named(name)) is not None:
                turned = write(Apply("transpose", (Name(name),)), notation)
                spelt |= {write(Name(name), notation): str(own), turned: own.turned}
            elif name == "Yhat" and (hat := re.search(_HAT, f"{self.own}\n{self.others}")):
                spelt[write(Name(name), notation)] = hat[0]
        if spelt:
            longest = "|".join(re.escape(text) for text in sorted(spelt, key=len, reverse=True))
            text = re.sub(rf"(?<![A-Za-z\\])(?:{longest})(?![A-Za-z0-9])", lambda m: spelt[m[0]], text)
        if self.latex:
            return text.replace(r"\alpha", self.rate if self.rate.startswith("\\") else r"\alpha")
        text = text.replace("^T", "ᵀ")
        text = text if "ᵀ" in self.page or "^T" not in self.page else text.replace("ᵀ", "^T")
        return text.replace(RATE, self.rate)

    @property
    def rate(self) -> str:
        """The learning rate."""
        words = (r"\eta", r"\alpha", "learning_rate", "alpha", "eta", "η", "lr")
        return next((word for word in words if word in self.own), "α")

    def named(self, name: str) -> Spelling | None:
        """Return how a name is spelt: as in the equation, as on the page, or as others like it are."""
        gradient, letters, layer = split(name)
        if len(letters) != 1 and letters != "theta":
            return None
        layer = layer.removeprefix("_")
        best: dict[int, Spelling] = {}  # this name; one like it; in what it stands; what stands so, but is another
        for found in self.found:
            for of_gradient, s in found:
                own = (
                    "theta"
                    if (s.letter[-1:] in ("θ", "Θ", "a") and len(s.letter) != 1) or s.letter in ("θ", "Θ")
                    else s.letter
                )
                same = own.upper() == letters.upper() or (s.letter == "" and letters == "Z")
                if of_gradient == gradient and bool(s.layer) == bool(layer) and (same or s.letter):
                    best.setdefault(int(s.layer != layer) if same else 3, s)
                elif same and s.letter and s.layer == layer:
                    best.setdefault(2, s)
        first = best.get(0) or best.get(1) or best.get(2) or (best[3]._replace(letter=letters) if best else None)
        if first is not None and not {0, 1} & {*best} and 2 in best:  # the name of one, and the d of the other
            around = best[3].around if 3 in best else "d\0" if gradient else "\0"
            first = first._replace(around=around)
        return first._replace(layer=layer) if first is not None else None

    def _in_python(self, tree: Expression) -> Expression:
        """Write sums over an axis as the page does, and derivatives as what they are."""
        keeps = "keepdims" in self.page

        def rule(part: Expression) -> Expression | None:
            match part:
                case Apply(op, inputs, params) if op in SUMS and (not params or not keeps):
                    own = dict(params).get("axis", self.axis)
                    return Apply(op, inputs, (("axis", own), *((("keepdims", True),) if keeps else ())))
                case Apply(op, (z,)) if op.endswith("'") and op[:-1] in DERIVATIVES:
                    return DERIVATIVES[op[:-1]](z)
            return None

        return replaced(tree, rule)


@lru_cache(8)  # a page is the same for all its equations
def _ranked(text: str) -> list[tuple[bool, Spelling]]:
    return [spelling for spelling, _ in Counter(_spellings(text)).most_common()]


def _spellings(text: str) -> Iterator[tuple[bool, Spelling]]:
    """Yield all names in a text, each once: where a gradient stands, not the name in it."""
    for k, form in enumerate(_FORMS):
        for m in re.finditer(form, text):
            if m["letter"] or m["number"]:
                before, after = m[0][: m.start("name") - m.start()], m[0][m.end("name") - m.start() :]
                opened = re.sub(r"\s", "", m["open"] or "")
                spelling = Spelling(
                    f"{before}\0{after}".strip(), m["letter"], m["mark"] or "", opened, m["number"] or ""
                )
                yield k < len(_FORMS) - 1, spelling
        text = re.sub(form, lambda m: " " * len(m[0]), text)


__all__ = ["Speller"]
