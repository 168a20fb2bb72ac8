"""Laws of Module and the layers: what a module holds, what it is called, that loading a state is all or nothing.

What the layers compute is compared with PyTorch in tests/peers/test_nn.py.
"""

from __future__ import annotations

import copy
import math
import os
import pickle
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

import tinygrad_lite as tl
from tinygrad_lite import Tensor, manual_seed, nn, optim, random
from tinygrad_lite.nn import Buffer, Module, Parameter, activation, module


class Linear(Module):
    """W x + b, columns are samples."""

    def __init__(self, inputs: int = 2, outputs: int = 3) -> None:
        self.W = Parameter(np.ones((outputs, inputs)))
        self.b = Parameter(np.zeros((outputs, 1)))

    def forward(self, x: Any) -> Tensor:
        return self.W @ x + self.b


class Stack(Module):
    """Modules in a list, a dict and an attribute."""

    def __init__(self) -> None:
        self.layers = [Linear(2, 3), Linear(3, 1)]
        self.heads = {"left": Linear(1, 1)}
        self.encoder = Linear()
        self.scale = Parameter([1.0])
        self.note = "not a parameter"
        self.constant = Tensor([1.0])


def names(module: Module) -> list[str]:
    return [name for name, _ in module.named_parameters()]


def test_a_parameter_is_a_leaf_that_requires_a_gradient() -> None:
    p = Parameter([1.0, 2.0])
    assert isinstance(p, Tensor)
    assert p.requires_grad
    assert p.dtype == np.float32
    assert Parameter(np.ones(2)).dtype == np.float64
    assert Parameter([1, 2], dtype=np.float32).dtype == np.float32
    assert type(p * 2) is Tensor
    with pytest.raises(TypeError, match="float dtype"):
        Parameter([1, 2])


def test_parameters_are_found_and_named_in_the_order_of_assignment() -> None:
    net = Stack()
    assert names(net) == [
        *("layers.0.W", "layers.0.b", "layers.1.W", "layers.1.b", "heads.left.W", "heads.left.b"),
        *("encoder.W", "encoder.b", "scale"),
    ]
    assert [p.name for p in net.parameters()] == names(net)
    assert all(type(p) is Parameter for p in net.parameters())


def test_modules_need_no_super_init() -> None:
    class Bare(Module):
        pass

    bare = Bare()
    assert bare.parameters() == []
    assert bare.state_dict() == {}
    bare.W = Parameter([1.0])
    assert names(bare) == ["W"]


def test_tied_parameters_and_shared_modules_are_listed_once() -> None:
    class Tied(Module):
        def __init__(self) -> None:
            self.a = Parameter([1.0])
            self.b = self.a
            self.inner = Linear()
            self.twin = self.inner

    net = Tied()
    assert len(net.parameters()) == 3
    assert len({id(p) for p in net.parameters()}) == 3
    (net.a * net.b).sum().backward()
    optim.SGD(net.parameters(), lr=0.5).step()
    np.testing.assert_allclose(net.a.numpy(), [0.0])


def test_a_module_that_holds_itself_ends() -> None:
    net = Linear()
    net.me = net
    net.parts = [net, [net]]
    assert names(net) == ["W", "b"]


@pytest.mark.parametrize("value", [Tensor([1.0]), np.ones(2), None, 1.0, Linear()], ids=lambda v: type(v).__name__)
def test_a_parameter_is_not_replaced_by_something_else(value: Any) -> None:
    net = Linear()
    before = net.W
    with pytest.raises(TypeError, match=r"W \(3×2\) is a parameter.*self\.W\.assign"):
        net.W = value
    assert net.W is before


def test_a_parameter_may_be_replaced_by_a_parameter() -> None:
    net = Linear()
    net.W = Parameter(np.zeros((1, 2)))
    assert net.W.name == "W"
    assert net.W.shape == (1, 2)
    assert names(net) == ["W", "b"]


def test_an_ordinary_attribute_may_be_anything() -> None:
    net = Linear()
    net.steps = 1
    net.steps = None
    net.cache = np.ones(3)
    del net.cache
    assert names(net) == ["W", "b"]


def test_calling_a_module_calls_forward() -> None:
    x = np.ones((2, 4))
    np.testing.assert_array_equal(Linear()(x).numpy(), np.full((3, 4), 2.0))
    np.testing.assert_array_equal(Linear()(x=x).numpy(), Linear().forward(x).numpy())


def test_a_module_without_forward_says_so() -> None:
    with pytest.raises(TypeError, match=r"Stack defines no forward"):
        Stack()(1.0)


