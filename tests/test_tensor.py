"""Laws of Tensor: what it is made from, what it refuses, how it behaves among arrays and in Python's protocols."""

from __future__ import annotations

import copy
import operator
import pickle
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_lite as tl
from tinygrad_lite import Tensor, gradients, no_grad, tensor
from tinygrad_lite.messages import SPELLINGS

# --- construction -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "dtype", "shape"),
    [
        (1.5, np.float32, ()),
        (2, np.int64, ()),
        (True, np.bool_, ()),
        ([1.0, 2], np.float32, (2,)),
        ([[1, 2], [3, 4]], np.int64, (2, 2)),
        (((1.0,), (2.0,)), np.float32, (2, 1)),
        ([], np.float32, (0,)),
        ([[], []], np.float32, (2, 0)),
        (np.float64(3), np.float64, ()),
        ([np.float64(3)], np.float64, (1,)),
        ([2.0, np.float64(3)], np.float64, (2,)),
        ([[2.0], [np.ones(())]], np.float64, (2, 1)),
        ([2.0, np.float32(3)], np.float32, (2,)),
        ([np.float32(3), 2.0], np.float32, (2,)),
        ([np.int64(3), 2.0], np.float32, (2,)),
        (np.ones(2), np.float64, (2,)),
        (np.ones(2, np.float16), np.float16, (2,)),
        (np.zeros((0, 3)), np.float64, (0, 3)),
        (Tensor([1.0]), np.float32, (1,)),
        ([Tensor(1.0), Tensor(2.0)], np.float32, (2,)),
        ([np.ones(2), np.ones(2)], np.float64, (2, 2)),
        (range(3), np.int64, (3,)),
    ],
)
def test_python_floats_become_float32_and_arrays_keep_their_dtype(data: Any, dtype: Any, shape: Any) -> None:
    x = Tensor(data)
    assert x.dtype == dtype
    assert x.shape == shape
    assert x.ndim == len(shape)
    assert x.size == np.prod(shape)


def test_dtype_converts() -> None:
    assert Tensor([1, 2], dtype=np.float32, requires_grad=True).dtype == np.float32
    assert Tensor(np.ones(2), dtype="float32").dtype == np.float32
    assert Tensor([1.0], dtype=float).dtype == np.float64


LAYOUTS: dict[str, Callable[[], np.ndarray]] = {
    "C": lambda: np.arange(6.0).reshape(2, 3),
    "Fortran": lambda: np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "reversed": lambda: np.arange(6.0)[::-1],
    "strided": lambda: np.arange(12.0)[::2],
    "broadcast": lambda: np.broadcast_to(np.arange(3.0), (2, 3)),
    "big-endian": lambda: np.arange(3.0).astype(">f8"),
    "0-d": lambda: np.array(1.0),
    "empty": lambda: np.ones((3, 0)),
}


@pytest.mark.parametrize("make", LAYOUTS.values(), ids=LAYOUTS)
def test_data_is_copied_from_any_memory_layout(make: Callable[[], np.ndarray]) -> None:
    source = make()
    x = Tensor(source, requires_grad=True)
    np.testing.assert_array_equal(x.numpy(), source)
    expected = source.copy()
    if source.flags.writeable:
        source[...] = 9
    np.testing.assert_array_equal(x.numpy(), expected)
    (x * x).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), 2 * expected)
    x.assign(expected + 1)
    np.testing.assert_array_equal(x.numpy(), expected + 1)


class Subclass(np.ndarray):
    """A subclass with ideas of its own."""

    def __mul__(self, other: Any) -> Any:
        raise AssertionError("must not be asked")


def test_subclasses_of_ndarray_become_plain() -> None:
    odd = np.ones((2, 2)).view(Subclass)
    x = Tensor(odd)
    assert type(x.numpy()) is np.ndarray
    np.testing.assert_array_equal((x**2).numpy(), np.asarray(odd) ** 2)
    assert type((Tensor(np.ones((2, 2))) * odd).numpy()) is np.ndarray
    assert type(tl.reshape(odd, -1).numpy()) is np.ndarray
    assert tl.reshape(odd, -1).shape == (4,)


