"""Laws that every op obeys, checked by a walk over the registry: an op without a case here fails these tests.

`CASES` says, per op, only what its record cannot tell: parameters and special inputs.  Shapes come from hypothesis,
values from a seed: all inputs of a case lie on one shuffled grid, so no two values are close to each other or to zero,
and a small step never crosses a kink.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_lite as tl
from tinygrad_lite import Tensor, autodiff, gradients
from tinygrad_lite.op import NONZERO, POSITIVE, REGISTRY, Each, Op, is_recording

from .numerical import assert_derivative

Shape = tuple[int, ...]
Random = np.random.Generator


class Case(NamedTuple):
    """One call of an op; a shape among the inputs stands for float values to be drawn."""

    inputs: list[Any]
    params: dict[str, Any]


# --- the table: what the record of an op does not tell ----------------------------------------------------------------


def shrunk(rng: Random, shape: Shape) -> Shape:
    """A shape that broadcasts to `shape`: some axes become 1, some leading axes go."""
    sizes = tuple(1 if rng.random() < 0.3 else n for n in shape)
    return sizes[rng.integers(0, len(sizes) + 1) :] if rng.random() < 0.3 else sizes


def some_axis(rng: Random, ndim: int, several: bool = True) -> Any:
    """None, an axis counted from either end, or a tuple of axes."""
    if ndim == 0 or (several and rng.random() < 0.25):
        return None
    if several and rng.random() < 0.4:
        count = rng.integers(0, ndim + 1)
        return tuple(int(a) - (ndim if rng.random() < 0.5 else 0) for a in rng.permutation(ndim)[:count])
    return int(rng.integers(-ndim, ndim))


def full(shape: Shape) -> Shape:
    """The shape with no empty axis, and at least one axis."""
    return tuple(max(n, 1) for n in shape) or (3,)


def matmul_case(rng: Random, shape: Shape) -> Case:
    i, j, k = (int(n) for n in rng.integers(1, 5, 3))
    kind = rng.integers(0, 5)
    if kind == 0:
        return Case([(k,), (k,)], {})
    if kind == 1:
        return Case([(k,), (*shape[:2], k, j)], {})
    if kind == 2:
        return Case([(*shape[:2], i, k), (k,)], {})
    if kind == 3:
        return Case([(i, k), (k, j)], {})
    return Case([(*shrunk(rng, shape[:2]), i, k), (*shrunk(rng, shape[:2]), k, j)], {})


def cross_entropy_case(rng: Random, shape: Shape) -> Case:
    shape = full(shape)
    axis = int(rng.integers(-len(shape), len(shape)))
    if rng.random() < 0.5:
        labels = rng.integers(0, shape[axis], tuple(np.delete(shape, axis)))
    else:
        labels = rng.dirichlet(np.ones(shape[axis]), tuple(np.delete(shape, axis)))
        labels = np.moveaxis(labels, -1, axis).reshape(shape)
    return Case([shape, labels], {"axis": axis})


def some_index(rng: Random, shape: Shape) -> Any:
    """A basic, a fancy, a boolean or a mixed index that fits the shape."""
    n = shape[0]
    choices: list[Any] = [
        int(rng.integers(-n, n)),
        slice(None, None, -1),
        slice(1, None, 2),
        (..., slice(0, 1)),
        (None, 0),
        rng.integers(-n, n, 5),
        [0, 0, n - 1],
        rng.random(shape) < 0.5,
        rng.random(n) < 0.5,
        (np.int64(0), ...),
        (slice(None), [0, 0]) if len(shape) > 1 else [[0, n - 1], [0, 0]],
        (rng.integers(0, n, (2, 1)), rng.integers(0, shape[1], 3)) if len(shape) > 1 else (),
    ]
    return choices[rng.integers(0, len(choices))]


def getitem_case(rng: Random, shape: Shape) -> Case:
    shape = full(shape)
    return Case([shape], {"index": some_index(rng, shape)})


def scatter_case(rng: Random, shape: Shape) -> Case:
    shape = full(shape)
    index = some_index(rng, shape)
    return Case([np.empty(shape)[index].shape], {"index": index, "shape": shape})


def clip_case(rng: Random, shape: Shape) -> Case:
    bounds = [(-0.7, 0.9), (None, 0.5), (-0.5, None), (0.9, -0.9)]
    low, high = bounds[rng.integers(0, len(bounds))]
    return Case([shape], {"min": low, "max": high})


def concatenate_case(rng: Random, shape: Shape) -> Case:
    shape = shape or (2,)
    axis = int(rng.integers(-len(shape), len(shape)))
    sizes = rng.integers(0, 4, rng.integers(1, 4))
    at = axis % len(shape)
    return Case([(*shape[:at], int(n), *shape[at + 1 :]) for n in sizes], {"axis": axis})


def reshape_case(rng: Random, shape: Shape) -> Case:
    size = int(np.prod(shape))
    shapes: list[Any] = [(size,), size, (1, size, 1), shape[::-1], -1 if size else 0]
    return Case([shape], {"shape": shapes[rng.integers(0, len(shapes))]})


def transpose_case(rng: Random, shape: Shape) -> Case:
    axes = [int(a) - (len(shape) if rng.random() < 0.5 else 0) for a in rng.permutation(len(shape))]
    return Case([shape], {"axes": None if rng.random() < 0.3 else tuple(axes)})


CASES: dict[str, Callable[[Random, Shape], Case]] = {
    "matmul": matmul_case,
    "softmax_cross_entropy": cross_entropy_case,
    "getitem": getitem_case,
    "scatter": scatter_case,
    "clip": clip_case,
    "concatenate": concatenate_case,
    "reshape": reshape_case,
    "transpose": transpose_case,
    "where": lambda rng, s: Case([rng.random(shrunk(rng, s)) < 0.5, shrunk(rng, s), shrunk(rng, s)], {}),
    "pow": lambda rng, s: Case([shrunk(rng, s), rng.choice([-2.0, -0.5, 0.5, 1.7, 3.0], shrunk(rng, s))], {}),
    "stack": lambda rng, s: Case([s] * rng.integers(1, 4), {"axis": int(rng.integers(-len(s) - 1, len(s) + 1))}),
    "broadcast_to": lambda rng, s: Case([shrunk(rng, s)], {"shape": s}),
    "astype": lambda rng, s: Case([s], {"dtype": np.float64}),
    "softmax": lambda rng, s: Case([full(s)], {"axis": some_axis(rng, len(full(s)), several=False)}),
    "log_softmax": lambda rng, s: Case([full(s)], {"axis": some_axis(rng, len(full(s)), several=False)}),
}
NOT_EMPTY = {"max", "min", "mean", "logsumexp"}


def make_case(op: Op, rng: Random, shape: Shape) -> Case:
    """The case of an op: from the table, or from its record if it has no parameters but axis and keepdims."""
    if op.name in CASES:
        return CASES[op.name](rng, shape)
    rest = set(op.signature.parameters) - set(op.inputs)
    if rest == {"axis", "keepdims"}:
        shape = tuple(max(n, 1) for n in shape) if op.name in NOT_EMPTY else shape
        return Case([shape], {"axis": some_axis(rng, len(shape)), "keepdims": bool(rng.random() < 0.5)})
    assert not rest, f"no test knows the parameters {rest} of the op {op.name}: add an entry to CASES"
    return Case([shape] if len(op.inputs) == 1 else [shrunk(rng, shape) for _ in op.inputs], {})


def fill(op: Op, case: Case, rng: Random, scale: float = 1.0, dtype: Any = np.float64) -> Case:
    """Draw values for the shapes among the inputs: ±scale × (at most 3), on one shuffled grid, in the op's domain."""
    sizes = [int(np.prod(x)) if isinstance(x, tuple) else 0 for x in case.inputs]
    count = max(sum(sizes), 1)
    grid = rng.permutation((np.arange(count) - count // 2 + 0.4) * 6 / count)
    values: list[Any] = []
    for i, (x, size) in enumerate(zip(case.inputs, sizes, strict=True)):
        if not isinstance(x, tuple):
            values.append(x.astype(dtype) if x.dtype.kind == "f" else x)
            continue
        drawn, grid = grid[:size].reshape(x), grid[size:]
        domain = op.domain[0 if op.variadic else i]
        if domain == POSITIVE:
            drawn = np.abs(drawn) + 0.5
        elif domain == NONZERO:
            drawn = drawn + 0.5 * np.sign(drawn)
        values.append(np.asarray(scale * drawn, dtype))
    params = dict(case.params)
    if op.name == "clip":
        params = {name: None if bound is None else scale * bound for name, bound in params.items()}
        values[0] = np.where(np.abs(np.abs(values[0]) / scale - 0.7) < 0.3, 0.1 * scale, values[0]).astype(dtype)
    return Case(values, params)


def draw(op: Op, seed: int, shape: Shape, scale: float = 1.0, dtype: Any = np.float64) -> Case:
    rng = np.random.default_rng(seed)
    return fill(op, make_case(op, rng, shape), rng, scale, dtype)


def call(op: Op, inputs: Sequence[Any], params: dict[str, Any]) -> Tensor:
    return op(list(inputs), **params) if op.variadic else op(*inputs, **params)


def smooth(op: Op, case: Case) -> list[int]:
    """The inputs that can require a gradient: those of a float dtype."""
    return [i for i, x in enumerate(case.inputs) if x.dtype.kind == "f"]


def tensors(op: Op, case: Case) -> list[Tensor]:
    return [Tensor(x, requires_grad=i in smooth(op, case)) for i, x in enumerate(case.inputs)]


shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
cases = {"seed": st.integers(0, 10**6), "shape": shapes}
scales = st.sampled_from([1e-3, 1.0, 10.0])
ALL = list(REGISTRY.values())
RULES = [op for op in ALL if op.vjps]
every_op = pytest.mark.parametrize("op", ALL, ids=lambda op: op.name)
every_rule = pytest.mark.parametrize("op", RULES, ids=lambda op: op.name)
few = settings(max_examples=25)


# --- forward ----------------------------------------------------------------------------------------------------------


def logsumexp(x: Any, axis: Any, keepdims: bool) -> Any:
    return np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims))