def test_state_dict_is_a_copy() -> None:
    net = Linear()
    state = net.state_dict()
    state["W"][:] = 7
    np.testing.assert_array_equal(net.W.numpy(), np.ones((3, 2)))
    net.W.assign(np.zeros((3, 2)))
    np.testing.assert_array_equal(state["W"], np.full((3, 2), 7.0))


def test_a_state_is_loaded() -> None:
    net, other = Stack(), Stack()
    for k, p in enumerate(net.parameters()):
        p.assign(np.full(p.shape, float(k)))
    before = other.parameters()
    other.load_state_dict(net.state_dict())
    assert all(a is b for a, b in zip(before, other.parameters(), strict=True))
    for name, value in other.state_dict().items():
        np.testing.assert_array_equal(value, net.state_dict()[name])
    other.load_state_dict({name: Tensor(value) for name, value in net.state_dict().items()})
    other.load_state_dict({name: value.tolist() for name, value in net.state_dict().items()})


def test_a_loaded_state_keeps_the_dtype() -> None:
    net = Module()
    net.W = Parameter([1.0])
    net.load_state_dict({"W": np.array([2.0])})
    assert net.W.dtype == np.float32


BAD_STATES: dict[str, tuple[Callable[[dict[str, Any]], Any], type[Exception], str]] = {
    "missing": (lambda s: s.pop("b"), ValueError, "b is missing"),
    "unexpected": (lambda s: s.update(extra=1.0), ValueError, "extra is unexpected"),
    "misshapen": (lambda s: s.update(b=np.zeros(4)), ValueError, r"b has shape \(4,\), expected \(3, 1\)"),
    "a row for a column": (
        lambda s: s.update(b=np.zeros((1, 3))),
        ValueError,
        r"b has shape \(1, 3\), expected \(3, 1\)",
    ),
    "all at once": (
        lambda s: (s.pop("W"), s.update(b=0.0, c=1.0)),
        ValueError,
        "W is missing; c is unexpected; b has shape",
    ),
    "complex": (lambda s: s.update(b=np.zeros((3, 1), complex)), TypeError, "complex"),
    "strings": (lambda s: s.update(b=np.array([["x"]] * 3)), TypeError, "dtype"),
    "None": (lambda s: s.update(b=None), TypeError, "NoneType"),
    "ragged": (lambda s: s.update(b=[[1.0], [1.0, 2.0]]), ValueError, "list"),
}


@pytest.mark.parametrize(("spoil", "error", "message"), BAD_STATES.values(), ids=BAD_STATES)
def test_a_state_that_does_not_fit_changes_nothing(spoil: Any, error: Any, message: str) -> None:
    net = Linear()
    state: dict[str, Any] = {name: value + 5 for name, value in net.state_dict().items()}
    spoil(state)
    with pytest.raises(error, match=message):
        net.load_state_dict(state)
    np.testing.assert_array_equal(net.W.numpy(), np.ones((3, 2)))
    np.testing.assert_array_equal(net.b.numpy(), np.zeros((3, 1)))


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))], ids=["deepcopy", "pickle"]
)
def test_a_copied_module_trains_apart(copied: Callable[[Module], Any]) -> None:
    net = Linear()
    twin = copied(net)
    assert names(twin) == names(net)
    assert all(type(p) is Parameter for p in twin.parameters())
    twin(np.ones((2, 1))).sum().backward()
    assert net.W.grad is None
    assert twin.W.grad is not None
    optim.SGD(twin.parameters(), lr=1.0).step()
    np.testing.assert_array_equal(net.W.numpy(), np.ones((3, 2)))
    np.testing.assert_array_equal(twin.W.numpy(), np.zeros((3, 2)))


def test_a_deepcopy_keeps_ties() -> None:
    net = Linear()
    net.again = net.W
    twin = copy.deepcopy(net)
    assert twin.again is twin.W
    assert twin.W is not net.W


# --- names ------------------------------------------------------------------------------------------------------------


def agree(net: Module) -> None:
    """The name that a parameter bears is the one under which it is listed."""
    assert [part.name for part in net.parameters()] == names(net)
    assert [part.name for part in net.buffers()] == [name for name, _ in net.named_buffers()]


def test_what_is_appended_to_a_list_is_named_with_the_next_assignment() -> None:
    net: Any = Module()
    net.layers = []
    for _ in range(3):
        net.layers.append(Linear())
    net.out = Linear()
    agree(net)
    assert net.layers[2].W.name == "layers.2.W"


def test_names_follow_when_parameters_change_places() -> None:
    net: Any = Module()
    net.a, net.b = Parameter([1.0]), Parameter([2.0])
    net.tied = net.a
    agree(net)
    net.a, net.b = net.b, net.a
    agree(net)
    net.inner = Linear()
    net.twin = net.inner
    net.again = [net.inner.W, {"here": net.a}]
    agree(net)
    net.inner = Linear()
    agree(net)
    net.inner = net.twin
    agree(net)