def test_a_matrix_is_refused_since_its_product_is_another_one() -> None:
    with pytest.warns(PendingDeprecationWarning):
        matrix = np.matrix([[1.0, 2.0], [3.0, 4.0]])
    for attempt in (lambda: Tensor(matrix), lambda: Tensor(np.ones((2, 2))) * matrix, lambda: matrix * Tensor(1.0)):
        with pytest.raises(TypeError, match=r"np\.matrix is a matrix product"):
            attempt()


REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "None": (lambda: Tensor(None), TypeError, "NoneType"),
    "string": (lambda: Tensor("abc"), TypeError, "floats, integers or booleans"),
    "strings": (lambda: Tensor(["a", "b"]), TypeError, "floats, integers or booleans"),
    "complex": (lambda: Tensor(1j), TypeError, "complex128"),
    "complex array": (lambda: Tensor(np.ones(2, complex)), TypeError, "complex128"),
    "complex dtype": (lambda: Tensor([1.0], dtype=complex), TypeError, "complex128"),
    "object array": (lambda: Tensor(np.array([1, None])), TypeError, "object"),
    "dict": (lambda: Tensor({}), TypeError, "dict"),
    "set": (lambda: Tensor({1, 2}), TypeError, "set"),
    "huge integer": (lambda: Tensor(2**80), TypeError, "object"),
    "dates": (lambda: Tensor(np.array(["2020-01-01"], "M8[D]")), TypeError, "datetime64"),
    "ragged": (lambda: Tensor([[1.0], [1.0, 2.0]]), ValueError, "list"),
    "masked": (lambda: Tensor(np.ma.array([1.0, 2.0], mask=[0, 1])), TypeError, "mask"),
    "integer parameter": (lambda: Tensor([1], requires_grad=True, name="k"), TypeError, "k is int64"),
    "bool parameter": (lambda: Tensor([True], requires_grad=True), TypeError, "bool"),
    "lost gradients": (lambda: Tensor([Tensor(1.0, requires_grad=True)]), TypeError, "stack"),
    "complex operand": (lambda: Tensor([1.0]) * np.array([1j]), TypeError, "complex"),
    "complex number": (lambda: Tensor([1.0]) * np.complex128(1j), TypeError, "complex"),
    "object operand": (lambda: Tensor([1.0]) * np.array([1, 2], dtype=object), TypeError, "object"),
    "string operand": (lambda: Tensor([1.0]) + np.array(["a"]), TypeError, "add"),
    "list of tensors": (lambda: Tensor([1.0]) * [Tensor(1.0, requires_grad=True)], TypeError, "stack"),
    "item assignment": (lambda: operator.setitem(Tensor([1.0]), 0, 2.0), TypeError, r"where.*assign"),
    "item of many": (lambda: Tensor([1.0, 2.0], name="x").item(), ValueError, "x.*2"),
    "truth of many": (lambda: bool(Tensor([1.0, 2.0])), ValueError, "ambiguous"),
    "truth of none": (lambda: bool(Tensor([])), ValueError, "0 elements"),
    "float of many": (lambda: float(Tensor([1.0, 2.0])), ValueError, "one element"),
    "length of 0-d": (lambda: len(Tensor(1.0)), TypeError, "0-d"),
    "iteration of 0-d": (lambda: list(Tensor(1.0)), TypeError, "0-d"),
    "index of float": (lambda: [1, 2][Tensor(1.0)], TypeError, "integer"),
    "index by float tensor": (lambda: Tensor([1.0, 2.0])[1.5], IndexError, "getitem"),
    "assign shape": (lambda: Tensor([1.0, 2.0], name="x").assign([1.0]), ValueError, r"x.*\(1,\)"),
    "assign complex": (lambda: Tensor([1.0]).assign([1j]), TypeError, "complex"),
    "assign None": (lambda: Tensor([1.0]).assign(None), TypeError, "NoneType"),
    "assign computed": (
        lambda: (Tensor([1.0], requires_grad=True) * 2).assign([1.0]),
        TypeError,
        "computed by mul.*detach",
    ),
    "pickle computed": (lambda: pickle.dumps(Tensor([1.0], requires_grad=True) * 2), TypeError, "detach"),
    "unknown function": (lambda: np.linalg.svd(Tensor(np.eye(2))), TypeError, "svd"),
    "unknown ufunc": (lambda: np.heaviside(Tensor([1.0]), 1.0), TypeError, "heaviside"),
    "ufunc method": (lambda: np.add.reduce(Tensor([1.0])), TypeError, "add"),
    "requires_grad": (lambda: setattr(Tensor([1.0]), "requires_grad", True), AttributeError, "requires_grad"),
    "unknown method": (lambda: Tensor([1.0]).foo, AttributeError, "foo"),
    "as in PyTorch": (lambda: tl.tensor([1.0]), TypeError, r"write tl\.Tensor"),  # type: ignore[operator]
    "list of modules": (lambda: tl.nn.ModuleList, AttributeError, r"write \[nn.Linear"),
    "in place": (lambda: Tensor([1.0]).relu_(), AttributeError, r"no op changes a tensor in place: write x = x\.relu"),
    "dim": (lambda: Tensor([1.0]).sum(dim=0), TypeError, "'dim'; write axis="),
    "retain_graph": (
        lambda: (Tensor([1.0], requires_grad=True) * 2).backward(retain_graph=True),  # type: ignore[call-arg]
        TypeError,
        "leave it out: what was recorded",
    ),
    "strict": (lambda: tl.nn.ReLU().load_state_dict({}, strict=False), TypeError, "leave it out, and load"),  # type: ignore[call-arg]
    "set_to_none": (lambda: tl.nn.ReLU().zero_grad(set_to_none=True), TypeError, "leave it out"),  # type: ignore[call-arg]
    "new attribute": (lambda: setattr(Tensor([1.0]), "foo", 1), AttributeError, "foo"),
    "invert": (lambda: ~Tensor([1.0]), TypeError, "~"),
    "shift": (lambda: Tensor([1.0]) << 2, TypeError, "<<"),
}


