"""Derive: the forward and backward pass of a model as equations, as a person writes them.

From the bottom up: `axes` are the sizes of a graph by name; `trace` runs both passes at sizes from which the symbols can be
read off; `why` says how a line follows; `derivation` makes equations of it all; `layout` lays them out.
"""

from __future__ import annotations

from ..callable import make_callable
from ..formula.expression import write
from ..nn import Module
from . import layout
from .derivation import Equation, Equations, Scale, equations

__all__ = ["Derivation", "Equation", "derive", "write"]


class Derivation:
    """The equations of a model; `derive` makes it.  It prints as text, and shows itself in Jupyter."""

    def __init__(self, equations: Equations, explain: bool = False) -> None:
        self._equations, self._explain = equations, explain

    @property
    def forward(self) -> list[Equation]:
        """The equations of the forward pass, the loss last."""
        return self._equations.forward

    @property
    def backward(self) -> list[Equation]:
        """Those of the backward pass, from the loss back to the parameters of the first layer."""
        return self._equations.backward

    @property
    def updates(self) -> list[Equation]:
        """The steps of gradient descent."""
        return self._equations.updates

    def text(self) -> str:
        """Return the equations as plain text, one a line, each with its shape."""
        return layout.text(self._equations, self._explain)

    def latex(self) -> str:
        """Return the equations as LaTeX: an align* for each pass, to be used with amsmath."""
        return layout.latex(self._equations, self._explain)

    def markdown(self) -> str:
        """Return the equations as Markdown with LaTeX between dollar signs."""
        return layout.markdown(self._equations, self._explain)

    def html(self) -> str:
        """Return the equations as a piece of HTML that needs no network: the formulas are MathML."""
        return layout.html(self._equations, self._explain)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        parts = [self.forward, self.backward, self.updates]
        return f"<Derivation: {sum(map(len, parts))} equations; print it, or see .latex(), .markdown() and .html()>"

    def _repr_html_(self) -> str:
        return self.html()


def derive(model: Module, scale: Scale = "notes", explain: bool = False) -> Derivation:
    r"""Derive the backward pass of a model, and write down both passes and the updates, each line with its shape.

    The equations are read off the recorded graph of both passes, and simplified.  With `scale="notes"`, dZ is the gradient
    of each sample's own loss, and dW = 1/m …; with `scale="mean"`, dZ is ∂J/∂Z too, and 1/m stands where it arises.  With
    `explain=True` every line says which rule was used and why the shapes fit.
    Raises TypeError where `model` is no nn.Module, where its annotations do not tell the shapes of its inputs, and where it
    has no loss that depends on its parameters; ValueError for another scale.

    >>> from models.mnist_two_layer import TwoLayer
    >>> for equation in derive(TwoLayer()).backward[:3]:
    ...     print(equation.name, "=", write(equation.tree))
    dZ2 = A2 − Y
    dW2 = 1/m dZ2 A1ᵀ
    db2 = 1/m Σ dZ2
    """
    if not isinstance(model, Module):
        raise TypeError(f"derive takes a model, an instance of nn.Module, not {model!r}")
    if scale not in ("notes", "mean"):
        raise ValueError(f"scale must be 'notes' (dZ of each sample's own loss) or 'mean' (dZ of J), not {scale!r}")
    return Derivation(equations(model, scale, explain), explain)


make_callable(__name__, derive)
