"""Laws of Graph and capture: names, order, repeats, values, and linear time on any graph."""

# ruff: noqa: RET504 -- the variables that are returned are what is to be named

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_lite as tl
from tinygrad_lite import Graph, Tensor, capture, nn
from tinygrad_lite.graph import graph_of
from tinygrad_lite.op import REGISTRY
from tinygrad_lite.recording import is_recording

from .test_autodiff import Program, programs, run_program


def names(graph: Graph) -> list[str | None]:
    return [vertex.name for vertex in graph.vertices]


def ops(graph: Graph) -> list[str | None]:
    return [None if vertex.op is None else vertex.op.name for vertex in graph.vertices]


def named(graph: Graph, name: str) -> Any:
    return next(vertex for vertex in graph.vertices if vertex.name == name)


X = np.ones((2, 3))


# --- names ------------------------------------------------------------------------------------------------------------


def helper(v: Tensor) -> Tensor:
    inner = tl.exp(v)
    squared = inner * inner
    return squared


def straight(x: Tensor) -> Tensor:
    Z = x + 1
    A = tl.relu(Z)
    return A


def through_a_helper(x: Tensor) -> Tensor:
    outer = helper(x)
    return outer + 1


def two_names(x: Tensor) -> Tensor:
    first = x * 2
    second = first
    return second


def reused(x: Tensor) -> Tensor:
    h = x * 2
    h = tl.tanh(h)
    h = tl.exp(h)
    return h


def in_a_comprehension(x: Tensor) -> Tensor:
    parts = [tl.exp(row) for row in (x, x)]
    total = parts[0] + parts[1]
    return total


def in_a_lambda(x: Tensor) -> Tensor:
    f = lambda v: v * 2
    y = f(x)
    return y


def in_a_nested_function(x: Tensor) -> Tensor:
    def inner(v: Tensor) -> Tensor:
        w = v * 2
        return w + 1

    y = inner(x)
    return y


def called_twice(x: Tensor) -> Tensor:
    a = helper(x)
    b = helper(a)
    return b


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (straight, {"x", "Z", "A"}),
        (through_a_helper, {"x", "inner", "outer"}),
        (two_names, {"x", "first"}),
        (in_a_lambda, {"x", "y"}),
        (in_a_nested_function, {"x", "w", "y"}),
        (called_twice, {"x", "inner", "a", "inner#2", "b"}),
        (lambda x: x, {"x"}),
    ],
    ids=lambda f: getattr(f, "__name__", ""),
)
def test_tensors_are_named_after_their_variables(f: Callable[..., Any], expected: set[str]) -> None:
    assert {name for name in names(capture(f, X)) if name} == expected


@pytest.mark.parametrize("f", [straight, through_a_helper, two_names, reused, in_a_comprehension, called_twice])
def test_names_are_unique(f: Callable[..., Any]) -> None:
    given_names = [name for name in names(capture(f, X)) if name]
    assert len(given_names) == len(set(given_names))


def test_a_reused_name_belongs_to_its_last_tensor() -> None:
    graph = capture(reused, X)
    assert named(graph, "h").op.name == "exp"
    assert ops(graph) == [None, None, "mul", "tanh", "exp"]


def test_a_comprehension_names_what_its_surroundings_do_not() -> None:
    graph = capture(in_a_comprehension, X)
    assert named(graph, "x").kind == "input"
    assert named(graph, "total").op.name == "add"


def test_parameters_and_named_tensors_keep_their_names() -> None:
    class Line(nn.Module):
        def __init__(self) -> None:
            self.W = nn.Parameter(np.ones((1, 2)))

        def forward(self, data: Tensor) -> Tensor:
            weights = self.W
            Z = weights @ data
            return Z

    net = Line()
    graph = capture(net, X)
    assert names(graph) == ["W", "data", "Z"]
    assert named(graph, "W").kind == "parameter"
    mine = Tensor(X, name="mine")
    assert named(capture(straight, mine), "mine").kind == "input"


def test_two_leaves_of_one_name_get_unique_names() -> None:
    graph = graph_of(Tensor(1.0, name="x", requires_grad=True) + Tensor(2.0, name="x"))
    assert sorted(name for name in names(graph) if name) == ["x", "x#2"]