@pytest.mark.parametrize(("attempt", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_what_a_tensor_is_not_is_refused(attempt: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        attempt()


def test_the_gradient_of_what_is_no_leaf_is_none_and_says_so() -> None:
    leaf = Tensor([1.0], requires_grad=True)
    scaled = 0.01 * leaf
    scaled.sum().backward()
    with pytest.warns(UserWarning, match=r"computed by mul, so its \.grad is None.*make the leaf last"):
        assert scaled.grad is None
    assert leaf.grad is not None
    assert Tensor([1.0]).grad is None, "without a warning"
    assert (2 * Tensor([1.0])).grad is None, "without a warning: no gradient could come"


def test_a_type_error_from_within_gets_no_hint() -> None:
    with pytest.raises(TypeError) as caught:
        (Tensor([1.0], requires_grad=True) * 2).backward([object()])
    assert "leave it out" not in str(caught.value)


def advised(text: str) -> str:
    """The code that an advice begins with: the shortest part that is some."""
    ends = [m.start() for m in re.finditer(r", |: |$", text)]
    for end in ends:
        try:
            compile(text[:end], "advice", "exec")
        except SyntaxError:
            continue
        return text[:end]
    raise AssertionError(f"{text} begins with no code")


@pytest.mark.parametrize("name", SPELLINGS)
def test_what_others_call_otherwise_runs_and_keeps_the_gradient_or_says_that_it_does_not(name: str) -> None:
    leaf = Tensor(np.ones((2, 2)), requires_grad=True)
    x = leaf * leaf
    known = {"tl": tl, "nn": tl.nn, "x": x, "y": 3 * x, "J": x.sum(), "np": np, "rng": np.random.default_rng(0)}
    known |= {"opt": tl.optim.SGD([leaf], lr=0.1)}
    known |= {"shape": (2, 2), "axis": 0, "mask": x > 5, "indices": [0], "labels": [0, 1], "array": [1.0]}
    with pytest.raises(AttributeError, match="; write " + re.escape(SPELLINGS[name])):
        getattr(x, name)
    code = advised(SPELLINGS[name])
    exec(f"result = {code}" if "x.grad" not in code else code, known)
    if not re.search(r"\bx\b", code) or "grad" in code.partition("(")[0]:
        return  # not computed from x, or about its gradient
    result = known["result"]
    first = result[0] if isinstance(result, list) else result
    keeps = isinstance(first, Tensor) and first.requires_grad and flows(first, leaf)
    assert keeps != ("no gradient flows" in SPELLINGS[name])


def flows(y: Tensor, x: Tensor) -> bool:
    return bool(gradients(y.sum(), [x])[0].numpy().any())


def test_an_advice_that_cuts_the_gradient_is_noticed() -> None:
    x = Tensor([1.0], requires_grad=True)
    assert flows(eval(advised(SPELLINGS["clone"]), {"x": x * 2}), x)
    assert not flows(Tensor((x * 2).numpy(), requires_grad=True), x)
    assert advised("tl.cat([x, y], axis=0), and so on") == "tl.cat([x, y], axis=0)"


# --- value ------------------------------------------------------------------------------------------------------------


def test_the_value_is_read_only_from_outside() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    for view in (
        x.numpy(),
        np.asarray(x.detach()),
        np.asarray(x.detach(), dtype=np.float32),
        (x * 1).numpy(),
        x.detach().numpy(),
        x[:1].numpy(),
    ):
        with pytest.raises(ValueError, match="read-only"):
            view[0] = 9
    own = np.array(x.detach())
    own[0] = 9
    np.testing.assert_array_equal(x.numpy(), [1, 2])
    assert np.asarray(x.detach(), dtype=np.float64).dtype == np.float64


def test_conversions() -> None:
    x = Tensor([[2.5]])
    assert (x.item(), float(x), int(x), bool(x)) == (2.5, 2.5, 2, True)
    assert f"{x:.2f}" == "2.50"
    assert f"{x}" == repr(x)
    assert not Tensor(0.0)
    assert [10, 20, 30][Tensor(1)] == 20
    assert list(range(Tensor(3))) == [0, 1, 2]


def test_iteration_and_length() -> None:
    x = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    assert len(x) == 2
    first, second = x
    assert isinstance(first, Tensor)
    (first * 10 + second).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [[10, 10], [1, 1]])
    assert list(Tensor(np.ones((0, 2)))) == []
    assert 3.0 in Tensor([1.0, 3.0])
    assert 4.0 not in Tensor([1.0, 3.0])


def test_repr() -> None:
    assert repr(Tensor([1.0, 2.0])) == "Tensor([1., 2.], dtype=float32)"
    assert (
        repr(Tensor([1.0], requires_grad=True, name="w")) == "Tensor([1.], dtype=float32, requires_grad=True, name='w')"
    )
    assert repr(Tensor(1.0, requires_grad=True) * 2) == "Tensor(2., dtype=float32, op=mul)"
    assert repr(Tensor(True)) == "Tensor(True, dtype=bool)"
    assert len(repr(Tensor(np.zeros((1000, 1000))))) < 1000


def test_tensors_are_keys_by_identity_and_equal_by_element() -> None:
    x, y = Tensor([1.0, 2.0]), Tensor([1.0, 3.0])
    assert {x: "x", y: "y"}[x] == "x"
    assert hash(x) != hash(y)
    np.testing.assert_array_equal((x == y).numpy(), [True, False])
    np.testing.assert_array_equal((x != y).numpy(), [False, True])
    np.testing.assert_array_equal((x == 1).numpy(), [True, False])


@pytest.mark.parametrize("other", [None, "a", {}, object], ids=repr)
def test_what_is_no_number_is_not_equal(other: Any) -> None:
    assert (Tensor([1.0]) == other) is False
    assert (Tensor([1.0]) != other) is True
    assert (other == Tensor([1.0])) is False


def test_detach_shares_the_value_and_drops_the_history() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = (x * 2).detach()
    assert not y.requires_grad
    assert not (y * 3).requires_grad
    assert np.shares_memory(x.detach().numpy(), x.numpy())


def test_assign_keeps_shape_dtype_name_and_identity() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True, name="w")
    assert x.assign(np.array([3.0, 4.0])) is x
    assert (x.dtype, x.name, x.requires_grad) == (np.float32, "w", True)
    x.assign([5, 6])
    x.assign(x.numpy()[::-1])
    np.testing.assert_array_equal(x.numpy(), [6, 5])
    x.assign(Tensor([1.0, 1.0]))
    source = np.array([7.0, 8.0], np.float32)
    x.assign(source)
    source[:] = 0
    np.testing.assert_array_equal(x.numpy(), [7, 8])
    (x * x).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [14, 16])