def test_an_inner_module_brought_in_is_renamed_from_the_outside() -> None:
    inner, net = Stack(), Module()
    net.scale = Parameter([1.0])  # the name of one of the inner ones
    net.inner = inner
    agree(net)
    assert inner.scale.name == "inner.scale"


def walked(monkeypatch: pytest.MonkeyPatch, n: int) -> int:
    """How many parts are visited while n modules are assigned to one."""
    count = 0
    walk = module._walk

    def counting(*args: Any, **kwargs: Any) -> Any:
        nonlocal count
        for found in walk(*args, **kwargs):
            count += 1
            yield found

    monkeypatch.setattr(module, "_walk", counting)
    net = Module()
    for i in range(n):
        setattr(net, f"layer{i}", Linear())
    monkeypatch.undo()
    agree(net)
    return count


def test_assigning_modules_costs_as_much_as_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert walked(monkeypatch, 200) == 4 * walked(monkeypatch, 50)


TAKEN = ["train", "eval", "parameters", "forward", "zero_grad", "save", "modules", "summary"]


@pytest.mark.parametrize("name", TAKEN)
@pytest.mark.parametrize("value", [3, [], nn.Linear(1, 1), len], ids=str)
def test_a_method_is_not_shadowed(name: str, value: Any) -> None:
    net = Linear()
    with pytest.raises(
        AttributeError, match=f"{name} is a method of every module; .* of Linear another name.* {name}_"
    ):
        setattr(net, name, value)
    net.training, net.loss = False, value  # neither is one
    assert callable(getattr(net, name))


@given(
    key=st.sampled_from([0, "0", "a", "b", "a.b", "a.0", 1.0, True]),
    others=st.permutations([0, "0", "a", "a.b", "a.0"]),
)
def test_a_name_stands_for_one_parameter_or_is_refused(key: Any, others: list[Any]) -> None:
    net: Any = Module()
    net.parts = {other: Parameter([float(i)]) for i, other in enumerate(others[:3])}
    net.parts[key] = {"b": Parameter([7.0]), 0: Parameter([8.0])}
    paths = [f"{k}" for k in net.parts if k is not key] + [f"{key}.b", f"{key}.0"]
    if net.parts[key] is not None and len(set(paths)) < len(paths):
        for use in (net.state_dict, lambda: net.load_state_dict({})):
            with pytest.raises(ValueError, match=r"two parameters or buffers of Module are called parts\."):
                use()
    else:
        assert len(net.state_dict()) == len(net.parameters())


def test_a_frozen_parameter_gets_no_gradient_and_is_no_optimisers() -> None:
    net, x = Linear(), np.ones((2, 1))
    before = net(x).sum()
    net.W.requires_grad = False
    net(x).sum().backward()
    assert (net.W.grad is None, net.b.grad is None) == (True, False)
    assert names(net) == ["W", "b"]
    assert list(net.state_dict()) == ["W", "b"]
    assert [line.split()[-1] for line in net.summary().splitlines()[-2:]] == ["3", "6"]
    with pytest.raises(
        ValueError, match=r"W .*leave out what is frozen: \[p for p in net\.parameters\(\) if p.requires_grad"
    ):
        optim.SGD(net.parameters(), lr=0.1)
    optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.1)
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert not twin.W.requires_grad
    before.backward()  # recorded earlier: as it was
    assert net.W.grad is not None
    net.W.grad, net.W.requires_grad = None, True
    net(x).sum().backward()
    assert net.W.grad is not None
    agree(net)


# --- buffers ----------------------------------------------------------------------------------------------------------


class Counter(Module):
    """A module with a parameter and two buffers."""

    def __init__(self) -> None:
        self.scale = Parameter([2.0])
        self.total = Buffer(np.zeros(3))
        self.calls = Buffer(0)

    def forward(self, x: Any) -> Tensor:
        self.calls.assign(self.calls.numpy() + 1)
        return self.scale * x + self.total


def test_a_buffer_is_state_without_a_gradient() -> None:
    net = Counter()
    assert not net.total.requires_grad
    assert (net.total.dtype, net.calls.dtype) == (np.float64, np.int64)
    assert names(net) == ["scale"]
    assert [name for name, _ in net.named_buffers()] == ["total", "calls"]
    assert net.buffers()[0] is net.total
    assert list(net.state_dict()) == ["scale", "total", "calls"]
    net(np.ones(3)).sum().backward()
    assert net.total.grad is None
    assert net.state_dict()["calls"] == 1
    agree(net)