def cross_entropy(z: Any, y: Any, axis: int) -> Any:
    if y.dtype.kind == "i":
        y = np.moveaxis(np.eye(z.shape[axis])[y], -1, axis)
    return -np.sum(y * (z - logsumexp(z, axis, True)), axis=axis)


def scattered(x: Any, index: Any, shape: Shape) -> Any:
    places = np.arange(np.prod(shape)).reshape(shape)[index]
    return np.bincount(np.ravel(places), np.ravel(x), int(np.prod(shape))).reshape(shape)


DEFINITIONS: dict[str, Callable[..., Any]] = {
    "relu": lambda x: np.where(x > 0, x, 0 * x),
    "step": lambda x: np.where(x > 0, 1 + 0 * x, 0 * x),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "getitem": lambda x, index: x[index],
    "scatter": scattered,
    "logsumexp": logsumexp,
    "softmax": lambda x, axis: np.exp(x) / np.sum(np.exp(x), axis=axis, keepdims=True),
    "log_softmax": lambda x, axis: x - logsumexp(x, axis, True),
    "softmax_cross_entropy": cross_entropy,
    "astype": lambda x, dtype: x.astype(dtype),
    "reshape": lambda x, shape: np.reshape(x, shape),
    "clip": lambda x, min, max: np.clip(x, min, max),
}