def test_names() -> None:
    x = Tensor([1.0], name="x")
    assert x.name == "x"
    y = x * 2
    assert y.name is None
    y.name = "y"
    assert y.name == "y"
    with pytest.raises(ValueError, match=r"y .*broadcast|y.*\(1,\)"):
        y + Tensor([[1.0, 2.0], [3.0, 4.0]], name="z") @ y


@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_leaves_can_be_copied_and_pickled(copied: Callable[[Tensor], Tensor]) -> None:
    x = Tensor([1.0, 2.0], requires_grad=True, name="w")
    (x * x).sum().backward()
    y = copied(x)
    assert (y.name, y.requires_grad, y.dtype) == ("w", True, np.float32)
    np.testing.assert_array_equal(y.grad.numpy(), [2, 4])
    (y * 3).sum().backward()
    np.testing.assert_array_equal(y.grad.numpy(), [5, 7])
    np.testing.assert_array_equal(x.grad.numpy(), [2, 4])
    y.assign([0.0, 0.0])
    np.testing.assert_array_equal(x.numpy(), [1, 2])
    plain = copied(Tensor([1, 2]))
    assert not plain.requires_grad


# --- operators --------------------------------------------------------------------------------------------------------

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    name: getattr(operator, name)
    for name in ("add", "sub", "mul", "truediv", "pow", "matmul", "lt", "le", "gt", "ge", "eq", "ne")
}
positive = hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=3), elements=st.floats(0.5, 3))