def test_keyword_inputs_numbers_and_lists_are_inputs_too() -> None:
    def f(x: Tensor, bias: Tensor) -> Tensor:
        return x * bias

    for given_inputs, keywords in (
        ((X,), {"bias": 2 * X}),
        ((1.5, [1.0, 2.0]), {}),
        ((), {"x": X, "bias": 3.0}),
    ):
        graph = capture(f, *given_inputs, **keywords)
        assert {"x", "bias"} <= set(names(graph))
        assert ops(graph)[-1] == "mul"


# --- structure --------------------------------------------------------------------------------------------------------


def check_structure(graph: Graph) -> None:
    """Each vertex stands after its inputs, and consumers mirror inputs."""
    for position, vertex in enumerate(graph.vertices):
        assert all(0 <= i < position for i in vertex.inputs)
        assert (vertex.kind == "op") == (vertex.op is not None)
        assert vertex.op is not None or vertex.inputs == ()
    users = graph.consumers
    assert sum(map(len, users)) == sum(len(vertex.inputs) for vertex in graph.vertices)
    for position, consumers in enumerate(users):
        assert all(position in graph.vertices[user].inputs for user in consumers)


def evaluate(graph: Graph) -> list[Any]:
    """Run a graph again from its leaves."""
    values: list[Any] = []
    for vertex in graph.vertices:
        if vertex.op is None:
            values.append(vertex.value)
        else:
            inputs = [values[i] for i in vertex.inputs]
            out = vertex.op(inputs, **vertex.params) if vertex.op.variadic else vertex.op(*inputs, **vertex.params)
            values.append(out.numpy())
    return values


@given(programs(), st.floats(-1, 1), st.floats(-1, 1))
@settings(max_examples=60)
def test_a_captured_graph_computes_the_same_values_again(program: Program, a: float, b: float) -> None:
    graph = capture(lambda x, y: run_program(program, x, y), np.array(a), np.array(b))
    check_structure(graph)
    for vertex, value in zip(graph.vertices, evaluate(graph), strict=True):
        assert vertex.value is not None
        assert vertex.shape == np.shape(value)
        np.testing.assert_array_equal(vertex.value, value)
    again = capture(lambda x, y: run_program(program, x, y), np.array(a), np.array(b))
    plain = lambda g: [(v.kind, v.name, v.shape, v.dtype, v.op, v.inputs) for v in g.vertices]
    assert plain(graph) == plain(again)


def test_an_input_used_twice_is_listed_twice() -> None:
    graph = capture(lambda x: x * x, X)
    assert graph.vertices[graph.outputs[0]].inputs == (0, 0)
    assert graph.consumers[0] == [1, 1]


def test_plain_arrays_and_numbers_are_vertices() -> None:
    table = np.arange(3.0)

    def f(x: Tensor) -> Tensor:
        return x * table + table * x + 2

    graph = capture(f, X)
    kinds = [vertex.kind for vertex in graph.vertices]
    assert kinds.count("number") == 1
    assert kinds.count("input") == 2
    number = next(vertex for vertex in graph.vertices if vertex.kind == "number")
    assert (number.value, number.shape) == (2, ())
    check_structure(graph)


def test_params_and_variadic_ops_are_recorded() -> None:
    graph = capture(lambda x: tl.concatenate([x, x], axis=1).sum(axis=0, keepdims=True)[0, 1:], X)
    assert ops(graph) == [None, "concatenate", "sum", "getitem"]
    assert graph.vertices[1].inputs == (0, 0)
    assert dict(graph.vertices[1].params) == {"axis": 1}
    assert dict(graph.vertices[2].params) == {"axis": 0, "keepdims": True}
    assert graph.vertices[3].params["index"] == (0, slice(1, None))


@pytest.mark.parametrize("wrap", [lambda a, b: (a, b), lambda a, b: [a, b], lambda a, b: {"a": a, "b": b}])
def test_several_outputs(wrap: Callable[..., Any]) -> None:
    graph = capture(lambda x: wrap(x * 2, x), X)
    assert [graph.vertices[i].kind for i in graph.outputs] == ["op", "input"]