def reference(op: Op, case: Case) -> Any:
    """What the op should give, by the NumPy function of its record or by a definition."""
    f = DEFINITIONS.get(op.name) or op.numpy
    assert f is not None, f"{op.name} has no NumPy function: add an entry to DEFINITIONS"
    inputs = [x.astype(np.float64) if x.dtype.kind == "f" else x for x in case.inputs]
    return f(inputs, **case.params) if op.variadic else f(*inputs, **case.params)


def inner_size(op: Op, case: Case) -> float:
    """The size of values inside an op that cancel: the exponentials of size 1, and the logits."""
    if op.name == "logsumexp" or "softmax" in op.name:
        return 1.0 + float(np.abs(case.inputs[0]).max(initial=0.0))
    return 0.0


def check_forward(op: Op, case: Case, dtype: Any) -> None:
    expected = np.asarray(reference(op, case))
    out = call(op, case.inputs, case.params)
    assert isinstance(out, Tensor)
    assert out.shape == expected.shape
    if op.name != "astype":
        assert out.dtype == (dtype if op.vjps else np.bool_)
    bound = 40 * np.finfo(dtype).eps
    floats = [expected, *(case.inputs[i] for i in smooth(op, case))]
    size = max(inner_size(op, case), *(np.abs(x).max(initial=0.0) for x in floats))
    np.testing.assert_allclose(out.numpy(), expected, rtol=bound, atol=bound * size)


@every_op
@given(**cases, scale=scales)
@example(seed=0, shape=(), scale=1.0)
@example(seed=0, shape=(0, 2), scale=1.0)
@settings(max_examples=30)
def test_forward_equals_the_numpy_function_and_keeps_the_dtype(op: Op, seed: int, shape: Shape, scale: float) -> None:
    check_forward(op, draw(op, seed, shape, scale), np.float64)
    check_forward(op, draw(op, seed, shape, scale, np.float32), np.float32)


@every_op
def test_forward_accepts_any_memory_layout(op: Op) -> None:
    case = draw(op, 1, (3, 4))
    for layout in (
        np.asfortranarray,
        lambda a: a.repeat(2, axis=0)[::2] if a.ndim else a,
        lambda a: np.flip(np.flip(a)),
    ):
        inputs = [layout(x) for x in case.inputs]
        np.testing.assert_array_equal(
            call(op, [Tensor(x) for x in inputs], case.params).numpy(),
            call(op, case.inputs, case.params).numpy(),
        )


BINARY = [op for op in ALL if op.broadcasts and len(op.inputs) == 2 and op.name != "matmul"]