@pytest.mark.parametrize("name", OPERATORS)
@given(a=positive)
def test_operators_equal_numpys_with_an_array_on_either_side(name: str, a: np.ndarray) -> None:
    f = OPERATORS[name]
    b = a.T.copy() if name == "matmul" else a[::-1, :1] + 0.25
    a, b = (x.astype(np.float32).astype(np.float64) for x in (a, b))  # or ≥ would not be the same of lists
    expected = f(a, b)
    for left, right in (
        (Tensor(a), Tensor(b)),
        (Tensor(a), b),
        (a, Tensor(b)),
        (Tensor(a), b.tolist()),
        (a.tolist(), Tensor(b)),
    ):
        out = f(left, right)
        assert type(out) is Tensor
        bound = 1e-5 if list in (type(left), type(right)) else 1e-13  # a list is float32
        np.testing.assert_allclose(out.numpy(), expected, rtol=bound, atol=bound)


@pytest.mark.parametrize("number", [2.0, 2, True, np.float64(2), np.float32(2), np.int32(2), np.bool_(True)], ids=repr)
@pytest.mark.parametrize("name", [name for name in OPERATORS if name != "matmul"])
def test_operators_with_numbers_on_either_side(name: str, number: Any) -> None:
    f, a = OPERATORS[name], np.array([1.0, 2.0], np.float32)
    for out, expected in (
        (f(Tensor(a), number), f(a, float(number))),
        (f(number, Tensor(a)), f(float(number), a)),
    ):
        assert type(out) is Tensor
        assert out.dtype == (np.bool_ if name in ("lt", "le", "gt", "ge", "eq", "ne") else np.float32)
        np.testing.assert_allclose(out.numpy(), expected)