def test_a_buffer_is_not_replaced_by_something_else() -> None:
    net = Counter()
    for value in (net.total + 1, np.zeros(3), Parameter([1.0])):
        with pytest.raises(TypeError, match=r"total \(3,\) is a buffer.*self\.total\.assign"):
            net.total = value
    with pytest.raises(TypeError, match=r"scale .* is a parameter"):
        net.scale = Buffer([1.0])
    net.total = Buffer([1.0])
    assert net.total.name == "total"


def test_a_copied_buffer_is_apart() -> None:
    net = Counter()
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        twin.calls.assign(7)
        assert type(twin.calls) is Buffer
        assert net.calls.item() == 0


# --- the tree of modules ----------------------------------------------------------------------------------------------


def test_modules_and_children() -> None:
    net = Stack()
    assert [name for name, _ in net.named_modules()] == ["", "layers.0", "layers.1", "heads.left", "encoder"]
    assert net.modules()[0] is net
    assert net.children() == net.modules()[1:]
    net.outer = nn.Sequential(net.encoder, nn.Sequential(Linear()))
    assert [name for name, _ in net.named_children()] == ["layers.0", "layers.1", "heads.left", "encoder", "outer"]
    assert "outer.1.0" in dict(net.named_modules())


def test_training_mode_reaches_all_modules() -> None:
    net = Stack()
    assert all(part.training for part in net.modules())
    assert net.eval() is net
    assert not any(part.training for part in net.modules())
    assert net.train() is net
    assert all(part.training for part in net.modules())
    net.layers[1].train(False)
    assert [part.training for part in net.modules()] == [True, True, False, True, True]
    assert Linear().training


def test_zero_grad_forgets_the_gradients() -> None:
    net = Linear()
    net(np.ones((2, 1))).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_print_shows_the_tree() -> None:
    assert repr(Linear()) == "Linear()"
    net = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.ReLU()))
    assert repr(net) == (
        "Sequential(\n  (0): Linear(in_features=2, out_features=3, bias=True)\n  (1): Sequential(\n    (0): ReLU()\n  )\n)"
    )
    net.me = net
    assert "(me): ..." in repr(net)
    assert repr(nn.MultiHeadAttention(4, 2)).splitlines()[1:] == [
        "  embed_dim=4, num_heads=2",
        "  (out_proj): Linear(in_features=4, out_features=4, bias=True)",
        ")",
    ]


def test_the_summary_counts_every_number_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "10")
    net: Any = Stack()
    net.count = Counter()
    net.tied = net.encoder
    net.heads["[bold]:smile: a rather long name, 漢字"] = Linear(100, 200)
    lines = net.summary().splitlines()
    body = {line.split("  ")[0]: line for line in lines}
    assert lines[0].split() == ["name", "kind", "shape", "elements"]
    assert body["layers.0"].split() == ["layers.0", "Linear", "9"]
    assert body["encoder.W"].split() == ["encoder.W", "parameter", "3×2", "6"]
    assert body["count.calls"].split() == ["count.calls", "buffer", "scalar", "1"]
    assert "heads.[bold]:smile: a rather long name, 漢字.W" in body
    assert lines[-2].split() == ["trainable", f"{sum(p.size for p in net.parameters()):,}"]
    assert lines[-1].split() == ["not", "trainable", "4"]
    assert "tied" not in body


# --- state ------------------------------------------------------------------------------------------------------------


def test_a_vector_is_loaded_into_a_column() -> None:
    net = Linear()
    net.load_state_dict({"W": np.ones((3, 2)), "b": np.arange(3.0)})
    np.testing.assert_array_equal(net.b.numpy(), [[0.0], [1.0], [2.0]])


def test_a_float_is_not_loaded_into_a_count() -> None:
    net = Counter()
    state = net.state_dict() | {"calls": np.array(1.5), "scale": np.array([9.0])}
    with pytest.raises(ValueError, match="calls has dtype float64, expected int64"):
        net.load_state_dict(state)
    assert net.scale.item() == 2.0
    net.load_state_dict(state | {"calls": np.array(3, np.int32), "scale": np.array([9])})
    assert (net.calls.item(), net.calls.dtype, net.scale.item()) == (3, np.int64, 9.0)