def test_capture_records_what_needs_no_gradient_and_graph_of_what_does() -> None:
    assert ops(capture(lambda x: (x > 0) * 2.0, X)) == [None, None, "greater", None, "mul"]
    x = Tensor(X, requires_grad=True, name="x")
    y = (2 * x).sum()
    graph = graph_of(y)
    assert [vertex.kind for vertex in graph.vertices] == ["parameter", "number", "op", "op"]
    check_structure(graph)
    lone = graph_of(Tensor(1.0))
    assert [vertex.kind for vertex in lone.vertices] == ["input"]
    assert lone.outputs == (0,)


def test_captured_tensors_still_have_gradients() -> None:
    w = Tensor(X, requires_grad=True, name="w")

    def f(x: Tensor) -> Tensor:
        loss = (x * w).sum()
        loss.backward()
        return loss

    capture(f, 3 * X)
    np.testing.assert_array_equal(w.grad.numpy(), 3 * X)


def test_the_backward_pass_is_a_graph_too() -> None:
    w = Tensor(X, requires_grad=True, name="w")

    def f(x: Tensor) -> Tensor:
        loss = (tl.tanh(x * w) ** 2).sum()
        (dw,) = tl.gradients(loss, [w], create_graph=True)
        return dw

    graph = capture(f, 3 * X)
    check_structure(graph)
    assert graph.vertices[graph.outputs[0]].name == "dw"
    assert graph.vertices[graph.outputs[0]].shape == X.shape
    np.testing.assert_allclose(evaluate(graph)[graph.outputs[0]], f(Tensor(3 * X)).numpy())


# --- size -------------------------------------------------------------------------------------------------------------


def test_ten_thousand_ops() -> None:
    def f(x: Tensor) -> Tensor:
        for _ in range(10_000):
            x = x + 1
        return x

    graph = capture(f, np.ones(()))
    assert sum(vertex.kind == "op" for vertex in graph.vertices) == 10_000
    assert graph.vertices[graph.outputs[0]].value == 10_001
    check_structure(graph)


def test_forty_doublings_are_forty_ops() -> None:
    def f(x: Tensor) -> Tensor:
        for _ in range(40):
            x = x + x
        return x

    graph = capture(f, np.ones(()))
    assert len(graph.vertices) == 41
    assert graph.vertices[-1].value == 2**40
    assert all(vertex.inputs == (i, i) for i, vertex in enumerate(graph.vertices[1:]))


# --- the hook ---------------------------------------------------------------------------------------------------------


def broken(x: Tensor) -> Tensor:
    y = x * 2
    raise KeyError(y.shape)


def test_an_exception_restores_hook_and_recording() -> None:
    with pytest.raises(KeyError):
        capture(broken, X)
    assert sys.getprofile() is None
    assert is_recording()
    assert not (Tensor(X) * 2).requires_grad
    assert (Tensor(X) * 2)._node is None  # recording everything has ended


def test_a_profiler_that_was_there_is_there_again() -> None:
    def profiler(frame: Any, event: str, arg: Any) -> None:
        pass

    sys.setprofile(profiler)
    try:
        capture(straight, X)
        after = sys.getprofile()
        with pytest.raises(KeyError):
            capture(broken, X)
        after_error = sys.getprofile()
    finally:
        sys.setprofile(None)
    assert after is profiler
    assert after_error is profiler


def test_a_capture_inside_a_capture() -> None:
    graphs: list[Graph] = []

    def f(x: Tensor) -> Tensor:
        graphs.append(capture(straight, x))
        y = x * 2
        return y

    outer = capture(f, X)
    assert named(outer, "y").op is REGISTRY["mul"]
    assert named(graphs[0], "Z").op is REGISTRY["add"]


@pytest.mark.parametrize("result", [None, 3.0, np.ones(2), "x", [None]], ids=repr)
def test_a_function_that_returns_no_tensor_is_refused(result: Any) -> None:
    with pytest.raises(TypeError, match="must return tensors"):
        capture(lambda x: result, X)
    assert sys.getprofile() is None


def test_repr_is_short() -> None:
    w = Tensor([1.0], requires_grad=True, name="w")
    assert repr(capture(lambda x: (w * x).sum(), np.ones(1))) == "Graph(4 vertices, 1 parameter, sum)"
    assert repr(capture(two_names, np.ones(1))).endswith(", 0 parameters, first)")