@pytest.mark.parametrize("number", [2.0, 2, True, np.float64(2), np.float32(2), np.int64(2)], ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("op", BINARY, ids=lambda op: op.name)
def test_a_number_never_promotes(op: Op, dtype: Any, number: Any) -> None:
    x = Tensor(np.array([1.0, 3.0], dtype), requires_grad=True)
    for a, b in ((x, number), (number, x)):
        out = op(a, b)
        assert out.dtype == (dtype if op.vjps else np.bool_)
        if op.vjps:
            assert gradients(out.sum(), [x])[0].dtype == dtype


@pytest.mark.parametrize("number", [2.0, np.float64(2)], ids=repr)
def test_a_number_among_arrays_never_promotes(number: Any) -> None:
    x = Tensor([1.0, 3.0])
    assert tl.where(x > 2, x, number).dtype == np.float32
    assert x.clip(0.0, 2).dtype == np.float32


@pytest.mark.parametrize("a", [2.0, 2])
@pytest.mark.parametrize("b", [3.0, 3])
@pytest.mark.parametrize("op", BINARY, ids=lambda op: op.name)
def test_numbers_alone_give_a_tensor_and_floats_give_float32(op: Op, a: Any, b: Any) -> None:
    out = op(a, b)
    assert isinstance(out, Tensor)
    assert out.shape == ()
    if op.vjps and float in (type(a), type(b)):
        assert out.dtype == np.float32


@pytest.mark.parametrize("op", [op for op in ALL if len(op.signature.parameters) == 1], ids=lambda op: op.name)
def test_one_float_alone_gives_float32(op: Op) -> None:
    if not op.variadic:
        assert op(0.5).dtype == np.float32
        assert op([0.5, 0.25]).dtype == np.float32


# --- derivatives ------------------------------------------------------------------------------------------------------


def check_vjp(op: Op, case: Case, seed: int, scale: float = 1.0) -> None:
    """Each vjp equals a numerical derivative in float64."""
    rng = np.random.default_rng(seed)
    wanted = smooth(op, case)
    xs = tensors(op, case)
    y = call(op, xs, case.params)
    weight = rng.standard_normal(y.shape)
    found = gradients(y, [xs[i] for i in wanted], gradient=weight)
    for i, g in zip(wanted, found, strict=True):
        assert g.shape == case.inputs[i].shape
        assert g.dtype == case.inputs[i].dtype

    def f(*values: Any) -> Any:
        inputs = list(case.inputs)
        for i, value in zip(wanted, values, strict=True):
            inputs[i] = value
        return call(op, inputs, case.params).numpy()

    at = [case.inputs[i] for i in wanted]
    direction = [scale * rng.uniform(-1, 1, x.shape) for x in at]
    if not at or sum(x.size for x in at) > 100:
        return
    inner = inner_size(op, case)
    assert_derivative(f, at, [g.numpy() for g in found], weight, direction, inner=inner)


@every_rule
@given(**cases, scale=scales)
@example(seed=0, shape=(), scale=1.0)
@example(seed=0, shape=(1, 1, 1), scale=1.0)
@example(seed=3, shape=(3, 0, 2), scale=1.0)
@settings(max_examples=40)
def test_vjp_equals_the_numerical_derivative(op: Op, seed: int, shape: Shape, scale: float) -> None:
    check_vjp(op, draw(op, seed, shape, scale), seed, scale)


def check_recorded(op: Op, seed: int, shape: Shape) -> None:
    """The vjp run on plain arrays equals the vjp recorded on tensors, to a few ulp."""
    for dtype in (np.float32, np.float64):
        case = draw(op, seed, shape, dtype=dtype)
        xs = tensors(op, case)
        wanted = [xs[i] for i in smooth(op, case)]
        y = call(op, xs, case.params)
        weight = np.random.default_rng(seed).standard_normal(y.shape).astype(dtype)
        plain = gradients(y, wanted, gradient=weight)
        recorded = gradients(y, wanted, gradient=weight, create_graph=True)
        bound = 8 * np.finfo(dtype).eps
        for a, b in zip(plain, recorded, strict=True):
            assert b.dtype == a.dtype == dtype
            assert b.shape == a.shape
            size = np.abs(a.numpy()).max(initial=0.0)
            np.testing.assert_allclose(b.numpy(), a.numpy(), rtol=bound, atol=bound * size)


def check_linear(op: Op, seed: int, shape: Shape) -> None:
    """A vjp is linear in the gradient it is given."""
    case = draw(op, seed, shape)
    xs = tensors(op, case)
    wanted = [xs[i] for i in smooth(op, case)]
    y = call(op, xs, case.params)
    rng = np.random.default_rng(seed)
    v, w, a = rng.standard_normal(y.shape), rng.standard_normal(y.shape), float(rng.uniform(-3, 3))
    together, first, second = (gradients(y, wanted, gradient=g) for g in (a * v + w, v, w))
    for g, p, q in zip(together, first, second, strict=True):
        expected = a * p.numpy() + q.numpy()
        bound = 1e-12 * np.abs(expected).max(initial=1.0)
        np.testing.assert_allclose(g.numpy(), expected, rtol=1e-12, atol=bound)


def check_second(op: Op, seed: int, shape: Shape) -> None:
    """The derivative of a random combination of gradients equals its numerical derivative."""
    case = draw(op, seed, shape)
    wanted = smooth(op, case)
    at = [case.inputs[i] for i in wanted]
    if not at or sum(x.size for x in at) > 100:
        return
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal(call(op, case.inputs, case.params).shape)
    weights = [rng.standard_normal(x.shape) for x in at]

    def weighted_gradient(create_graph: bool, *values: Any) -> tuple[Tensor, list[Tensor]]:
        inputs: list[Any] = list(case.inputs)
        xs = [Tensor(value, requires_grad=True) for value in values]
        for i, x in zip(wanted, xs, strict=True):
            inputs[i] = x
        found = gradients(call(op, inputs, case.params), xs, gradient=weight, create_graph=create_graph)
        total = Tensor(np.zeros(()))
        for w, g in zip(weights, found, strict=True):
            total = total + (g * w).sum()
        return total, xs

    total, xs = weighted_gradient(True, *at)
    second = gradients(total, xs) if total.requires_grad else [Tensor(np.zeros(x.shape)) for x in xs]
    direction = [rng.uniform(-1, 1, x.shape) for x in at]
    f = lambda *values: weighted_gradient(False, *values)[0].numpy()
    assert_derivative(f, at, [g.numpy() for g in second], np.ones(()), direction)


@every_rule
@pytest.mark.parametrize("check", [check_recorded, check_linear, check_second], ids=lambda f: f.__name__)
@given(**cases)
@few
def test_laws_of_the_vjp(check: Callable[..., None], op: Op, seed: int, shape: Shape) -> None:
    check(op, seed, shape)


@every_rule
@given(**cases)
@few
def test_an_input_used_twice_gets_the_sum_of_its_gradients(op: Op, seed: int, shape: Shape) -> None:
    case = draw(op, seed, full(shape))
    wanted = smooth(op, case)
    if len(wanted) < 2 or case.inputs[wanted[0]].shape != case.inputs[wanted[1]].shape or op.name == "pow":
        return
    apart = Case([case.inputs[wanted[0]] if i == wanted[1] else x for i, x in enumerate(case.inputs)], case.params)
    if op.kink is not None:
        return  # twice the same value is a tie
    xs = tensors(op, apart)
    y = call(op, xs, apart.params)
    weight = np.random.default_rng(seed).standard_normal(y.shape)
    one, other = gradients(y, [xs[i] for i in wanted[:2]], gradient=weight)
    xs[wanted[1]] = xs[wanted[0]]
    (both,) = gradients(call(op, xs, apart.params), [xs[wanted[0]]], gradient=weight)
    np.testing.assert_allclose(both.numpy(), one.numpy() + other.numpy(), rtol=1e-12, atol=1e-12)


# --- mutants: each law above can fail ---------------------------------------------------------------------------------

MUTATIONS: dict[str, Callable[[Any], Any]] = {"sign": lambda g: -g, "scale": lambda g: g * 1.01}


def mutant(rule: Any, change: Callable[[Any], Any]) -> Any:
    """A rule with a changed result that reads the same values."""
    return functools.wraps(rule)(lambda *args, **params: change(rule(*args, **params)))


def replace_rule(patch: pytest.MonkeyPatch, op: Op, i: int, change: Callable[[Any], Any]) -> None:
    rules = Each(mutant(op.vjps.rule, change)) if isinstance(op.vjps, Each) else list(op.vjps)
    if isinstance(rules, list):
        rules[i] = mutant(rules[i], change)
    patch.setitem(op.__dict__, "vjps", rules)
    patch.setitem(op.__dict__, "plans", {})


def caught(op: Op) -> bool:
    try:
        for seed in range(8):
            check_vjp(op, draw(op, seed, (2, 3)), seed)
    except AssertionError:
        return True
    return False


MUTANTS = [
    pytest.param(op, i, change, id=f"{op.name}-{i}-{name}")
    for op in RULES
    for i in range(1 if op.variadic else len(op.vjps))
    if op.vjps[i] is not None
    for name, change in MUTATIONS.items()
]


@pytest.mark.parametrize(("op", "i", "change"), MUTANTS)
def test_a_mutated_vjp_is_caught(op: Op, i: int, change: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not caught(op)
    replace_rule(monkeypatch, op, i, change)
    assert caught(op)


@pytest.mark.parametrize("op", [op for op in RULES if op.broadcasts and op.name != "where"], ids=lambda op: op.name)
def test_a_gradient_averaged_instead_of_summed_is_caught(op: Op, monkeypatch: pytest.MonkeyPatch) -> None:
    right = autodiff.unbroadcast
    wrong = lambda g, shape: right(g, shape) * (np.prod(shape) / np.prod(g.shape))
    monkeypatch.setattr(autodiff, "unbroadcast", wrong)
    assert caught(op)


def fails(check: Callable[..., None], op: Op) -> bool:
    try:
        for seed in range(8):
            check(op, seed, (2, 3))
    except AssertionError:
        return True
    return False


CURVED = [
    "mul",
    "div",
    "pow",
    "exp",
    "log",
    "sqrt",
    "tanh",
    "sigmoid",
    "matmul",
    "logsumexp",
    "softmax",
    "log_softmax",
]
LAWS: list[tuple[Callable[..., None], Callable[[Any], Any], list[str]]] = [
    (check_linear, lambda g: g * g, [op.name for op in RULES]),
    (check_recorded, lambda g: g * 1.01 if is_recording() else g, [op.name for op in RULES]),
    (check_second, lambda g: g * 1.01 if is_recording() else g, [*CURVED, "softmax_cross_entropy"]),
    (check_second, lambda g: g.detach() if isinstance(g, Tensor) else g, [*CURVED, "softmax_cross_entropy"]),
]


@pytest.mark.parametrize(
    ("check", "change", "name"),
    [
        pytest.param(check, change, name, id=f"{check.__name__}-{name}")
        for check, change, names in LAWS
        for name in names
    ],
)
def test_a_mutant_of_each_other_law_is_caught(
    check: Any, change: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    op = REGISTRY[name]
    if all(op.vjps[i] is None for i in range(len(op.inputs))):
        return
    assert not fails(check, op)
    last = 0 if op.variadic or op.saves else len(op.vjps) - 1
    replace_rule(monkeypatch, op, last, change)
    assert fails(check, op)


@every_op
def test_a_wrong_forward_pass_is_caught(op: Op, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*args: Any, **params: Any) -> Any:
        out = right(*args, **params)
        value = out[0] if op.saves else out
        value = ~value if value.dtype == np.bool_ else value * value.dtype.type(1.01)
        return (value, out[1]) if op.saves else value

    right = op.forward
    for seed in range(4):
        check_forward(op, draw(op, seed, (2, 3)), np.float64)
    monkeypatch.setitem(op.__dict__, "forward", wrong)
    with pytest.raises(AssertionError):
        for seed in range(4):
            check_forward(op, draw(op, seed, (2, 3)), np.float64)


def test_a_transposed_product_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    square = Case([np.array([[1.0, 2.0], [3.0, 5.0]]), np.array([[2.0, 0.5], [1.0, 4.0]])], {})
    matmul = REGISTRY["matmul"]
    check_vjp(matmul, square, 0)
    replace_rule(monkeypatch, matmul, 0, lambda g: g.T)
    with pytest.raises(AssertionError):
        check_vjp(matmul, square, 0)


def test_a_zero_gradient_of_a_tiny_function_is_caught() -> None:
    x = np.ones(3)
    assert_derivative(lambda x: 1e-9 * x * x, [x], [2e-9 * x], np.ones(3), [x])
    with pytest.raises(AssertionError):
        assert_derivative(lambda x: 1e-9 * x * x, [x], [0 * x], np.ones(3), [x])


# --- the walk itself --------------------------------------------------------------------------------------------------


def test_an_op_with_unknown_parameters_and_no_case_is_noticed() -> None:
    record = tl.op.REGISTRY["clip"]
    unknown = type("Unknown", (), {"name": "new", "signature": record.signature, "inputs": record.inputs})
    with pytest.raises(AssertionError, match="add an entry to CASES"):
        make_case(unknown, np.random.default_rng(0), (2,))  # type: ignore[arg-type]


def test_the_tables_name_no_op_that_does_not_exist() -> None:
    assert set(CASES) | set(DEFINITIONS) | set(KINKS_OF) <= set(REGISTRY)


def test_every_op_is_public_under_its_name() -> None:
    assert {tl.__dict__[name] for name in REGISTRY} == {op.face for op in ALL}
    assert set(REGISTRY) == set(tl.ops.__all__)


@every_op
def test_every_op_has_a_formula_that_takes_its_inputs_and_a_docstring(op: Op) -> None:
    names = dict.fromkeys(op.signature.parameters, "p")
    for formula in (op.text, op.latex):
        assert formula.format(*(["x"] * len(op.inputs)), **names)
    assert op.face.__doc__


@every_op
def test_the_shapes_of_the_drawn_cases_differ(op: Op) -> None:
    """The cases are no vacuous ones: values of both signs, and more than one shape."""
    drawn = [draw(op, seed, shape) for seed in range(12) for shape in [(), (1,), (3,), (2, 3), (4, 1, 2)]]
    assert len({tuple(np.shape(x) for x in case.inputs) for case in drawn}) >= 4
    low = min(
        (x.min(initial=0) for case in drawn for i in smooth(op, case)[:1] for x in [case.inputs[i]]),
        default=0,
    )
    assert low < 0 or op.domain[0] == POSITIVE


# --- kinks: decided, written down, tested at the kink -----------------------------------------------------------------

KINKS: list[tuple[str, Callable[..., Any], list[Any], list[Any]]] = [
    ("relu", tl.relu, [[-1.0, 0.0, -0.0, 2.0]], [[0.0, 0.0, 0.0, 1.0]]),
    ("step", tl.step, [[-1.0, 0.0, 2.0]], [[0.0, 0.0, 0.0]]),
    ("sign", tl.sign, [[-1.0, 0.0, 2.0]], [[0.0, 0.0, 0.0]]),
    ("abs", tl.abs, [[-1.0, 0.0, -0.0, 2.0]], [[-1.0, 0.0, 0.0, 1.0]]),
    ("maximum", tl.maximum, [[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]], [[0.0, 0.5, 1.0], [1.0, 0.5, 0.0]]),
    ("minimum", tl.minimum, [[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]], [[1.0, 0.5, 0.0], [0.0, 0.5, 1.0]]),
    ("maximum", lambda x: tl.maximum(x, x), [[1.0, 2.0]], [[1.0, 1.0]]),
    ("maximum", lambda x: tl.maximum(x, 0), [[-1.0, 0.0, 1.0]], [[0.0, 0.5, 1.0]]),
    ("max", tl.max, [[1.0, 3.0, 3.0, 3.0]], [[0.0, 1 / 3, 1 / 3, 1 / 3]]),
    ("min", tl.min, [[1.0, 3.0, 1.0, 3.0]], [[0.5, 0.0, 0.5, 0.0]]),
    ("max", lambda x: tl.max(x, axis=1), [[[2.0, 2.0], [1.0, 0.0]]], [[[0.5, 0.5], [1.0, 0.0]]]),
    (
        "max",
        lambda x: tl.max(x, axis=(0, 1), keepdims=True),
        [[[2.0, 2.0], [2.0, 2.0]]],
        [[[0.25, 0.25], [0.25, 0.25]]],
    ),
    ("clip", lambda x: tl.clip(x, 0, 1), [[-1.0, 0.0, 0.5, 1.0, 2.0]], [[0.0, 1.0, 1.0, 1.0, 0.0]]),
    ("clip", lambda x: tl.clip(x, 1, 0), [[-1.0, 0.0, 0.5, 1.0, 2.0]], [[0.0, 0.0, 0.0, 0.0, 0.0]]),
    ("pow", lambda x: x**2, [[-1.0, 0.0, 3.0]], [[-2.0, 0.0, 6.0]]),
    ("pow", lambda x: x**1, [[-1.0, 0.0, 3.0]], [[1.0, 1.0, 1.0]]),
    ("pow", lambda x: x**0, [[-1.0, 0.0, 3.0]], [[0.0, 0.0, 0.0]]),
    ("pow", lambda x: x**3, [[-1.0, 0.0, 3.0]], [[3.0, 0.0, 27.0]]),
    (
        "pow",
        tl.pow,
        [[0.0, 0.0, 0.0, 2.0], [0.0, 1.0, 2.0, 0.0]],
        [[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, np.log(2)]],
    ),
    ("pow", lambda y: tl.pow(0.0, y), [[0.0, 1.0, 2.0]], [[0.0, 0.0, 0.0]]),
    ("pow", lambda x: x ** np.array([0.0, 1.0, 2.0, 2.0]), [[0.0, 0.0, 0.0, -3.0]], [[0.0, 1.0, 0.0, -6.0]]),
    ("getitem", lambda x: x[[0, 0, 1]], [[5.0, 6.0, 7.0]], [[2.0, 1.0, 0.0]]),
    (
        "where",
        lambda x: tl.where(np.array([True, False, True]), x, 0),
        [2.0],
        [2.0],
    ),  # a peer forgets the sum
    ("where", lambda x: tl.where(x, x, -x), [[-2.0, 0.0, 2.0]], [[1.0, -1.0, 1.0]]),
]
KINKS_OF = {name for name, *_ in KINKS}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "f", "inputs", "expected"), KINKS, ids=[f"{k[0]}-{i}" for i, k in enumerate(KINKS)])
def test_the_derivative_at_a_kink_is_the_one_written_down(
    name: str, f: Any, inputs: Any, expected: Any, dtype: Any
) -> None:
    for create_graph in (False, True):
        xs = [Tensor(np.array(x, dtype), requires_grad=True) for x in inputs]
        found = gradients(f(*xs).sum(), xs, create_graph=create_graph)
        for g, e in zip(found, expected, strict=True):
            assert g.dtype == dtype
            np.testing.assert_allclose(g.numpy(), np.array(e, dtype), rtol=1e-6)


def test_every_convention_is_tested() -> None:
    assert {op.name for op in ALL if op.convention or op.kink} <= KINKS_OF


@every_op
def test_kink_is_zero_at_the_kink_and_only_there(op: Op) -> None:
    if op.kink is None:
        return
    for seed in range(6):
        case = draw(op, seed, (2, 3))
        assert np.all(np.asarray(op.kink(*case.inputs, **{**op.defaults, **case.params})) != 0)
    tied = [np.full((2, 3), 0.0) for _ in op.inputs]
    params = {"min": 0.0, "max": 1.0} if op.name == "clip" else op.defaults
    assert np.all(np.asarray(op.kink(*tied, **params)) == 0)


# --- extreme values ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "f",
    [tl.sigmoid, tl.tanh, tl.softmax, tl.log_softmax, tl.logsumexp, tl.relu, tl.abs],
    ids=lambda f: f.__name__,
)
def test_large_values_neither_overflow_nor_warn(f: Any, dtype: Any) -> None:
    x = Tensor(np.array([-1e4, -100, 0.5, 100, 1e4], dtype), requires_grad=True)
    y = f(x)
    assert np.isfinite(y.numpy()).all()
    assert np.isfinite(gradients(y.sum(), [x])[0].numpy()).all()
    (g,) = gradients(y.sum(), [x], create_graph=True)
    assert np.isfinite(g.numpy()).all()