def test_a_state_is_saved_and_loaded(tmp_path: Path) -> None:
    net, other, path = Stack(), Stack(), tmp_path / "net.safetensors"
    net.count, other.count = Counter(), Counter()
    net.encoder.W = Parameter(np.asfortranarray(np.arange(6.0).reshape(3, 2)))
    net.count.calls.assign(5)
    net.save(path)
    other.load(str(path))
    for name, value in other.state_dict().items():
        np.testing.assert_array_equal(value, net.state_dict()[name])
    assert {name: (a.shape, a.dtype) for name, a in load_file(path).items()} == {
        name: (a.shape, a.dtype) for name, a in net.state_dict().items()
    }
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_file_of_a_run_is_loaded_without_the_state_of_its_optimiser(tmp_path: Path) -> None:
    net, path = Linear(), tmp_path / "weights.safetensors"
    state = {name: value + 1 for name, value in net.state_dict().items()}
    save_file(state | {"optimizer/m.0": np.ones(3)}, path)
    net.load(path)
    np.testing.assert_array_equal(net.W.numpy(), np.full((3, 2), 2.0))
    net.heads = {"a/b": Linear()}
    net.save(path)
    net.load(path)


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net, path = Linear(), tmp_path / "net.safetensors"
    net.save(path)
    before = path.read_bytes()

    def full(_file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        net.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_file_that_does_not_fit_changes_nothing(tmp_path: Path) -> None:
    net, path = Linear(), tmp_path / "net.safetensors"
    with pytest.raises(FileNotFoundError, match=r"net.safetensors: no such file"):
        net.load(path)
    path.write_bytes(b"not safetensors at all")
    with pytest.raises(ValueError, match=r"net.safetensors: no arrays can be read"):
        net.load(path)
    header = b'{"W":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}'
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0\0")
    with pytest.raises(ValueError, match=r"net.safetensors: no arrays can be read .*bfloat16, be saved as float32"):
        net.load(path)
    save_file({"W": np.zeros((3, 2)), "c": np.zeros(1)}, path)
    with pytest.raises(
        ValueError, match=r"net.safetensors: the state does not fit Linear: b is missing; c is unexpected"
    ):
        net.load(path)
    with pytest.raises(ValueError, match=r"tmp|no arrays"):
        net.load(tmp_path)
    np.testing.assert_array_equal(net.W.numpy(), np.ones((3, 2)))


# --- layers -----------------------------------------------------------------------------------------------------------

LAYERS: dict[str, Callable[[], Module]] = {
    "Linear": lambda: nn.Linear(3, 4),
    "Conv1d": lambda: nn.Conv1d(2, 4, 3, groups=2),
    "Conv2d": lambda: nn.Conv2d(2, 4, 3, padding="same"),
    "ConvTranspose1d": lambda: nn.ConvTranspose1d(2, 4, 3, 2, output_padding=1, groups=2),
    "ConvTranspose2d": lambda: nn.ConvTranspose2d(2, 4, 3, bias=False),
    "MaxPool1d": lambda: nn.MaxPool1d(2, dilation=2),
    "MaxPool2d": lambda: nn.MaxPool2d(2),
    "AvgPool1d": lambda: nn.AvgPool1d(2),
    "AvgPool2d": lambda: nn.AvgPool2d(2),
    "Embedding": lambda: nn.Embedding(5, 3),
    "LayerNorm": lambda: nn.LayerNorm((2, 3)),
    "BatchNorm1d": lambda: nn.BatchNorm1d(3),
    "BatchNorm2d": lambda: nn.BatchNorm2d(3),
    "Dropout": lambda: nn.Dropout(0.3),
    "MultiHeadAttention": lambda: nn.MultiHeadAttention(4, 2),
    "Flatten": lambda: nn.Flatten(),
    "Sequential": lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU()),
    **{name: getattr(nn, name) for name in activation.__all__},
}