def test_an_array_on_the_left_gets_a_gradient_through() -> None:
    x = Tensor(np.array([1.0, 2.0]), requires_grad=True)
    for y in (
        np.ones((3, 2)) + x,
        np.ones((3, 2)) * x,
        np.ones((3, 2)) @ x,
        np.full((3, 2), 2.0) ** x,
        np.ones((3, 2)) / x,
    ):
        assert type(y) is Tensor
        (g,) = gradients(y.sum(), [x])
        assert g.shape == (2,)


def test_unary_operators() -> None:
    x = Tensor([-1.0, 2.0])
    np.testing.assert_array_equal((-x).numpy(), [1, -2])
    np.testing.assert_array_equal((+x).numpy(), [-1, 2])
    np.testing.assert_array_equal(abs(x).numpy(), [1, 2])


def test_augmented_assignment_makes_a_new_tensor() -> None:
    x = Tensor([1.0], requires_grad=True)
    y = x
    y += 1
    y *= 2
    assert x.item() == 1
    assert gradients(y.sum(), [x])[0].item() == 2
    array = np.ones(1)
    with pytest.raises(TypeError, match="add"):
        array += x
    np.testing.assert_array_equal(array, [1])


def test_empty_and_0d() -> None:
    for shape in ((0,), (0, 3), (2, 0), ()):
        x = Tensor(np.ones(shape), requires_grad=True)
        y = tl.exp(x * 2 + np.ones(shape)).sum()
        y.backward()
        assert x.grad.shape == shape
    assert (Tensor(np.ones((2, 0))) @ Tensor(np.ones((0, 3)))).numpy().tolist() == [[0, 0, 0]] * 2
    assert Tensor(np.ones((0, 3))).mean(axis=1).shape == (0,)


def test_shapes_one_by_one_or_together() -> None:
    x = Tensor(np.arange(6.0))
    assert x.reshape(2, 3).shape == x.reshape((2, 3)).shape == x.reshape([2, 3]).shape == (2, 3)
    assert x.reshape(2, 3).transpose(1, 0).shape == x.reshape(2, 3).transpose((1, 0)).shape == (3, 2)
    assert x.reshape(2, 3).T.shape == x.reshape(2, 3).transpose().shape == (3, 2)