def test_cross_entropy_of_certain_logits_is_finite() -> None:
    z = Tensor([[1e4, -1e4], [-1e4, 1e4]], requires_grad=True)
    loss = tl.softmax_cross_entropy(z, [1, 1])
    np.testing.assert_array_equal(loss.numpy(), [2e4, 0])
    np.testing.assert_array_equal(gradients(loss.sum(), [z])[0].numpy(), [[1, -1], [0, 0]])


@pytest.mark.parametrize("f", [tl.exp, tl.tanh, tl.relu, tl.sigmoid, tl.abs, tl.sqrt, tl.log], ids=lambda f: f.__name__)
def test_nan_stays_nan(f: Any) -> None:
    assert np.isnan(f(np.array([np.nan, 1.0])).numpy()[0])


def test_nan_passes_max_and_minimum_as_in_numpy() -> None:
    x = Tensor([np.nan, 1.0])
    assert np.isnan(x.max().item())
    assert np.isnan(tl.maximum(x, 0).numpy()[0])
    assert np.isnan(tl.minimum(0, x).numpy()[0])


def test_logsumexp_of_minus_infinity_is_minus_infinity() -> None:
    assert tl.logsumexp(np.array([-np.inf, -np.inf])).item() == -np.inf
    assert tl.logsumexp(np.array([-np.inf, 1.0])).item() == 1.0