def test_every_layer_is_listed() -> None:
    classes = {name for name in nn.__all__ if isinstance(getattr(nn, name), type)}
    assert classes - set(LAYERS) == {"Buffer", "Module", "Parameter"}


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_a_layer_is_float32_repeatable_and_can_be_copied_and_pickled(make: Callable[[], Module]) -> None:
    manual_seed(0)
    layer = make()
    assert {p.dtype for p in layer.parameters()} <= {np.dtype(np.float32)}
    manual_seed(0)
    for twin in (make(), copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert repr(twin) == repr(layer)
        for (name, value), (other, found) in zip(layer.state_dict().items(), twin.state_dict().items(), strict=True):
            assert name == other
            np.testing.assert_array_equal(found, value)
    assert type(layer).__doc__
    assert repr(layer).startswith(type(layer).__name__)


REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "Linear, axis": (lambda: nn.Linear(2, 3, axis=1), ValueError, "axis must be"),
    "Linear, three axes": (lambda: nn.Linear(3, 2, axis=0)(np.ones((2, 3, 4))), ValueError, "reshape it to two axes"),
    "Linear, sizes": (lambda: nn.Linear(2, 3)(np.ones((5, 4))), ValueError, "weight|matmul"),
    "Conv2d, groups": (lambda: nn.Conv2d(3, 4, 3, groups=2), ValueError, "groups=2 must divide in_channels=3"),
    "ConvTranspose1d, output_padding": (
        lambda: nn.ConvTranspose1d(3, 4, 3, stride=2, output_padding=2),
        ValueError,
        "output_padding=2 must be below stride=2",
    ),
    "Conv2d, kernel": (lambda: nn.Conv2d(3, 4, (3, 3, 3)), ValueError, "kernel_size must be a number or 2 of them"),
    "Conv1d, pictures": (lambda: nn.Conv1d(3, 4, 3)(np.ones((1, 3, 5, 5))), ValueError, "conv1d takes"),
    "LayerNorm, shape": (
        lambda: nn.LayerNorm(3)(np.ones((3, 4))),
        ValueError,
        r"LayerNorm\(3,\) takes inputs that end",
    ),
    "BatchNorm1d, pictures": (lambda: nn.BatchNorm1d(3)(np.ones((2, 3, 4, 4))), ValueError, "of 2 or 3 axes"),
    "BatchNorm2d, channels": (lambda: nn.BatchNorm2d(3)(np.ones((2, 4, 4, 4))), ValueError, "the second of 3"),
    "BatchNorm1d, one sample": (
        lambda: nn.BatchNorm1d(3)(np.ones((1, 3))),
        ValueError,
        "more than one value per channel; choose a batch size that leaves no batch of one sample",
    ),
    "BatchNorm1d, no sample": (
        lambda: nn.BatchNorm1d(3)(np.ones((0, 3))),
        ValueError,
        "more than one value per channel",
    ),
    **{
        f"Dropout, p={p}": (lambda p=p: nn.Dropout(p), ValueError, "p must be a number from 0 to 1")
        for p in (1.5, -1, "a")
    },
    **{
        f"{kind.__name__}, {name}={value}": (
            lambda kind=kind, name=name, value=value: kind(3, **{name: value}),
            ValueError,
            f"{name} must be",
        )
        for kind, name, values in (
            (nn.BatchNorm1d, "eps", (0, -1e-5, math.nan, None)),
            (nn.BatchNorm2d, "momentum", (-0.1, 1.5, math.nan, None)),
            (nn.LayerNorm, "eps", (-1e-5, "a")),
            (nn.MaxPool2d, "stride", (0, 1.5)),
            (nn.AvgPool2d, "padding", (-1, (1, 2, 3))),
        )
        for value in values
    },
    **{
        f"{kind.__name__}{sizes}": (lambda kind=kind, sizes=sizes: kind(*sizes), ValueError, message)
        for kind, sizes, message in (
            (nn.Conv2d, (1, 2, 0), "kernel_size must be a whole number ≥ 1, not 0"),
            (nn.Conv2d, (1, 2, 3.0), "kernel_size must be a whole number ≥ 1, not 3.0"),
            (nn.Conv1d, (1, 2, 3, 0), "stride must be a whole number ≥ 1, not 0"),
            (nn.Conv1d, (1, 2, 3, 1, -1), "padding must be a whole number ≥ 0, not -1"),
            (nn.Conv2d, (1, 2, 3, 1, "full"), "padding must be numbers, 'valid', or with stride 1 'same', not 'full'"),
            (nn.Conv2d, (1, 2, 3, 2, "same"), "padding must be numbers, 'valid', or with stride 1 'same', not 'same'"),
            (nn.Conv2d, (-1, 2, 3), "in_channels must be a whole number ≥ 1"),
            (nn.Linear, (3, -2), "out_features must be a whole number ≥ 0, not -2"),
            (nn.Linear, (3.0, 2), "in_features must be a whole number ≥ 0, not 3.0"),
            (nn.Sequential, ({1: nn.ReLU()},), "1 cannot be the name of a module"),
            (nn.MaxPool2d, (0,), "kernel_size must be a whole number ≥ 1"),
            (nn.BatchNorm1d, (0,), "num_features must be a whole number ≥ 1"),
            (nn.LayerNorm, ((),), "normalized_shape must be"),
            (nn.LayerNorm, ((3, 0),), "normalized_shape must be a whole number ≥ 1, not 0"),
            (nn.MultiHeadAttention, (8, 2.0), "num_heads must be a whole number ≥ 1, not 2.0"),
            (nn.MultiHeadAttention, (8, True), "num_heads must be a whole number"),
        )
    },
    "Embedding, index": (lambda: nn.Embedding(3, 2)(np.array([3])), IndexError, "3"),
    "MultiHeadAttention, heads": (lambda: nn.MultiHeadAttention(6, 4), ValueError, "must be a multiple of num_heads=4"),
    "MultiHeadAttention, input": (
        lambda: nn.MultiHeadAttention(4, 2)(*[np.ones((2, 4))] * 3),
        ValueError,
        "takes inputs",
    ),
    "Sequential, function": (lambda: nn.Sequential(np.tanh), TypeError, "takes modules, not"),
    "Sequential, name": (lambda: nn.Sequential({"a.b": nn.ReLU()}), ValueError, "cannot be the name"),
    "Sequential, taken name": (lambda: nn.Sequential({"forward": nn.ReLU()}), ValueError, "cannot be the name"),
    "Softmax, argument": (lambda: nn.Softmax(dim=1), TypeError, r"Softmax\(axis"),
    "gain": (lambda: nn.init.gain("sine"), ValueError, "no gain is known for 'sine'"),
    "fans": (lambda: nn.init.fans((3,)), ValueError, "no fan in"),
    "mode": (lambda: nn.init.kaiming_normal((3, 2), mode="in"), ValueError, "mode must be"),
}


