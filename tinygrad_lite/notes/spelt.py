"""Spelt: a formula written as the page at hand writes its own: d or δ, W^{[1]} or W_1, z or Z, LaTeX or plain text."""

from __future__ import annotations

import re
from collections import Counter
from functools import cached_property

from ..derive.expression import Apply, Expression, Name, replaced, write
from ..notation import Notation
from .formula import code

_LAYER = r"(?:\s*(?P<mark>\^|_)?\s*(?P<open>\{?\s*[\[(]|\{)?\s*(?P<layer>\d)\s*)"
_NAME = re.compile(
    r"(?P<prefix>\\delta\s*|\\Delta\s*|δ|Δ|\\partial\s*|∂|(?<![A-Za-z\\])d)?(?P<letter>(?<![A-Za-z])[A-Za-z]|(?<=d)[A-Za-z])"
    + _LAYER
)


class Speller:
    """How one equation is spelt, and where it does not say, the page it stands on."""

    def __init__(self, own: str, page: str) -> None:
        self.own, self.page = own, page
        self.python = "@" in own or "np." in own or ".T" in own
        self.latex = "\\" in own or "{" in own or ("$" in page and not self.python)

    @cached_property
    def found(self) -> tuple[list[re.Match[str]], list[re.Match[str]]]:
        """The names in the equation, and those on the page."""
        return list(_NAME.finditer(self.own)), list(_NAME.finditer(self.page))

    def most(self, what: str, letter: str = "", prefixed: bool | None = None) -> str | None:
        """Return how most names do it: in the equation, else on the page."""
        for matches in self.found:
            seen = Counter(
                m[what] or ""
                for m in matches
                if (not letter or m["letter"].upper() == letter) and (prefixed is None or bool(m["prefix"]) is prefixed)
            )
            if seen:
                return seen.most_common(1)[0][0]
        return None

    def __call__(self, target: str, tree: Expression, update: bool = False) -> str:
        """Write an equation."""
        sign = ":=" if update and re.search(r":=|\\gets|\\leftarrow|←", self.own) else "="
        if not target:
            return write(tree)
        if self.python:
            return f"{target} {sign} {code(_with_axes(tree, self.page)).replace('alpha', self.rate)}"
        notation: Notation = "latex" if self.latex else "text"
        left = re.split(r":?=", self.own)[0].strip("$& ") if "(" in target else write(Name(target), notation)
        text = f"{left} {sign} {write(tree, notation)}"
        if self.latex:
            text = re.sub(r"(?<![\w\\])(d?)([A-Za-z])\^\{\[(\d+)\](T?)\}", self._named, text)
            return text.replace("X^T", f"{self._letter('X', False)}^T")
        text = re.sub(r"(?<![\w])(d?)([A-Za-z])(\d+)()(?![A-Za-z0-9])", self._named, text)
        text = text if "ᵀ" in self.page or "^T" not in self.page else text.replace("ᵀ", "^T")
        return text.replace("alpha", self.rate)

    @property
    def rate(self) -> str:
        """The learning rate."""
        return next((word for word in ("alpha", "eta", "η", "lr", "learning_rate") if word in self.own), "α")

    def _letter(self, letter: str, gradient: bool) -> str:
        own = self.most("letter", letter.upper(), gradient) or self.most("letter", letter.upper())
        if (
            own is None
            and letter in "XY"
            and not re.search(letter, self.own)
            and re.search(rf"\b{letter.lower()}\b", self.own)
        ):
            own = letter.lower()
        return own or letter

    def _named(self, m: re.Match[str]) -> str:
        gradient, letter, layer, turned = bool(m[1]), m[2], m[3], m[4]
        prefix = (self.most("prefix", prefixed=True) or "d") if gradient else ""
        prefix = prefix.strip() + " " if prefix.startswith("\\") else prefix
        name = prefix + self._letter(letter, gradient)
        mark, opened = self.most("mark"), (self.most("open") or "").strip("{ ")
        if not self.latex:
            return f"{name}_{layer}" if mark == "_" else name + layer
        if mark == "_":
            return f"{name}_{layer}" + "^T" * bool(turned)
        if not mark:
            return name + layer + "^T" * bool(turned)
        return f"{name}^{{({layer}){turned}}}" if opened == "(" else f"{name}^{{[{layer}]{turned}}}"


def _with_axes(tree: Expression, page: str) -> Expression:
    axis = re.search(r"axis\s*=\s*(\d)", page)

    def rule(part: Expression) -> Expression | None:
        if isinstance(part, Apply) and part.op in ("sum", "mean") and not part.params:
            return Apply(part.op, part.inputs, (("axis", int(axis[1]) if axis else 1), ("keepdims", True)))
        return None

    return replaced(tree, rule)


__all__ = ["Speller"]