def test_log_softmax_equals_log_of_softmax_where_that_is_finite() -> None:
    z = np.random.default_rng(0).standard_normal((3, 4))
    for axis in (0, 1, -1, None):
        np.testing.assert_allclose(tl.log_softmax(z, axis).numpy(), tl.log(tl.softmax(z, axis)).numpy(), atol=1e-14)
        np.testing.assert_allclose(tl.softmax(z, axis).sum(axis).numpy(), 1, rtol=1e-14)


# --- what a rule reads: memory ----------------------------------------------------------------------------------------


def poisoned(x: Any) -> Any:
    """Other values in the same shape: NaN for floats, the other choice for conditions and labels."""
    return np.full_like(x, np.nan) if x.dtype.kind == "f" else ~x if x.dtype.kind == "b" else 1 - np.minimum(x, 1)


def check_reads(op: Op) -> None:
    """What is read and kept changes the gradient; what is not read is kept by no node (only its shape is)."""
    checked: dict[tuple[int, int], bool] = {}
    for seed in range(8):
        case = draw(op, seed, (2, 3))
        if op.name == "pow":
            case.inputs[0][...] = 0  # where the rule of the exponent looks at the exponent
        count = len(case.inputs)
        for i in smooth(op, case):
            if op.vjps[i] is None:
                continue
            drop, keep_out = op.plan(1 << i, count)
            xs = [Tensor(x, requires_grad=j == i) for j, x in enumerate(case.inputs)]
            y = call(op, [x * 1 if x.requires_grad else x for x in xs], case.params)
            assert y._node is not None
            weight = np.ones(y.shape)
            right = gradients(y, [xs[i]], gradient=weight)[0].numpy().copy()
            kept = [j for j in range(count) if j not in drop]
            assert all(not isinstance(y._node.values[j], np.ndarray) for j in drop if y._node.sources[j] is not None)
            assert (y._node.out is not None) == keep_out
            reads = [(j, y._node.values) for j in kept] + ([(-1, None)] if keep_out else [])
            for j, values in reads:
                if op.saves:
                    continue  # the by-product spares the rule what the recorded one will read
                if values is None:
                    y._node.out, before = poisoned(y._node.out), y._node.out
                else:
                    values, before = list(y._node.values), y._node.values
                    values[j] = poisoned(values[j])
                    y._node.values = values
                wrong = gradients(y, [xs[i]], gradient=weight)[0].numpy()
                checked[i, j] = checked.get((i, j), False) or not np.array_equal(wrong, right)
                if j == -1:
                    y._node.out = before
                else:
                    y._node.values = before
    assert all(checked.values()), f"{op.name}: a rule keeps a value it does not read: {checked}"


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@every_rule
def test_a_rule_marks_as_read_just_what_it_reads(op: Op) -> None:
    check_reads(op)