@pytest.mark.parametrize(("wrong", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_refused(wrong: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        wrong()


@given(m=st.integers(0, 4), inputs=st.integers(1, 4), outputs=st.integers(1, 4), bias=st.booleans())
@settings(max_examples=20)
def test_a_linear_layer_serves_rows_and_columns(m: int, inputs: int, outputs: int, bias: bool) -> None:
    rows, columns = nn.Linear(inputs, outputs, bias), nn.Linear(inputs, outputs, bias, axis=0)
    columns.load_state_dict(rows.state_dict())
    X = random.generator().normal(size=(inputs, m))
    np.testing.assert_allclose(columns(X).numpy(), rows(X.T).numpy().T, rtol=1e-12, atol=1e-12)
    x = X[:, 0] if m else np.ones(inputs)
    np.testing.assert_allclose(columns(x).numpy(), rows(x).numpy(), rtol=1e-12, atol=1e-12)
    expected = rows.weight.numpy() @ X + (rows.bias.numpy()[:, None] if bias else 0)
    np.testing.assert_allclose(columns(X).numpy(), expected, rtol=1e-12, atol=1e-12)


def test_integers_of_numpy_are_sizes() -> None:
    n = np.int64
    for make, sizes in (
        (nn.Linear, (4, 2)),
        (nn.Conv1d, (1, 2, 3)),
        (nn.Conv2d, (1, 2, 3)),
        (nn.LayerNorm, (4,)),
        (nn.BatchNorm2d, (4,)),
        (nn.MultiHeadAttention, (4, 2)),
    ):
        for ours in (make(*map(n, sizes)), make(*map(np.uint8, sizes))):
            assert repr(ours) == repr(make(*sizes)), make  # type: ignore[arg-type]
    np.testing.assert_array_equal(nn.MaxPool2d(n(2))(np.ones((1, 1, 4, 4))).numpy(), np.ones((1, 1, 2, 2)))


@given(spread=st.floats(1, 1000), centre=st.floats(-1000, 1000), dtype=st.sampled_from([np.float16, np.float32]))
def test_running_statistics_do_not_overflow(spread: float, centre: float, dtype: Any) -> None:
    """Those of float16 inputs are those of the same numbers in float64."""
    x = (spread * np.random.default_rng(0).standard_normal((300, 2)) + centre).astype(dtype)
    narrow, wide = nn.BatchNorm1d(2, momentum=1.0), nn.BatchNorm1d(2, momentum=1.0)
    narrow._track(x)
    wide._track(x.astype(np.float64))
    for (_, found), (_, right) in zip(narrow.named_buffers(), wide.named_buffers(), strict=True):
        np.testing.assert_allclose(found.numpy(), right.numpy(), rtol=1e-4, atol=1e-4)


def test_a_batch_norm_that_evaluates_leaves_its_statistics() -> None:
    norm = nn.BatchNorm1d(2)
    x = np.array([[1.0, 2.0], [3.0, 6.0]])
    norm(x)
    np.testing.assert_allclose(norm.running_mean.numpy(), [0.2, 0.4], rtol=1e-6)
    np.testing.assert_allclose(norm.running_var.numpy(), [0.9 + 0.1 * 2, 0.9 + 0.1 * 8], rtol=1e-6)
    state = norm.eval().state_dict()
    norm(x[:1])
    for name, value in norm.state_dict().items():
        np.testing.assert_array_equal(value, state[name])


def test_a_batch_that_is_refused_leaves_the_statistics() -> None:
    norm = nn.BatchNorm1d(2)
    with pytest.raises(ValueError):
        norm(np.ones((1, 2)))
    assert norm.num_batches_tracked.item() == 0


def test_dropout_drops_in_training_only() -> None:
    manual_seed(0)
    x, layer = np.full(10_000, 3.0), nn.Dropout(0.25)
    y = layer(x).numpy()
    np.testing.assert_allclose(np.unique(y), [0.0, 4.0])
    assert abs((y == 0).mean() - 0.25) < 0.02
    np.testing.assert_array_equal(layer.eval()(x).numpy(), x)


def test_sequential_is_a_sequence() -> None:
    parts = [nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)]
    net = nn.Sequential(*parts)
    assert list(net) == parts
    assert len(net) == 3
    assert net[0] is parts[0]
    assert net[-1] is parts[2]
    with pytest.raises(IndexError):
        net[3]
    assert names(net) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert list(net[1:]) == parts[1:]
    assert names(net[1:]) == ["2.weight", "2.bias"]
    whole: Any = Module()
    whole.body = net
    net[:1], net[1:]
    agree(whole)
    x = np.ones((4, 2))
    np.testing.assert_array_equal(net(x).numpy(), parts[2](parts[1](parts[0](x))).numpy())
    named = nn.Sequential(OrderedDict(first=parts[0], then=parts[1]))
    assert names(named) == ["first.weight", "first.bias"]
    assert named.first is parts[0]
    again = nn.Sequential(parts[1], parts[0], parts[1])
    assert len(again) == 3  # a module may be used twice
    assert len(nn.Sequential()) == 0
    assert nn.Sequential()(1.0) == 1.0


def test_lists_of_layers_are_named_as_pytorch_names_them() -> None:
    net: Any = Module()
    net.layers = [nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2))]
    assert names(net) == ["layers.0.weight", "layers.0.bias", "layers.1.0.weight", "layers.1.0.bias"]
    agree(net)