# --- NumPy's protocols ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "f",
    [
        np.exp, np.log, np.sqrt, np.tanh, np.abs, np.sign, np.negative, np.sum, np.mean, np.max, np.min, np.transpose,
        lambda x: np.sum(x, axis=0), lambda x: np.mean(x, axis=1, keepdims=True), lambda x: np.reshape(x, (3, 2)),
        lambda x: np.where(np.array([True, False, True]), x, 0), lambda x: np.concatenate([x, np.ones((1, 3))]),
        lambda x: np.stack([x, x], axis=1), lambda x: np.clip(x, 0.5, 2), lambda x: np.maximum(x, 1.5),
        lambda x: np.add(np.ones(3), x), lambda x: np.matmul(np.ones((1, 2)), x), lambda x: np.power(x, 2),
        lambda x: np.broadcast_to(x, (2, 2, 3)),
    ],
)  # fmt: skip
def test_numpys_functions_are_recorded(f: Callable[..., Any]) -> None:
    array = np.arange(1.0, 7.0).reshape(2, 3)
    x = Tensor(array, requires_grad=True)
    out = f(x)
    assert type(out) is Tensor
    assert out.requires_grad
    np.testing.assert_allclose(out.numpy(), f(array))


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.squeeze(a=x[None], axis=0), lambda x: np.flip(m=x), lambda x: np.flip(x, 1),
        lambda x: np.tile(A=x, reps=2), lambda x: np.split(ary=x, indices_or_sections=3, axis=1)[1],
        lambda x: np.mean(x, 0, None), lambda x: np.sum(x, 0, None, None, True), lambda x: np.sum(a=x, axis=-1),
        lambda x: np.ravel(x, order="C"), lambda x: np.reshape(x, (3, 2), order="C"), lambda x: np.amax(x, axis=0),
        lambda x: np.amin(x, 0, None, True), lambda x: np.linalg.outer(x[0], x[1]),
        lambda x: np.linalg.matmul(x, np.ones((3, 2))), lambda x: np.linalg.trace(x[None], offset=1),
        lambda x: np.linalg.diagonal(x[None]), lambda x: np.matrix_transpose(x), lambda x: np.linalg.matrix_transpose(x),
        lambda x: np.einsum("ij->j", x, optimize=True), lambda x: np.std(x, 0, None, None, 1),
        lambda x: np.var(x, axis=0, correction=1), lambda x: np.clip(x, None, 2), lambda x: np.clip(x, 1, 2, None),
        lambda x: np.clip(x, min=1), lambda x: np.pad(x, 1, constant_values=2), lambda x: np.pad(x, 1, "edge"),
        lambda x: np.cumsum(x, 0), lambda x: np.take(x, [0, 0], 1, None, "raise"), lambda x: np.hstack([x, x]),
        lambda x: np.take_along_axis(x, np.array([[0], [1]]), 1), lambda x: np.linalg.norm(x, axis=0, ord=1),
        lambda x: np.linalg.vector_norm(x, axis=0, ord=3, keepdims=True), lambda x: np.round(x, decimals=1) + x,
    ],
)  # fmt: skip
def test_numpys_own_names_and_positions_work(f: Callable[..., Any]) -> None:
    array = np.arange(1.0, 7.0).reshape(2, 3)
    out = f(Tensor(array, requires_grad=True))
    assert type(out) is Tensor
    assert out.requires_grad
    np.testing.assert_allclose(out.numpy(), f(array))


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda x: np.sum(x, dtype=np.float64), r"np.sum of a tensor takes a, axis, keepdims, but not dtype=<class"),
        (lambda x: np.mean(x, 0, np.float64), "np.mean .* not dtype"),
        (lambda x: np.max(x, initial=5), "np.max .* not initial=5"),
        (lambda x: np.ravel(x, order="F"), "np.ravel of a tensor takes a, but not order='F'"),
        (lambda x: np.argsort(x, kind="stable"), "np.argsort .* not kind='stable'"),
        (lambda x: np.std(x, out=np.zeros(())), "np.std .* not out="),
        (lambda x: np.pad(x, 1, "mean", stat_length=1), "np.pad .* not stat_length=1"),
        (lambda x: np.concatenate([x, x], dtype=np.float64), "np.concatenate .* not dtype"),
        (lambda x: np.linalg.pinv(x), r"^np\.linalg\.pinv is not among"),
        (lambda x: np.bitwise_left_shift(x, 2), r"^np\.left_shift \(np\.bitwise_left_shift\) is not among"),
        (lambda x: np.fft.fft(x), r"^np\.fft\.fft is not among"),
    ],
)
def test_what_numpys_functions_do_not_do_on_tensors_is_named(f: Callable[..., Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        f(Tensor([1.0, 2.0]))


def test_shape_questions_are_answered() -> None:
    x = Tensor(np.ones((2, 3)))
    assert (np.shape(x), np.ndim(x), np.size(x)) == ((2, 3), 2, 6)
    np.testing.assert_array_equal(np.asarray(x), np.ones((2, 3)))


# --- indices ----------------------------------------------------------------------------------------------------------

INDICES: dict[str, Any] = {
    "integer": 1,
    "negative": -1,
    "np.int64": np.int64(1),
    "0-d array": np.array(1),
    "slice": slice(1, None),
    "reversed": slice(None, None, -1),
    "empty slice": slice(5, 9),
    "ellipsis": (..., 0),
    "new axis": (None, slice(None), None),
    "list": [0, 0, 2],
    "nested list": [[0, 1], [2, 2]],
    "empty list": [],
    "array": np.array([2, 0]),
    "mask": np.array([True, False, True]),
    "mask list": [True, False, True],
    "full mask": np.eye(3, 4) > 0,
    "mixed": (slice(None), [0, 3]),
    "two arrays": (np.array([0, 0]), np.array([1, 1])),
    "True": True,
    "empty tuple": (),
    "tensor": Tensor([0, 0]),
    "tensor mask": Tensor([True, False, True]),
    "0-d tensor": Tensor(2),
    "tensors in a slice": slice(Tensor(0), Tensor(2)),
    "list of tensors": [Tensor(0), Tensor(2)],
}
PLAIN = {
    id(INDICES["tensor"]): [0, 0],
    id(INDICES["tensor mask"]): [True, False, True],
    id(INDICES["0-d tensor"]): 2,
    id(INDICES["list of tensors"]): [0, 2],
}


@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)
def test_indices_equal_numpys(index: Any) -> None:
    array = np.arange(12.0).reshape(3, 4)
    x = Tensor(array, requires_grad=True)
    plain = PLAIN.get(id(index), index)
    y = x[index]
    np.testing.assert_array_equal(y.numpy(), array[plain])
    expected = np.zeros_like(array)
    places = np.arange(12).reshape(3, 4)[plain]
    np.add.at(expected.reshape(-1), places, 1.0)
    np.testing.assert_array_equal(gradients(y.sum(), [x])[0].numpy(), expected)


def test_messages_name_both_operands() -> None:
    W, X = Tensor(np.ones((10, 784)), name="W1"), Tensor(np.ones((100, 784)), name="X")
    with pytest.raises(ValueError, match=r"W1 \(10×784\), X \(100×784\).*inner sizes 784 and 100.*W1 @ X.T would fit"):
        W @ X
    with pytest.raises(ValueError, match=r"W1 \(10×784\), b \(10,\)"):
        W + Tensor(np.ones(10), name="b")


def test_no_gradient_is_recorded_under_no_grad() -> None:
    x = Tensor([1.0], requires_grad=True)
    with no_grad():
        y = x * 2
        z = Tensor([1.0], requires_grad=True)
    assert not y.requires_grad
    assert z.requires_grad


def test_helpers_describe_shapes() -> None:
    assert [tensor.shape_text(s) for s in ((), (3,), (2, 3), (0, 1, 2))] == ["scalar", "(3,)", "2×3", "0×1×2"]


def test_what_pytorch_would_do_is_refused_with_the_way_out() -> None:
    t = Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(TypeError, match=r"nothing can be deleted from it; pick what stays"):
        del t[0]
    with pytest.raises(ValueError, match="stack\\(no arrays, axis=0\\)"):
        tl.stack([])
    with pytest.raises(AttributeError, match="'Linear' object has no attribute 'cuda'; write x, as it is"):
        tl.nn.Linear(1, 1).cuda()
    with pytest.raises(ValueError, match=r"write w\.assign\(w - …\)"):
        with tl.no_grad():
            t -= 1
        (t * t).sum().backward()