def test_a_rule_that_keeps_what_it_does_not_read_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    op = REGISTRY["exp"]
    monkeypatch.setitem(op.__dict__, "plans", {})
    monkeypatch.setitem(op.__dict__, "vjps", [lambda g, out, x: g * out])
    with pytest.raises(AssertionError, match="does not read"):
        check_reads(op)


def test_a_rule_that_reads_what_it_says_it_does_not_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    op = REGISTRY["log"]
    monkeypatch.setitem(op.__dict__, "plans", {})
    monkeypatch.setitem(op.__dict__, "vjps", [lambda g, _out, _x: g / _x])
    x = Tensor([1.0], requires_grad=True)
    with pytest.raises((TypeError, AttributeError)):
        gradients(op(x * 1).sum(), [x])


# --- shapes and arguments that do not fit -----------------------------------------------------------------------------

REFUSED: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: Tensor([1.0, 2.0], name="a") + Tensor([1.0, 2.0, 3.0], name="b"), ValueError, r"a \(2,\), b \(3,\)"),
    (lambda: Tensor(np.ones((2, 3)), name="W") @ np.ones((2, 4)), ValueError, r"W \(2×3\), .*\(2×4\).*W\.T @ b"),
    (lambda: Tensor(np.ones((2, 3))) + np.ones((3, 2)), ValueError, r"an array \(3×2\)"),
    (lambda: tl.relu(None), TypeError, "relu .* not NoneType"),
    (lambda: Tensor([1.0]) + "a", TypeError, "add takes tensors, arrays and numbers, not str"),
    (lambda: Tensor([1.0]) * {}, TypeError, "mul .* not dict"),
    (lambda: Tensor([1.0]) * 1j, TypeError, "complex"),
    (lambda: tl.sum(np.ones((2, 3)), axis=2), IndexError, "sum.*2×3.*axis"),
    (lambda: tl.sum(np.ones((2, 3)), axes=1), TypeError, "axes"),
    (lambda: tl.sum(np.ones((2, 3)), 0, axis=0), TypeError, "axis"),
    (lambda: tl.max(np.ones((0, 3)), axis=0), ValueError, "max.*0×3"),
    (lambda: tl.add(1), TypeError, "b"),
    (lambda: tl.add(1, 2, 3), TypeError, "argument"),
    (lambda: tl.reshape(np.ones(3)), TypeError, "shape"),
    (lambda: tl.reshape(np.ones(3), (2, 2)), ValueError, r"reshape.*\(3,\)"),
    (lambda: tl.broadcast_to(np.ones(3), (2, 2)), ValueError, "broadcast_to"),
    (lambda: tl.clip(np.ones(3)), ValueError, "min, max"),
    (lambda: tl.where(np.ones(3)), TypeError, "x"),
    (lambda: tl.concatenate([]), ValueError, "at least one"),
    (lambda: tl.concatenate([np.ones((2, 1)), np.ones((3, 2))], axis=1), ValueError, "concatenate.*2×1.*3×2"),
    (lambda: tl.stack([np.ones(2), np.ones(3)]), ValueError, r"stack.*\(2,\).*\(3,\)"),
    (lambda: tl.transpose(np.ones((2, 3)), (0, 0)), ValueError, "transpose"),
    (lambda: tl.softmax_cross_entropy(np.ones((2, 3)), np.array([0, 3])), IndexError, "0 to 3.*0 to 2"),
    (lambda: tl.softmax_cross_entropy(np.ones((2, 3)), np.array([-1, 0])), IndexError, "-1"),
    (lambda: tl.softmax_cross_entropy(np.ones((2, 3)), np.array([0.0, 1.0])), ValueError, "integers of shape"),
    (lambda: tl.softmax_cross_entropy(np.ones((2, 3)), np.array([0, 1, 2])), ValueError, "labels"),
    (lambda: tl.softmax_cross_entropy(np.ones((2, 3)), np.ones((3, 2))), ValueError, "labels"),
    (lambda: Tensor([1.0, 2.0])[2], IndexError, r"getitem.*\(2,\)"),
    (lambda: Tensor([1.0, 2.0])["a"], IndexError, "getitem"),
    (lambda: Tensor([1.0, 2.0])[1.0], IndexError, "getitem"),
    (lambda: Tensor([[1.0]]) @ Tensor(2.0), ValueError, "matmul.*scalar"),
]  # fmt: skip


