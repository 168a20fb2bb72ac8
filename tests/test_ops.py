"""Laws that every op obeys, checked by a walk over the registry: an op without a case here fails these tests.

The laws are those of `tinygrad_lite/numeric/laws.py`, which users have too; `tests/cases/` says what the record of an op
does not tell.  Beside each law stand the mutants that it must catch.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_lite as tl
from tinygrad_lite import Tensor, autodiff, gradients
from tinygrad_lite.numeric import laws
from tinygrad_lite.numeric.laws import Case, Shape, call, check_vjp, draw, kink_of, smooth
from tinygrad_lite.numeric.slope import assert_derivative
from tinygrad_lite.op import POSITIVE, REGISTRY, Each, Op, check_rules
from tinygrad_lite.recording import is_recording

from .cases import CASES, DEFINITIONS, KINK_AT, KINKS, RESULTS, case_of, elementwise, matrix

shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
cases = {"seed": st.integers(0, 10**6), "shape": shapes}
scales = st.sampled_from([1e-3, 1.0, 10.0])
ALL = list(REGISTRY.values())
RULES = [op for op in ALL if op.vjps]
SMOOTH = [op for op in ALL if op.vjps or op.composed]
every_op = pytest.mark.parametrize("op", ALL, ids=lambda op: op.name)
every_rule = pytest.mark.parametrize("op", RULES, ids=lambda op: op.name)
every_smooth = pytest.mark.parametrize("op", SMOOTH, ids=lambda op: op.name)
few = settings(max_examples=20)


# --- forward ----------------------------------------------------------------------------------------------------------


def reference(op: Op, case: Case) -> Any:
    """What the op should give, by the NumPy function of its record or by a definition; several results joined."""
    f = DEFINITIONS.get(op.name) or op.numpy
    assert f is not None, f"{op.name} has no NumPy function: add an entry to DEFINITIONS"
    inputs = [x.astype(np.float64) if x.dtype.kind == "f" else x for x in case.inputs]
    out = f(inputs, **case.params) if op.variadic else f(*inputs, **case.params)
    return np.concatenate([np.ravel(part) for part in out]) if isinstance(out, tuple | list) else np.asarray(out)


def check_forward(op: Op, seed: int, shape: Shape, scale: float, dtype: Any) -> None:
    case = draw(op, case_of(op), seed, shape, scale, dtype)
    expected = reference(op, case)
    out = call(op, case.inputs, case.params)
    assert isinstance(out, Tensor)
    assert out.shape == expected.shape
    assert out.dtype == RESULTS.get(op.name, dtype)
    bound = 40 * np.finfo(dtype).eps
    size = max(1.0, *(np.abs(x).max(initial=0.0) for x in [expected, *(case.inputs[i] for i in smooth(case))]))
    np.testing.assert_allclose(out.numpy(), expected, rtol=bound, atol=bound * size)


@every_op
@given(**cases, scale=scales)
@example(seed=0, shape=(), scale=1.0)
@example(seed=0, shape=(0, 2), scale=1.0)
@settings(max_examples=30)
def test_forward_equals_the_numpy_function_and_keeps_the_dtype(op: Op, seed: int, shape: Shape, scale: float) -> None:
    check_forward(op, seed, shape, scale, np.float64)
    check_forward(op, seed, shape, scale, np.float32)


@every_op
def test_forward_accepts_any_memory_layout(op: Op) -> None:
    case = draw(op, case_of(op), 1, (3, 4))
    for layout in (
        np.asfortranarray,
        lambda a: a.repeat(2, axis=0)[::2] if a.ndim else a,
        lambda a: np.flip(np.flip(a)),
    ):
        inputs = [layout(x) for x in case.inputs]
        np.testing.assert_allclose(  # sums are taken in another order
            call(op, [Tensor(x) for x in inputs], case.params).numpy(),
            call(op, case.inputs, case.params).numpy(),
            rtol=1e-14,
            atol=1e-14,
        )


OF_FLOATS = [op for op in ALL if op.name not in (*matrix.CASES, *elementwise.BITS)]
BINARY = [
    op
    for op in OF_FLOATS
    if op.broadcasts and len(op.inputs) == len(op.signature.parameters) == 2 and op.name != "matmul"
]


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


@pytest.mark.parametrize("op", [op for op in OF_FLOATS if len(op.signature.parameters) == 1], ids=lambda op: op.name)
def test_one_float_alone_gives_float32(op: Op) -> None:
    if not op.variadic:
        x = 1.5 if op.domain[0].low >= 1 else 0.5
        assert op(x).dtype == np.float32
        assert op([x, x + 0.25]).dtype == np.float32


# --- derivatives ------------------------------------------------------------------------------------------------------


@every_smooth
@given(**cases, scale=scales)
@example(seed=0, shape=(), scale=1.0)
@example(seed=0, shape=(1, 1, 1), scale=1.0)
@example(seed=3, shape=(3, 0, 2), scale=1.0)
@settings(max_examples=30)
def test_vjp_equals_the_numerical_derivative(op: Op, seed: int, shape: Shape, scale: float) -> None:
    check_vjp(op, case_of(op), seed, shape, scale)


@every_smooth
@pytest.mark.parametrize("law", laws.LAWS[1:], ids=lambda f: f.__name__)
@given(**cases)
@few
def test_laws_of_the_derivatives(law: Any, op: Op, seed: int, shape: Shape) -> None:
    law(op, case_of(op), seed, shape)


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
            check_vjp(op, case_of(op), seed, (2, 3))
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


@pytest.mark.parametrize(
    "op", [op for op in RULES if op.broadcasts and any(op.vjps) and op.name != "where"], ids=lambda op: op.name
)
def test_a_gradient_averaged_instead_of_summed_is_caught(op: Op, monkeypatch: pytest.MonkeyPatch) -> None:
    right = autodiff.unbroadcast
    wrong = lambda g, shape: right(g, shape) * (np.prod(shape) / np.prod(g.shape))
    monkeypatch.setattr(autodiff, "unbroadcast", wrong)
    assert caught(op)


def fails(check: Callable[..., None], op: Op) -> bool:
    try:
        for seed in range(8):
            check(op, case_of(op), seed, (2, 3))
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
    "sin",
    "tan",
    "asin",
    "acosh",
    "erf",
    "rsqrt",
    "gelu",
    "silu",
    "mish",
    "softplus",
    "atan2",
    "logaddexp",
    "prod",
    "cumprod",
    "var",
    "std",
    "norm",
]
LAWS: list[tuple[Callable[..., None], Callable[[Any], Any], list[str]]] = [
    (laws.check_linear, lambda g: g * g, [op.name for op in RULES]),
    (laws.check_recorded, lambda g: g * 1.01 if is_recording() else g, [op.name for op in RULES]),
    (laws.check_jvp, lambda g: g * 1.01 if is_recording() else g, [op.name for op in RULES]),
    (laws.check_second, lambda g: g * 1.01 if is_recording() else g, [*CURVED, "softmax_cross_entropy"]),
    (laws.check_second, lambda g: g.detach() if isinstance(g, Tensor) else g, [*CURVED, "softmax_cross_entropy"]),
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
    last = 0 if op.variadic or op.saves else max(i for i, rule in enumerate(op.vjps) if rule is not None)
    replace_rule(monkeypatch, op, last, change)
    assert fails(check, op)


@every_op
def test_a_wrong_forward_pass_is_caught(op: Op, monkeypatch: pytest.MonkeyPatch) -> None:
    def changed(value: Any) -> Any:
        if isinstance(value, Tensor):
            return Tensor(changed(value.numpy()))
        return (
            ~value
            if value.dtype == np.bool_
            else value + 1
            if value.dtype.kind in "iu"
            else value * value.dtype.type(1.01)
        )

    def wrong(*args: Any, **params: Any) -> Any:
        out = right(*args, **params)
        if op.saves:
            return (changed(out[0]), out[1])
        return [changed(part) for part in out] if isinstance(out, tuple | list) else changed(out)

    name = "face" if op.composed else "forward"  # the face of a composed op calls no forward pass of the record
    right = getattr(op, name)
    for seed in range(4):
        check_forward(op, seed, (2, 3), 1.0, np.float64)
    monkeypatch.setitem(op.__dict__, name, wrong)
    with pytest.raises(AssertionError):
        for seed in range(4):
            check_forward(op, seed, (2, 3), 1.0, np.float64)


def test_a_transposed_product_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    square = lambda rng, shape: Case([(2, 2), (2, 2)], {})
    matmul = REGISTRY["matmul"]
    check_vjp(matmul, square, 0, ())
    replace_rule(monkeypatch, matmul, 0, lambda g: g.T)
    with pytest.raises(AssertionError):
        check_vjp(matmul, square, 0, ())


def test_a_zero_gradient_of_a_tiny_function_is_caught() -> None:
    x = np.ones(3)
    assert_derivative(lambda x: 1e-9 * x * x, [x], [2e-9 * x], np.ones(3), [x])
    with pytest.raises(AssertionError):
        assert_derivative(lambda x: 1e-9 * x * x, [x], [0 * x], np.ones(3), [x])


# --- the walk itself --------------------------------------------------------------------------------------------------


def test_an_op_with_unknown_parameters_and_no_case_is_noticed() -> None:
    with pytest.raises(ValueError, match=r"\['index'\] of the op getitem: give one"):
        laws.default_case(REGISTRY["getitem"], np.random.default_rng(0), (2,))


def test_the_tables_name_no_op_that_does_not_exist() -> None:
    assert set(CASES) | set(DEFINITIONS) | set(RESULTS) | set(KINK_AT) | KINKS_OF <= set(REGISTRY)


def test_every_op_is_public_under_its_name() -> None:
    assert {tl.__dict__[name] for name in REGISTRY} == {op.face for op in ALL}


@pytest.mark.parametrize("op", [op for op in ALL if not op.composed], ids=lambda op: op.name)
def test_every_op_has_a_formula_that_takes_its_inputs_and_a_docstring(op: Op) -> None:
    names = dict.fromkeys(op.signature.parameters, "p")
    for formula in (op.text, op.latex):
        assert formula.format(*(["x"] * len(op.inputs)), **names)
    assert op.face.__doc__


@every_op
def test_every_rule_takes_what_it_will_be_given(op: Op) -> None:
    check_rules(op)


@every_op
def test_the_shapes_of_the_drawn_cases_differ(op: Op) -> None:
    """The cases are no vacuous ones: values of both signs, and more than one shape."""
    drawn = [draw(op, case_of(op), seed, shape) for seed in range(12) for shape in [(), (1,), (3,), (2, 3), (4, 1, 2)]]
    assert len({tuple(np.shape(x) for x in case.inputs) for case in drawn}) >= 4
    low = min(
        (x.min(initial=0) for case in drawn for i in smooth(case)[:1] for x in [case.inputs[i]]),
        default=0,
    )
    assert low < 0 or op.domain[0].low >= 0 or not any(smooth(case) for case in drawn)


# --- kinks: decided, written down, tested at the kink -----------------------------------------------------------------

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
        assert np.all(kink_of(op, draw(op, case_of(op), seed, (2, 3))) != 0)
    assert np.all(kink_of(op, KINK_AT.get(op.name) or Case([np.zeros((2, 3)) for _ in op.inputs], {})) == 0)


# --- extreme values ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "f",
    [
        tl.sigmoid,
        tl.tanh,
        tl.softmax,
        tl.log_softmax,
        tl.logsumexp,
        tl.relu,
        tl.abs,
        tl.gelu,
        tl.silu,
        tl.mish,
        tl.softplus,
        tl.logsigmoid,
        tl.elu,
        tl.erf,
    ],
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
        case = draw(op, case_of(op), seed, (2, 3))
        if op.name == "pow":
            case.inputs[0][...] = 0  # where the rule of the exponent looks at the exponent
        count = len(case.inputs)
        for i in smooth(case):
            if op.vjps[i] is None:
                continue
            drop, keep_out = op.plan(1 << i, count)
            xs = [Tensor(x, requires_grad=j == i) for j, x in enumerate(case.inputs)]
            y = call(op, [x * 1 if x.requires_grad else x for x in xs], case.params)
            assert y._node is not None
            weight = np.ones(y.shape)
            right = gradients(y, [xs[i]], gradient=weight)[0].numpy().copy()
            kept = [j for j in range(count) if j not in drop]
            interior = [j for j in drop if (source := y._node.sources[j]) is not None and source.op is not None]
            assert not any(isinstance(y._node.values[j], np.ndarray) for j in interior)
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
    (lambda: tl.take(np.ones(3), [True]), TypeError, "integers"),
    (lambda: tl.gather(np.ones((2, 3)), 1, [0]), ValueError, "axes"),
    (lambda: tl.scatter(Tensor([1.0, 2.0]), [0], (3,)), ValueError, "picks elements"),
    (lambda: tl.one_hot([0, 3], 3), IndexError, "0 to 3.*0 to 2"),
    (lambda: tl.pad(np.ones(3), -1), ValueError, "slice"),
    (lambda: tl.split(np.ones((2, 3)), 3), ValueError, "does not divide"),
    (lambda: tl.einsum("ij,jk", np.ones((2, 3)), np.ones((2, 3))), ValueError, "'j' cannot run over .* 3 and 2"),
    (lambda: tl.conv2d(np.ones((1, 2, 5, 5)), np.ones((4, 3, 3, 3))), ValueError, "2 channels.* takes 3"),
    (lambda: tl.conv2d(np.ones((1, 2, 2, 5)), np.ones((4, 2, 3, 3))), ValueError, "does not fit"),
    (lambda: tl.mse(np.ones((3, 1)), np.ones(3)), ValueError, r"3×1.*\(3,\)"),
    (lambda: tl.pad(np.ones(3), 1, value=(8, 9)), ValueError, "pad.*one number"),
    (lambda: tl.nll(np.ones((1, 2)), [0], axis=7), IndexError, "nll: axis: axis 7"),
    (lambda: tl.layer_norm(np.ones((2, 2)), axis=5), IndexError, "layer_norm: .*axis 5 is out of bounds"),
    (lambda: tl.topk(np.ones(3), 1.5), TypeError, "topk: 'float'"),
    (lambda: tl.scatter_add(np.ones((1, 2)), 3, [[0]], [[1.0]]), IndexError, "scatter_add: axis 3"),
    (lambda: Tensor(np.array([1], np.int8)) + 300, OverflowError, r"add\(a tensor \(1,\), 300\): .* int8"),
    (lambda: tl.masked(np.ones(3), np.ones(1) > 0), ValueError, "masked.*shape of x"),
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


def test_masks_combine_and_choose() -> None:
    x = Tensor([-1.0, 0.5, 2.0], requires_grad=True)
    inside = (x > 0) & (x < 1)
    assert [m.numpy().tolist() for m in (inside, ~inside, inside | (x > 1), inside ^ True)] == [
        [False, True, False], [True, False, True], [False, True, True], [True, False, True]
    ]  # fmt: skip
    assert gradients(tl.where(inside, x * x, 0).sum(), [x])[0].numpy().tolist() == [0, 1, 0]
    assert np.bitwise_and(inside, [True, True, True]).dtype == np.bool_
    bits = Tensor(np.array([6, 3]))
    assert [(y & 2).numpy().tolist() for y in (bits, 5 | bits, bits ^ bits, ~bits)] == [[2, 2], [2, 2], [0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("attempt", "written"),
    [
        (lambda x, far: tl.gather(x, 0, far[:, None]), "index=an array (400×1)"),
        (lambda x, far: x[:, far], "index=(slice(None, None, None), an array (400,))"),
        (lambda x, far: x[(far,)], "index=(an array (400,),)"),
        (lambda x, _far: np.einsum(x, (0, 1), (1, 0)), "subscripts=a tensor (4×3)"),
    ],
)
def test_messages_write_arrays_among_the_parameters_by_their_shapes(attempt: Any, written: str) -> None:
    with pytest.raises((IndexError, TypeError)) as refusal:
        attempt(Tensor(np.ones((4, 3)), requires_grad=True), np.full(400, 9))
    assert written in str(refusal.value)
    assert len(str(refusal.value)) < 200


@pytest.mark.parametrize("attempt", [lambda x: x & x, lambda x: x | 1, lambda x: 0.5 ^ (x > 0), lambda x: ~x])
def test_floats_have_no_bits_and_the_message_says_how_masks_are_made(attempt: Any) -> None:
    with pytest.raises(TypeError, match=r"bitwise_.*\(x > 0\) & \(x < 1\)"):
        attempt(Tensor([0.5, 1.5]))


def test_no_gradient_flows_through_integers_and_booleans() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    assert not (x > 1).requires_grad
    assert not x.astype(np.int64).requires_grad
    assert not (x == x).requires_grad


# --- open bugs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 600])
@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (tl.relu, [0, 0, np.inf, np.inf]),
        (tl.relu6, [0, 0, np.inf, 0]),
        (tl.hardtanh, [0, np.inf, np.inf, 0]),
        (lambda x: tl.max_pool2d(tl.reshape(x, (1, -1, 4)), (1, 4)), [0, 0, 0, np.inf]),
        (lambda x: tl.masked(x, x > 0), [0, 0, np.inf, np.inf]),
    ],
    ids=["relu", "relu6", "hardtanh", "max_pool2d", "masked"],
)
def test_what_was_not_selected_gets_no_share_of_an_infinite_gradient(
    f: Any, expected: Any, create_graph: bool, size: int
) -> None:
    for dtype in (np.float16, np.float32, np.float64, np.longdouble):
        x = Tensor(np.tile([-2, 0, 0.5, 7], size).astype(dtype), requires_grad=True)
        y = f(x)
        (g,) = gradients(y, [x], np.full(y.shape, np.inf), create_graph=create_graph)
        np.testing.assert_array_equal(g.numpy(), np.tile(expected, size))


def test_the_recorded_derivative_of_relu_is_written_with_its_name() -> None:
    x = Tensor([-1.0, 2.0], requires_grad=True, name="x")
    (g,) = gradients(tl.relu(x) * 3.0, [x], np.ones(2), create_graph=True)
    assert "ReLU&#x27;(x)" in (dot := tl.draw(g).dot) or "ReLU'(x)" in dot


@pytest.mark.parametrize(
    "f",
    [
        tl.standardize,
        lambda x: tl.layer_norm(x, weight=[1, 2] * 512),
        lambda x: tl.batch_norm(tl.reshape(x, (512, 2, 4))),
        tl.var,
    ],
    ids=["standardize", "layer_norm", "batch_norm", "var"],
)
def test_half_precision_is_summed_in_single(f: Any) -> None:
    rng = np.random.default_rng(0)
    values, found = (30 + 50 * rng.standard_normal((4, 1024))).astype(np.float16), []
    for dtype, create_graph in [(np.float16, False), (np.float16, True), (np.float64, False)]:
        x = Tensor(values.astype(dtype), requires_grad=True)
        y = f(x)
        weight = np.random.default_rng(1).standard_normal(y.shape).astype(np.float16)
        (g,) = gradients(y, [x], weight, create_graph=create_graph)
        assert y.dtype == g.dtype == dtype
        found.append((y.numpy(), g.numpy()))
    for y, g in found[:2]:
        np.testing.assert_allclose(y, found[2][0], rtol=2e-3, atol=2e-3)
        np.testing.assert_allclose(g, found[2][1], rtol=2e-3, atol=3e-3 * np.abs(g).max())


@pytest.mark.parametrize(("scale", "bound"), [(1e25, 1e-6), (1e-25, 1e-6)])
def test_the_deviation_neither_overflows_nor_vanishes(scale: float, bound: float) -> None:
    x = Tensor(np.array([1.0, 2.0, 3.0], np.float32) * np.float32(scale), requires_grad=True)
    y = tl.std(x)
    assert y.item() == pytest.approx(scale * np.sqrt(2 / 3), rel=bound)
    np.testing.assert_allclose(gradients(y, [x])[0].numpy(), np.array([-1, 0, 1]) / np.sqrt(6), atol=bound)


@pytest.mark.parametrize("scale", [1.8e19, 3e37])
def test_the_variance_overflows_only_where_it_is_too_large_itself(scale: float) -> None:
    shape = np.array([1.0, -1.0, 1.0, 0.5, 1.0], np.float32) * (1 if scale < 1e20 else 1e-19) + (scale > 1e20) * 10
    x = Tensor(shape * np.float32(scale), requires_grad=True)
    exact = x.numpy().astype(np.float64)
    np.testing.assert_allclose(tl.var(x).numpy(), np.var(exact), rtol=1e-6)
    np.testing.assert_allclose(gradients(tl.var(x), [x])[0].numpy(), 2 / 5 * (exact - exact.mean()), atol=1e-6 * scale)
    with pytest.warns(RuntimeWarning, match="overflow"):
        assert tl.var(Tensor([1e38, -1e38])).item() == np.inf


@pytest.mark.parametrize("apart", [10.0, 40.0, 400.0])
def test_the_hessian_of_logaddexp_keeps_all_its_rows(apart: float) -> None:
    small = np.exp(-apart) / (1 + np.exp(-apart)) ** 2
    for at in ([0.0, apart], [apart, 0.0]):
        found = tl.hessian(lambda x: tl.logaddexp(x[0], x[1]))(np.array(at)).numpy()
        np.testing.assert_allclose(found, [[small, -small], [-small, small]], rtol=1e-12)


@pytest.mark.parametrize("f", [tl.argsort, tl.sort, lambda x: tl.topk(x, 1)])
def test_a_scalar_has_no_order(f: Any) -> None:
    with pytest.raises(ValueError, match="a scalar has no order"):
        f(Tensor(1.0))


@pytest.mark.parametrize(
    ("f", "x", "second"),
    [
        (tl.asin, 1e-6, 1e-6),
        (tl.acos, 1e-6, -1e-6),
        (tl.atanh, 1e-6, 2e-6),
        (tl.acosh, 1e3, -1e-6),
        (tl.logsigmoid, -18.0, -1.5229979e-8),
        (tl.logsigmoid, 18.0, -1.5229979e-8),
        (tl.gelu, -6.0, -2.0658002e-7),
        (lambda x: tl.gelu(x, "tanh"), -6.0, -6.824247e-9),
    ],
)
def test_second_derivatives_do_not_cancel(f: Any, x: float, second: float) -> None:
    t = Tensor(x, requires_grad=True)
    (first,) = gradients(f(t), [t], create_graph=True)
    assert first.item() == pytest.approx(gradients(f(t), [t])[0].item(), rel=1e-6)
    assert gradients(first, [t])[0].item() == pytest.approx(second, rel=1e-4)


def test_an_axis_of_length_0_has_a_softmax() -> None:
    x = Tensor(np.ones((3, 0), np.float32), requires_grad=True)
    assert tl.softmax(x).shape == tl.log_softmax(x, axis=1).shape == (3, 0)
    np.testing.assert_array_equal(tl.logsumexp(x, axis=1).numpy(), -np.inf)
    for keys, width in ((0, 4), (5, 0)):
        y = tl.scaled_dot_product_attention(np.ones((3, width)), np.ones((keys, width)), np.ones((keys, 6)))
        np.testing.assert_array_equal(y.numpy(), np.full((3, 6), float(keys > 0)))


@pytest.mark.parametrize("f", [tl.mse, tl.l1, tl.huber, tl.kl_div], ids=lambda f: f.__name__)
def test_integer_targets_do_not_promote(f: Any) -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    assert f(x, np.array([1, 2])).dtype == f(x, [1, 2]).dtype == np.float32
    assert f(np.array([1, 2]), x).dtype == np.float32


def test_booleans_pool_as_numbers_do() -> None:
    x = np.random.default_rng(0).random((2, 3, 6, 6)) < 0.3
    np.testing.assert_array_equal(
        tl.max_pool2d(x, 3, 2, 1).numpy(), tl.max_pool2d(x.astype(np.float32), 3, 2, 1).numpy() > 0
    )


# --- ops of the user that are not right -------------------------------------------------------------------------------


def make(forward: Any, *rules: Any, name: str = "mine", **fields: Any) -> Any:
    forward.__name__ = name
    return tl.op.op(*rules, **fields)(forward)


@pytest.fixture
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinygrad_lite.op.REGISTRY", dict(REGISTRY))
    monkeypatch.setattr("tinygrad_lite.op.ANSWERS", dict(tl.op.ANSWERS))
    monkeypatch.setattr(Tensor, "mine", None, raising=False)
    monkeypatch.delattr(Tensor, "mine")


rule = lambda g, _out, x: g


@pytest.mark.usefixtures("forget")
@pytest.mark.parametrize(
    ("attempt", "error", "message"),
    [
        (lambda: make(lambda x: x, rule, name="relu"), ValueError, "relu.*another name"),
        (lambda: make(lambda x: x, rule, name="shape"), ValueError, "shape.*another name"),
        (lambda: make(lambda x: x, rule, numpy=np.sin), ValueError, "mine: np.sin is answered by sin"),
        (lambda: make(lambda x: x, rule, rule), TypeError, r"mine\(x\) has 2 rules"),
        (
            lambda: make(lambda x: x, lambda g, x: g),
            TypeError,
            r"mine: a rule is called as rule\(g, out, x\): too many",
        ),
        (lambda: make(lambda x, k: x, rule), TypeError, r"rule\(g, out, x, k\): got an unexpected .*'k'"),
        (lambda: make(lambda x: (x, x), rule, saves=True), TypeError, "'saved'"),
        (lambda: make(lambda x: x, rule, domain=3.0), TypeError, "mine: domain=3.0 must be a Domain"),
        (lambda: make(lambda x: x, rule, domain=(0.1, 3)), TypeError, r"mine: .*write domain=Domain\(low=0.0\)"),
        (
            lambda: make(lambda a, b: a, *[lambda g, _o, _a, _b: g] * 2, domain=(POSITIVE,)),
            TypeError,
            r"write domain=\(Domain\(low=0.0\), Domain\(low=0.0\)\)",
        ),
        (lambda: make(lambda x: float(x), rule)(1.0), TypeError, "mine: .* must return an array, not float"),
        (lambda: make(lambda x: None, rule)(1.0), TypeError, "mine: .* must return an array, not NoneType"),
        (lambda: make(lambda x: (x, x), rule)(1.0), TypeError, "mine: .* must return an array, not tuple"),
        (lambda: make(lambda x: tl.sin(x), rule)(1.0), TypeError, "mine: .* not Tensor; .* NumPy's functions"),
        (
            lambda: grad_of(make(lambda x: x * 1, lambda g, _o, _x: 3.0)),
            TypeError,
            "the rule of mine for input 0 failed: 'float'.*must return an array",
        ),
        (
            lambda: grad_of(make(lambda x: x * 1, lambda g, _o, _x: g * _x)),
            TypeError,
            "the rule of mine for input 0 failed.*underscore",
        ),
    ],
)
def test_an_op_that_is_not_right_is_refused_by_name(attempt: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        attempt()


@pytest.mark.usefixtures("forget")
def test_an_op_may_be_defined_again_where_it_was_defined() -> None:
    for factor in (2.0, 3.0):

        @tl.op.op(lambda g, _out, _x, factor=factor: g * factor, numpy=np.unwrap)
        def mine(x: Any, factor: float = factor) -> Any:
            return x * factor

        assert tl.op.REGISTRY["mine"] is tl.op.ANSWERS[np.unwrap]
        x = Tensor([1.0], requires_grad=True)
        (x.mine() + mine(x)).backward()
        assert x.grad.numpy() == 2 * factor
    with pytest.raises(ValueError, match=r"mine.*another name"):
        make(lambda x: x, rule)
    assert tl.op.REGISTRY["mine"].face is mine


@pytest.mark.usefixtures("forget")
def test_a_lone_domain_is_that_of_every_input() -> None:
    make(lambda a, b: a * b, lambda g, _o, _a, b: g * b, lambda g, _o, a, _b: g * a, domain=POSITIVE)
    assert tl.op.REGISTRY["mine"].domain == (POSITIVE, POSITIVE)


# --- check_op ---------------------------------------------------------------------------------------------------------

BROKEN: dict[str, tuple[Any, tuple[Any, ...], dict[str, Any], str]] = {
    "vjp": (
        lambda a, b, k=2.0: a * b * k,
        (lambda g, _o, _a, b, k: g * b * k, lambda g, _o, a, _b, k: g * a * k * 1.01),
        {"broadcasts": True},
        r"mine breaks the law 'vjp' .*\n  for b: autodiff .*\n  at a = .*, b = .*, k = 2\.0$",
    ),
    "jvp": (
        lambda x: np.sin(x),
        (lambda g, _o, x: g * tl.cos(x) * (1.1 if is_recording() else 1),),
        {},
        "'jvp'.*\n  for x: w · ",
    ),
    "second": (
        lambda x: np.sin(x),
        (lambda g, _o, x: g * np.cos(np.asarray(getattr(x, "_array", x))),),
        {},
        "'second'.*\n  for x: ",
    ),
    "variadic": (
        lambda xs: xs[0] + xs[1],
        (lambda i, g, _o, _xs: g * (1 + i),),
        {"variadic": True},
        r"for xs\[1\]: autodiff .*\n  at xs\[0\] = ",
    ),
    "nan": (lambda x: np.log(x), (lambda g, _o, x: g / x,), {}, r"^mine gives NaN at x = .*-.*domain=Domain\(low=0\)$"),
    "inf": (lambda x: 1 / (x < 2), (lambda g, _o, x: g / x,), {}, r"^mine gives an infinite value at x = "),
}


@pytest.mark.usefixtures("forget")
@pytest.mark.parametrize(("forward", "rules", "fields", "message"), BROKEN.values(), ids=BROKEN)
def test_check_op_names_the_law_the_input_and_the_values(
    forward: Any, rules: Any, fields: Any, message: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make(forward, *rules, **fields)
    monkeypatch.setattr(laws, "REGISTRY", tl.op.REGISTRY)
    case = (lambda rng, shape: Case([shape, shape], {})) if "variadic" in fields else None
    with pytest.raises(AssertionError, match=message) as caught:
        laws.check_op("mine", case)
    assert not getattr(caught.value, "__notes__", None)
    assert caught.value.__suppress_context__
    assert list(tmp_path.iterdir()) == []


def grad_of(f: Any) -> Any:
    return tl.grad(lambda x: f(x * 2).sum())(np.ones(2))


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
