"""gradcheck: is the gradient of a function what its values say?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from html import escape
from math import isfinite
from typing import Any

from ..autodiff import gradients
from ..report import GradientMismatch
from ..tensor import Tensor
from .arguments import Arguments, float_tensors, forward_and_vjp
from .claim import Pair, Subject, total
from .verdict import VERDICTS, Check, checked


@dataclass(frozen=True)
class GradcheckReport:
    """The result of a check, one line for each argument; true where nothing is wrong."""

    checks: tuple[Check, ...]

    @property
    def verdict(self) -> str:
        """The worst of the lines: "pass", "convention" (at a kink), "inconclusive" or "fail"."""
        return max((check.verdict for check in self.checks), key=VERDICTS.index)

    def __bool__(self) -> bool:
        return self.verdict in ("pass", "convention")

    def raise_if_wrong(self) -> None:
        """Raise GradientMismatch, an AssertionError with the report as its message, where the verdict is "fail"."""
        if self.verdict == "fail":
            raise GradientMismatch(f"the gradient is wrong\n{self}")

    def __str__(self) -> str:
        rows = self._rows()
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([*lines, *(f"{check.name}: {check.reason}" for check in self.checks if check.reason)])

    def _repr_html_(self) -> str:
        head, *rows = self._rows()
        rows = [[*row, check.reason] for row, check in zip(rows, self.checks, strict=True)]
        body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
        return f"<table><tr>{''.join(f'<th>{escape(cell)}</th>' for cell in [*head, 'reason'])}</tr>{body}</table>"

    def _rows(self) -> list[list[str]]:
        """Return the cells of the table, its head first; a column that is empty is left out."""
        rows = [["argument", "verdict", "entry", "result", "gradient", "numerical", "bound", "ratio"]]
        for check in self.checks:
            along = "direction" if check.index is None and isfinite(check.bound) else ""
            entry = str(list(check.index)) if check.index else along
            numbers = f"{check.exact:.10g}", f"{check.numerical:.10g}", f"{check.bound:.0e}", f"{check.ratio + 0.0:.6g}"
            shown = ("" if cell in ("nan", "inf") else cell for cell in numbers)
            rows.append([check.name, check.verdict, entry, check.result, *shown])
        kept = [k for k, column in enumerate(zip(*rows[1:], strict=True)) if any(column) or k != 3]
        return [[row[k] for k in kept] for row in rows]


def gradcheck(f: Callable[..., Any], *args: Any, order: int = 1, wrt: Any = None) -> GradcheckReport:
    """Compare the gradient of f at its arguments with a numerical one whose error is bounded; return a report.

    f takes tensors and returns a tensor, or nested lists and dicts of them, of any shapes; results of many elements are
    summed with random weights, small ones with large weights.  Float arguments (arrays, tensors, numbers, nested lists and
    dicts of them) are passed as float64 tensors and checked; `wrt`, a name or position or a list of such, picks some.
    Others are passed on as they are.  With `order=2` the gradient of the gradient is checked as well.

    Verdicts: "pass"; "fail"; "convention" where f has a kink and the gradient is one that may be chosen there;
    "inconclusive" where the numerical derivative could not tell, with the reason.  A wrong gradient raises nothing:
    `gradcheck(...).raise_if_wrong()` does.
    Raises TypeError where f returns no float tensor or there is nothing to check, ValueError for a `wrt` that names no
    argument, and what f itself raises at the arguments.
    Source: the bound is that of `slope.py`.

    >>> from tinygrad_lite.verify import gradcheck
    >>> report = gradcheck(lambda W, b: relu(W @ np.ones((2, 3)) + b).sum(), np.array([[1.0, 2.0]]), np.array([[0.5]]))
    >>> report.verdict, [check.name for check in report.checks]
    ('pass', ['W', 'b'])
    """
    if not callable(f):
        raise TypeError(f"f must be a function of tensors, as gradcheck(lambda w: (w * w).sum(), w), not {f!r:.60}")
    if order < 1:
        raise ValueError(f"order counts from 1, but is {order}")
    given = Arguments(f, args)
    picked = _picked(given, wrt)
    outputs = lambda xs: float_tensors(f(*given.filled(xs)))
    checks: list[Check] = []
    for n in range(1, order + 1):
        subject = Subject(given, outputs)
        checks += [
            replace(check, name=f"{check.name} (order {n})" if order > 1 else check.name)
            for check in checked(subject, picked)
        ]
        outputs = partial(_gradient, outputs, subject.weights)
    return GradcheckReport(tuple(checks))


def _picked(given: Arguments, wrt: Any) -> list[int]:
    """Return the numbers of the float arrays that `wrt` picks."""
    wanted = list(given.positions) if wrt is None else list(wrt) if isinstance(wrt, list | tuple) else [wrt]
    picked: list[int] = []
    for name in wanted:
        known = name in given.positions if isinstance(name, str) else -len(given.args) <= name < len(given.args)
        if not known:
            raise ValueError(f"wrt names {name!r}, but the arguments are {', '.join(given.positions)}")
        position = given.positions.index(name) if isinstance(name, str) else name % len(given.args)
        of_it = [i for i, number in enumerate(given.numbers) if number == position]
        if wrt is not None and not of_it:
            raise TypeError(f"wrt names {name!r}, which is not of a float type: there is nothing to differentiate")
        picked += [i for i in of_it if i not in picked]
    return picked


def _gradient(outputs: Callable[[Sequence[Any]], list[Tensor]], weights: Any, xs: Sequence[Tensor]) -> list[Tensor]:
    """Return the gradient of weighted results, as a function of the same arguments."""
    y = total(outputs(xs), weights)
    return gradients(y, list(xs), create_graph=True) if y.requires_grad else [x * 0.0 for x in xs]


def check_vjp(f: Callable[..., Any], *args: Any) -> GradcheckReport:
    """Check the derivative of a function that is not written in tensors: `check_vjp(f, vjp, *args)`; return a report.

    f takes NumPy arrays and returns one, or a tuple of them; `vjp(g, *args)` returns the gradient with respect to each
    argument, as a tuple or alone, from the gradient g with respect to the result.  A subclass of `torch.autograd.Function`
    and a function under `jax.custom_vjp` bring their own: `check_vjp(f, *args)`.  Float arguments are passed as float64
    copies, for JAX under `enable_x64`.

    Without a recorded graph kinks are found by steps that do not agree, and round-off is measured: the bounds are less
    certain than those of `gradcheck`, whose verdicts these are.
    Raises TypeError where there is no vjp or no float argument, and what f itself raises at the arguments.

    >>> from tinygrad_lite.verify import check_vjp
    >>> check_vjp(np.sin, lambda g, x: g * np.cos(x), np.array([0.0, 1.0])).verdict
    'pass'
    >>> print(check_vjp(np.sin, lambda g, x: g * np.sin(x), np.array(0.5)).raise_if_wrong())
    Traceback (most recent call last):
    ...
    tinygrad_lite.report.GradientMismatch: the gradient is wrong
    ...
    """
    forward, back, args = forward_and_vjp(f, args)
    given = Arguments(forward, args)
    return GradcheckReport(tuple(checked(Pair(given, forward, back), range(len(given.at)))))


__all__ = ["Check", "GradcheckReport", "check_vjp", "gradcheck"]