@pytest.mark.parametrize(("attempt", "error", "message"), REFUSED, ids=[f"{i}" for i in range(len(REFUSED))])
def test_what_does_not_fit_is_refused_with_names_and_shapes(attempt: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        attempt()


def test_arguments_may_be_given_by_keyword() -> None:
    x = np.ones((2, 3))
    assert tl.sum(x=x, axis=1).shape == (2,)
    assert tl.sum(x, 1, True).shape == (2, 1)
    assert tl.add(a=1.0, b=x).shape == (2, 3)
    assert tl.where(condition=x > 0, x=x, y=0).shape == (2, 3)
    assert tl.stack(axis=1, arrays=[x, x]).shape == (2, 2, 3)
    assert tl.concatenate(part for part in (x, x)).shape == (4, 3)
    assert tl.reshape(x, shape=-1).shape == (6,)
    assert tl.getitem(x, index=0).shape == (3,)


def test_lists_are_arrays() -> None:
    x = Tensor([1.0, 2.0])
    np.testing.assert_array_equal((x - [1.0, 2.0]).numpy(), [0, 0])
    np.testing.assert_array_equal(([1.0, 2.0] * x).numpy(), [1, 4])
    np.testing.assert_array_equal(([[1.0, 2.0]] @ x).numpy(), [5])
    assert (x - [1.0, 2.0]).dtype == np.float32


def test_gradient_dtype_is_that_of_the_input_where_dtypes_mix() -> None:
    x, y = Tensor(np.ones(3, np.float32), requires_grad=True), Tensor(np.ones(3), requires_grad=True)
    out = (x * y).sum()
    assert out.dtype == np.float64
    assert [g.dtype for g in gradients(out, [x, y])] == [np.float32, np.float64]
    assert [g.dtype for g in gradients(out, [x, y], create_graph=True)] == [np.float32, np.float64]
    (g,) = gradients(x.astype(np.float64).sum(), [x])
    assert g.dtype == np.float32


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble, np.dtype(">f4"), np.dtype(">f8")], ids=str)
def test_other_float_dtypes_are_kept(dtype: Any) -> None:
    x = Tensor(np.array([1.0, 2.0], dtype), requires_grad=True)
    (g,) = gradients((x * x + tl.exp(x)).sum(), [x])
    assert g.dtype.newbyteorder("=") == np.dtype(dtype).newbyteorder("=")


def test_no_gradient_flows_through_integers_and_booleans() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    assert not (x > 1).requires_grad
    assert not x.astype(np.int64).requires_grad
    assert not (x == x).requires_grad


# --- open bugs --------------------------------------------------------------------------------------------------------


def test_axes_that_change_later_do_not_turn_the_gradient() -> None:
    axes, weight = [1, 2, 0], np.arange(8.0).reshape(2, 2, 2)
    x = Tensor(weight, requires_grad=True)
    y = tl.transpose(x, axes)
    axes.reverse()
    np.testing.assert_array_equal(gradients(y, [x], gradient=weight)[0].numpy(), weight.transpose(2, 0, 1))


def test_broadcast_to_refuses_negative_sizes() -> None:
    with pytest.raises(ValueError, match="broadcast_to"):
        tl.broadcast_to(Tensor(1.0), (-1,))


def test_broadcast_to_accepts_numpys_integers() -> None:
    assert tl.broadcast_to(Tensor(1.0), np.int64(3)).shape == (3,)
