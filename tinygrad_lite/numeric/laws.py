"""The laws that the derivatives of every op obey, and cases to try them on.

Shapes come from outside, values from a seed: all inputs of a case lie on one shuffled grid, so no two values are close to
each other or to zero, and cases closer to a kink than a numerical derivative steps are drawn again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import isfinite
from typing import Any, NamedTuple, TypeAlias
from warnings import catch_warnings, simplefilter

import numpy as np

from ..autodiff import gradients, jvp
from ..op import REGISTRY, Domain, Op, before_operands
from ..ops.shape import concatenate, reshape
from ..tensor import Tensor
from ..truth.cases import no_folder
from .slope import assert_derivative

Shape: TypeAlias = tuple[int, ...]
Random: TypeAlias = np.random.Generator
STEP = 0.01  # of the numerical derivative, times the scale of the values


class Case(NamedTuple):
    """One call of an op.  A shape among the inputs stands for float values to be drawn in the domain of the op."""

    inputs: list[Any]
    params: dict[str, Any]


Make: TypeAlias = Callable[[Random, Shape], Case]
Law: TypeAlias = Callable[[Op, Make, int, Shape], None]


def check_op(op: Callable[..., Any] | str, case: Make | None = None, examples: int = 50) -> None:
    """Check the derivatives of an op, your own or one of ours, on generated shapes and values.

    Each vjp must equal a numerical derivative; jvp and vjp must be transposes of each other; a vjp must be linear, must give
    the same on arrays and on tensors, and its own derivative must be right.  An op needs
    `case(rng, shape)` where a parameter has no default, or where it has an `axis` without `keepdims`; that returns a `Case`:
    how to call it with inputs of about that shape.
    Raises AssertionError with the law that is broken and the smallest counterexample found, ValueError for an op without
    rules.

    >>> check_op("tanh", examples=5)
    """
    from hypothesis import HealthCheck, Phase, Verbosity, given, settings
    from hypothesis import strategies as st
    from hypothesis.extra.numpy import array_shapes

    record = REGISTRY[op if isinstance(op, str) else op.__name__]
    if not record.vjps and not record.composed:
        raise ValueError(f"{record.name} has no derivative to check")
    make = case or partial(default_case, record)

    broken: list[tuple[Law, Case]] = []

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
        phases=[Phase.generate, Phase.shrink],
        verbosity=Verbosity.quiet,
    )
    @given(st.integers(0, 10**6), array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    def obeys(seed: int, shape: Shape) -> None:
        for law in LAWS:
            try:
                law(record, make, seed, shape)
            except AssertionError:
                broken[:] = [(law, draw(record, make, seed, shape))]  # the last one is the smallest
                raise

    with no_folder(), catch_warnings():
        simplefilter("ignore", RuntimeWarning)
        try:
            obeys()
        except AssertionError as error:
            raise AssertionError(_report(record, *broken[0], error)) from None


def _report(op: Op, law: Law, case: Case, error: AssertionError) -> str:
    """Write which law an op breaks, and the call that shows it."""
    given = [f"{_name(op, i)} = {np.array2string(x, separator=', ')}" for i, x in enumerate(case.inputs)]
    at = ", ".join(given + [f"{name} = {value!r}" for name, value in {**op.defaults, **case.params}.items()])
    if not np.isfinite(y := call(op, case.inputs, case.params).numpy()).all():
        found = "NaN" if np.isnan(y).any() else "an infinite value"
        return f"{op.name} gives {found} at {at}: say where it is defined, such as domain=Domain(low=0)"
    says = (law.__doc__ or "").partition(".")[0]
    return f"{op.name} breaks the law {law.__name__.removeprefix('check_')!r} ({says})\n  {error}\n  at {at}"


def _name(op: Op, i: int) -> str:
    if not op.variadic:
        return op.inputs[i] if i < len(op.inputs) else list(op.signature.parameters)[i]
    operands = list(op.signature.parameters)[len(before_operands(op) or ())]
    return f"{operands}[{i}]"


# --- cases ------------------------------------------------------------------------------------------------------------


def shrunk(rng: Random, shape: Shape) -> Shape:
    """Return a shape that broadcasts to `shape`: some axes become 1, some leading axes go."""
    sizes = tuple(1 if rng.random() < 0.3 else n for n in shape)
    return sizes[rng.integers(0, len(sizes) + 1) :] if rng.random() < 0.3 else sizes


def some_axis(rng: Random, ndim: int, several: bool = True) -> Any:
    """Return None, an axis counted from either end, or a tuple of axes."""
    if ndim == 0 or (several and rng.random() < 0.25):
        return None
    if several and rng.random() < 0.4:
        count = rng.integers(0, ndim + 1)
        return tuple(int(a) - (ndim if rng.random() < 0.5 else 0) for a in rng.permutation(ndim)[:count])
    return int(rng.integers(-ndim, ndim))


def full(shape: Shape) -> Shape:
    """Return the shape with no empty axis, and at least one axis."""
    return tuple(max(n, 1) for n in shape) or (3,)


def default_case(op: Op, rng: Random, shape: Shape, empty: bool = True) -> Case:
    """Return the case of an op that its record tells: one with no parameters that have no default, but axis and keepdims."""
    rest = set(op.signature.parameters) - set(op.inputs)
    if rest == {"axis", "keepdims"}:
        shape = shape if empty else tuple(max(n, 1) for n in shape)
        return Case([shape], {"axis": some_axis(rng, len(shape)), "keepdims": bool(rng.random() < 0.5)})
    rest -= set(op.defaults) - {"axis"}
    if rest:
        raise ValueError(f"no case tells how to choose the parameters {sorted(rest)} of the op {op.name}: give one")
    return Case([shape] if len(op.inputs) == 1 else [shrunk(rng, shape) for _ in op.inputs], {})


def draw(op: Op, make: Make, seed: int, shape: Shape, scale: float = 1.0, dtype: Any = np.float64) -> Case:
    """Draw a case with its values: ±scale × (at most 3), in the domain of the op, and not close to a kink."""
    rng = np.random.default_rng(seed)
    case = _filled(op, make(rng, shape), rng, scale, dtype)
    for _ in range(100):
        close = np.zeros(()) if op.kink is None else np.abs(kink_of(op, case)) <= 3 * STEP * scale
        if not close.any():
            return case
        x = case.inputs[0]
        if close.shape == x.shape:  # elementwise: move these elements only
            case.inputs[0] = np.asarray(x + 7 * STEP * scale * close, dtype)
        else:
            case = _filled(op, make(rng, shape), rng, scale, dtype)
    raise ValueError(f"no values were found that lie clear of the kinks of {op.name}: {case}")


def kink_of(op: Op, case: Case) -> Any:
    """Return the kink function of an op at a case: zero where the op has a kink."""
    assert op.kink is not None
    return np.asarray(op.kink(*case.inputs, **{**op.defaults, **case.params}))


def _filled(op: Op, case: Case, rng: Random, scale: float, dtype: Any) -> Case:
    sizes = [int(np.prod(x)) if isinstance(x, tuple) else 0 for x in case.inputs]
    count = max(sum(sizes), 1)
    grid = rng.permutation((np.arange(count) - count // 2 + 0.4) * 6 / count)
    values: list[Any] = []
    for i, (x, size) in enumerate(zip(case.inputs, sizes, strict=True)):
        if not isinstance(x, tuple):
            values.append(x.astype(dtype) if x.dtype.kind == "f" else x)
            continue
        drawn, grid = grid[:size].reshape(x), grid[size:]
        values.append(np.asarray(_into(op.domain[0 if op.variadic else i], drawn, scale), dtype))
    return Case(values, dict(case.params))


def _into(domain: Domain, drawn: Any, scale: float) -> Any:
    """Move values on ±3 into a domain, away from its ends."""
    low, high, without = domain
    if isfinite(low) and isfinite(high):
        return low + (high - low) * (0.5 + drawn / 8)
    if isfinite(low):
        return low + scale * (np.abs(drawn) + 0.5)
    if isfinite(high):
        return high - scale * (np.abs(drawn) + 0.5)
    if without is not None:
        return without + scale * (drawn + 0.5 * np.sign(drawn))
    return scale * drawn


def call(op: Op, inputs: Sequence[Any], params: dict[str, Any]) -> Tensor:
    """Call an op; of several results the float ones are joined into a vector."""
    before = before_operands(op) if op.variadic else []
    if before is None:
        out = op(list(inputs), **params)
    else:
        out = op(*[params[name] for name in before], *inputs, **{k: x for k, x in params.items() if k not in before})
    if isinstance(out, tuple | list):
        parts = [reshape(part, -1) for part in out if part.dtype.kind == "f"]
        return concatenate(parts) if parts else out[0]
    return out  # type: ignore[no-any-return]


def smooth(case: Case) -> list[int]:
    """Return the numbers of the inputs that can require a gradient: those of a float dtype."""
    return [i for i, x in enumerate(case.inputs) if x.dtype.kind == "f"]


def tensors(case: Case) -> list[Tensor]:
    """Return the inputs as tensors that require a gradient where they can."""
    return [Tensor(x, requires_grad=i in smooth(case)) for i, x in enumerate(case.inputs)]


def _too_large(case: Case) -> bool:
    """Whether a numerical derivative would say little (nothing to differentiate) or round too much."""
    return not 0 < sum(case.inputs[i].size for i in smooth(case)) <= 100


# --- laws -------------------------------------------------------------------------------------------------------------


def check_vjp(op: Op, make: Make, seed: int, shape: Shape, scale: float = 1.0) -> None:
    """Each vjp equals a numerical derivative in float64."""
    case = draw(op, make, seed, shape, scale)
    rng = np.random.default_rng(seed)
    xs = tensors(case)
    y = call(op, xs, case.params)
    if not y.requires_grad:
        return
    weight = rng.standard_normal(y.shape)
    at, found = [], gradients(y, [xs[i] for i in smooth(case)], gradient=weight)
    for i, g in zip(smooth(case), found, strict=True):
        x = case.inputs[i]
        same = (g.shape, g.dtype) == (x.shape, x.dtype)
        if not same:
            raise AssertionError(f"for {_name(op, i)}: {g.shape} {g.dtype} ≠ {x.shape} {x.dtype}")
        at.append(x)
    if not _too_large(case):
        direction = [scale * rng.uniform(-1, 1, x.shape) for x in at]
        inner = 1 + max(float(np.abs(x).max(initial=0)) for x in at)
        values = [g.numpy() for g in found]
        _along(op, case, direction, lambda u: assert_derivative(_plainly(op, case), at, values, weight, u, STEP, inner))


def _along(op: Op, case: Case, direction: Sequence[Any], check: Callable[[Sequence[Any]], None]) -> None:
    """Run a check along a direction; where it fails, name the first input along which it fails alone."""
    try:
        check(direction)
    except AssertionError:
        for k, i in enumerate(smooth(case)):
            try:
                check([u * (j == k) for j, u in enumerate(direction)])
            except AssertionError as error:
                raise AssertionError(f"for {_name(op, i)}: {error}") from None
        raise


def _plainly(op: Op, case: Case) -> Callable[..., Any]:
    """Return the op as a function on arrays of the inputs that can require a gradient."""

    def f(*values: Any) -> Any:
        return call(op, _with(case, values), case.params).numpy()

    return f


def _with(case: Case, values: Sequence[Any]) -> list[Any]:
    """Return the inputs of a case, the smooth ones replaced."""
    inputs: list[Any] = list(case.inputs)
    for i, value in zip(smooth(case), values, strict=True):
        inputs[i] = value
    return inputs


def check_jvp(op: Op, make: Make, seed: int, shape: Shape) -> None:
    """w · (J v), by jvp, equals (w J) · v, by vjp."""
    case = draw(op, make, seed, shape)
    at = [case.inputs[i] for i in smooth(case)]
    if not at:
        return
    rng = np.random.default_rng(seed)
    direction = [rng.standard_normal(x.shape) for x in at]
    xs = tensors(case)
    y = call(op, xs, case.params)
    w = rng.standard_normal(y.shape)
    pulled = gradients(y, [xs[i] for i in smooth(case)], gradient=w) if y.requires_grad else []

    def transposed(v: Sequence[Any]) -> None:
        out, tangent = jvp(lambda *values: call(op, _with(case, values), case.params), at, list(v))
        if tangent.shape != out.shape:
            raise AssertionError(f"jvp gives shape {tangent.shape} instead of {out.shape}")
        if out.dtype.kind == "f" and not pulled:
            if tangent.numpy().any():
                raise AssertionError("jvp gives a derivative, vjp none")
        elif pulled:
            terms = [g.numpy() * x for g, x in zip(pulled, v, strict=True)]
            left, right = float(np.sum(w * tangent.numpy())), float(sum(map(np.sum, terms)))
            size = sum(float(np.abs(term).sum()) for term in [*terms, w * tangent.numpy()])
            if not abs(left - right) <= 1e-11 * size:
                raise AssertionError(f"w · (J v) = {left!r}, (w J) · v = {right!r}")

    _along(op, case, direction, transposed)


def check_recorded(op: Op, make: Make, seed: int, shape: Shape) -> None:
    """The vjp run on plain arrays equals the vjp recorded on tensors, to a few ulp."""
    for dtype in (np.float32, np.float64):
        case = draw(op, make, seed, shape, dtype=dtype)
        xs = tensors(case)
        wanted = [xs[i] for i in smooth(case)]
        y = call(op, xs, case.params)
        if not y.requires_grad:
            return
        weight = np.random.default_rng(seed).standard_normal(y.shape).astype(dtype)
        plain = gradients(y, wanted, gradient=weight)
        recorded = gradients(y, wanted, gradient=weight, create_graph=True)
        bound = 16 * float(np.finfo(dtype).eps)
        for i, a, b in zip(smooth(case), plain, recorded, strict=True):
            size = float(np.abs(a.numpy()).max(initial=0.0))
            dtypes = f"a gradient of dtype {a.dtype} for an input of {np.dtype(dtype)}"
            if a.dtype != dtype:
                raise AssertionError(f"for {_name(op, i)}: {dtypes}")
            same = (b.dtype, b.shape) == (a.dtype, a.shape) and _close(b.numpy(), a.numpy(), bound, bound * size)
            if not same:
                raise AssertionError(f"for {_name(op, i)}: recorded {b.numpy()!r}, plain {a.numpy()!r}")


def check_linear(op: Op, make: Make, seed: int, shape: Shape) -> None:
    """A vjp is linear in the gradient it is given."""
    case = draw(op, make, seed, shape)
    xs = tensors(case)
    wanted = [xs[i] for i in smooth(case)]
    y = call(op, xs, case.params)
    if not y.requires_grad:
        return
    rng = np.random.default_rng(seed)
    v, w, a = rng.standard_normal(y.shape), rng.standard_normal(y.shape), float(rng.uniform(-3, 3))
    together, first, second = (gradients(y, wanted, gradient=g) for g in (a * v + w, v, w))
    for i, g, p, q in zip(smooth(case), together, first, second, strict=True):
        expected = a * p.numpy() + q.numpy()
        same = _close(g.numpy(), expected, 1e-12, 1e-12 * np.abs(expected).max(initial=1.0))
        if not same:
            raise AssertionError(f"for {_name(op, i)}: of a v + w {g.numpy()!r}, a times of v + of w {expected!r}")


def _close(x: Any, y: Any, rtol: float, atol: float) -> bool:
    return x.shape == y.shape and np.allclose(x, y, rtol, atol, equal_nan=True)


def check_second(op: Op, make: Make, seed: int, shape: Shape) -> None:
    """The derivative of a random combination of gradients equals its numerical derivative."""
    case = draw(op, make, seed, shape)
    at = [case.inputs[i] for i in smooth(case)]
    y = call(op, tensors(case), case.params)
    if _too_large(case) or not y.requires_grad:
        return
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal(y.shape)
    weights = [rng.standard_normal(x.shape) for x in at]

    def weighted_gradient(create_graph: bool, *values: Any) -> tuple[Tensor, list[Tensor]]:
        xs = [Tensor(value, requires_grad=True) for value in values]
        y = call(op, _with(case, xs), case.params)
        found = gradients(y, xs, gradient=weight, create_graph=create_graph)
        total = Tensor(np.zeros(()))
        for w, g in zip(weights, found, strict=True):
            total = total + (g * w).sum()
        return total, xs

    total, xs = weighted_gradient(True, *at)
    second = gradients(total, xs) if total.requires_grad else [Tensor(np.zeros(x.shape)) for x in xs]
    direction = [rng.uniform(-1, 1, x.shape) for x in at]
    inner = 1 + max(float(np.abs(x).max(initial=0)) for x in at)
    plain = lambda *values: weighted_gradient(False, *values)[0].numpy()
    values = [g.numpy() for g in second]
    _along(op, case, direction, lambda u: assert_derivative(plain, at, values, np.ones(()), u, STEP, inner))


LAWS = (check_vjp, check_jvp, check_recorded, check_linear, check_second)