# --- initialisers -----------------------------------------------------------------------------------------------------


def test_initialisers_draw_float32_of_the_shape_from_the_seeded_generator() -> None:
    for name in ("uniform", "normal", "kaiming_uniform", "kaiming_normal", "xavier_uniform", "xavier_normal"):
        draw = getattr(nn.init, name)
        manual_seed(3)
        first, second = draw((2, 3)), draw((2, 3))
        manual_seed(3)
        np.testing.assert_array_equal(draw((2, 3)), first)
        assert not np.array_equal(first, second)
        assert (first.dtype, first.shape) == (np.float32, (2, 3))
        assert draw((0, 3)).shape == (0, 3)
        assert draw((3, 0)).shape == (3, 0)
    np.testing.assert_array_equal(nn.init.constant(2, 0.5), np.full(2, 0.5, np.float32))
    np.testing.assert_array_equal(nn.init.ones((1, 2)), np.ones((1, 2), np.float32))
    np.testing.assert_array_equal(nn.init.zeros(2), np.zeros(2, np.float32))
    assert nn.Linear(0, 2).bias.numpy().tolist() == [0.0, 0.0]


# --- set and seeded where it matters ------------------------------------------------------------------------------------


def test_setting_requires_grad_to_what_it_is_changes_nothing() -> None:
    p = nn.Parameter([2.0])
    y = p * p
    p.requires_grad = True
    assert tl.gradients(y, [p])[0].item() == 4
    p.requires_grad = False
    with pytest.raises(ValueError, match="no gradient flows"):
        tl.gradients(y, [p])
    p.requires_grad = True  # the graph from before knows it still
    assert tl.gradients(y, [p])[0].item() == 4
    y.backward()
    assert p.grad.item() == 4


def test_the_gradient_of_a_parameter_that_was_frozen_then_is_refused() -> None:
    p, q = nn.Parameter([2.0], name="p"), nn.Parameter([3.0])
    p.requires_grad = False
    y = p * q
    p.requires_grad = True
    with pytest.raises(ValueError, match=r"p \(1,\) was frozen when .* was computed from it"):
        tl.gradients(y, [p])
    assert tl.gradients(y, [q])[0].item() == 2
    assert tl.gradients(p * q, [p])[0].item() == 3


def test_random_numbers_in_threads_are_those_of_one_after_the_other() -> None:
    def draw(seed: int) -> np.ndarray:
        tl.manual_seed(seed)
        barrier.wait(timeout=60)  # all are seeded before one draws
        return np.concatenate([tl.dropout(np.ones(5), 0.5).numpy() for _ in range(20)])

    barrier = threading.Barrier(1)
    alone = [draw(seed) for seed in range(3)]
    barrier = threading.Barrier(3)
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(draw, range(3)))
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("name", ["net.npz", "net.PT", "net.pth", "net.pkl"])
def test_a_name_that_promises_another_format_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"saved as safetensors; name it net\.safetensors"):
        nn.Linear(1, 1).save(tmp_path / name)
    assert not list(tmp_path.iterdir())
    nn.Linear(1, 1).save(tmp_path / "net")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_weights_that_are_a_pipe_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "net.safetensors")  # nobody writes into it: to open it would wait for ever
    with pytest.raises(ValueError, match="a pipe or a device, not a file"):
        nn.Linear(1, 1).load(tmp_path / "net.safetensors")
