"""The layers compute what PyTorch's do: outputs, gradients and running statistics, with weights taken over by a file.

Beside the laws stand the mutants that they must catch.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_lite import Tensor, gradients, manual_seed, nn
from tinygrad_lite.nn import activation

torch = pytest.importorskip("torch")
from safetensors.torch import load_file, save_file  # noqa: E402


class Pair(NamedTuple):
    """A layer, PyTorch's, and how to call both: inputs of these shapes, m the number of samples."""

    ours: Callable[[], Any]
    theirs: Callable[[], Any]
    shapes: Callable[[int], list[tuple[int, ...]]]


class Attention(torch.nn.Module):
    """PyTorch's attention, which returns weights too, with arguments of its own for a mask."""

    def __init__(self, *args: Any, causal: bool = False, **kwargs: Any) -> None:
        super().__init__()
        self.inner = torch.nn.MultiheadAttention(*args, **{"batch_first": True, **kwargs})
        self.causal = causal

    def forward(self, q: Any, k: Any, v: Any) -> Any:
        first = 1 if self.inner.batch_first else 0
        mask = torch.ones(q.shape[first], k.shape[first], dtype=torch.bool).triu(1) if self.causal else None
        return self.inner(q, k, v, attn_mask=mask, need_weights=False)[0]


class Ours(nn.Module):
    """Attention under the name that it has above."""

    def __init__(self, *args: Any, causal: bool = False, **kwargs: Any) -> None:
        self.inner = nn.MultiHeadAttention(*args, **kwargs)
        self.causal = causal

    def forward(self, q: Any, k: Any, v: Any) -> Tensor:
        return self.inner(q, k, v, is_causal=self.causal)


def conv2d(m: int) -> list[tuple[int, ...]]:
    return [(m, 4, 7, 6)]


def sequences(m: int) -> list[tuple[int, ...]]:
    return [(m, 5, 8)] * 3


class Net(nn.Module):
    """Layers in a list, as a transformer has them."""

    def __init__(self) -> None:
        self.layers = [nn.Sequential(nn.LayerNorm(6), nn.Linear(6, 6), nn.Tanh()) for _ in range(2)]
        self.head = nn.Linear(6, 2)

    def forward(self, x: Any) -> Tensor:
        for layer in self.layers:
            x = x + layer(x)
        return self.head(x)


class TorchNet(torch.nn.Module):
    """The same in PyTorch."""

    def __init__(self) -> None:
        super().__init__()
        layers = [torch.nn.Sequential(torch.nn.LayerNorm(6), torch.nn.Linear(6, 6), torch.nn.Tanh()) for _ in range(2)]
        self.layers = torch.nn.ModuleList(layers)
        self.head = torch.nn.Linear(6, 2)

    def forward(self, x: Any) -> Any:
        for layer in self.layers:
            x = x + layer(x)
        return self.head(x)


def network(package: Any) -> Any:
    return package.Sequential(
        package.Conv2d(1, 4, 3, padding=1),
        package.BatchNorm2d(4),
        package.ReLU(),
        package.MaxPool2d(2),
        package.Flatten(),
        package.Linear(36, 5),
        package.BatchNorm1d(5),
        package.Sigmoid(),
    )


def same(make: Callable[[Any], Any], shapes: Callable[[int], list[tuple[int, ...]]]) -> Pair:
    """A layer that is called the same in both."""
    return Pair(lambda: make(nn), lambda: make(torch.nn), shapes)


PAIRS = {
    "Linear": same(lambda n: n.Linear(3, 4), lambda m: [(m, 3)]),
    "Linear, no bias": same(lambda n: n.Linear(3, 4, bias=False), lambda m: [(m, 3)]),
    "Linear, more axes": same(lambda n: n.Linear(3, 4), lambda m: [(m, 2, 5, 3)]),
    "Conv1d": same(lambda n: n.Conv1d(4, 6, 3, 2, 1, 2, 2), lambda m: [(m, 4, 9)]),
    "Conv1d, same": same(lambda n: n.Conv1d(4, 2, 5, padding="same", bias=False), lambda m: [(m, 4, 9)]),
    "Conv2d": same(lambda n: n.Conv2d(4, 3, 3), conv2d),
    "Conv2d, settings": same(lambda n: n.Conv2d(4, 6, (3, 2), (2, 1), (1, 0), (1, 2), 2, bias=False), conv2d),
    "ConvTranspose1d": same(lambda n: n.ConvTranspose1d(4, 6, 3, 2, 1, 1, 2), lambda m: [(m, 4, 9)]),
    "ConvTranspose2d": same(lambda n: n.ConvTranspose2d(4, 3, 2, bias=False, dilation=2), conv2d),
    "ConvTranspose2d, settings": same(lambda n: n.ConvTranspose2d(4, 6, (3, 2), (2, 3), (1, 0), (1, 2), 2), conv2d),
    "MaxPool1d": same(lambda n: n.MaxPool1d(3, 2, 1, 2), lambda m: [(m, 4, 9)]),
    "AvgPool1d": same(lambda n: n.AvgPool1d(3, 2, 1), lambda m: [(m, 4, 9)]),
    "MaxPool2d, dilated": same(lambda n: n.MaxPool2d(2, 1, 1, (2, 3)), conv2d),
    "MaxPool2d": same(lambda n: n.MaxPool2d(3, 2, 1), conv2d),
    "MaxPool2d, default": same(lambda n: n.MaxPool2d((2, 3)), conv2d),
    "AvgPool2d": same(lambda n: n.AvgPool2d(3, 2, 1), conv2d),
    "AvgPool2d, default": same(lambda n: n.AvgPool2d((2, 3)), conv2d),
    "LayerNorm": same(lambda n: n.LayerNorm(6), conv2d),
    "LayerNorm, axes": same(lambda n: n.LayerNorm((7, 6), eps=0.1), conv2d),
    "LayerNorm, plain": same(lambda n: n.LayerNorm((4, 7, 6), elementwise_affine=False), conv2d),
    "BatchNorm1d": same(lambda n: n.BatchNorm1d(3), lambda m: [(m + 1, 3)]),
    "BatchNorm1d, sequences": same(lambda n: n.BatchNorm1d(3, eps=0.1, momentum=0.3), lambda m: [(m, 3, 5)]),
    "BatchNorm2d": same(lambda n: n.BatchNorm2d(4), conv2d),
    "MultiHeadAttention": Pair(lambda: Ours(8, 2), lambda: Attention(8, 2), sequences),
    "MultiHeadAttention, causal": Pair(
        lambda: Ours(8, 4, causal=True), lambda: Attention(8, 4, causal=True), sequences
    ),
    "MultiHeadAttention, no bias": Pair(lambda: Ours(8, 8, bias=False), lambda: Attention(8, 8, bias=False), sequences),
    "MultiHeadAttention, length first": Pair(
        lambda: Ours(8, 2, batch_first=False), lambda: Attention(8, 2, batch_first=False), sequences
    ),
    "MultiHeadAttention, other keys": Pair(
        lambda: Ours(8, 2), lambda: Attention(8, 2), lambda m: [(m, 3, 8), (m, 5, 8), (m, 5, 8)]
    ),
    "Flatten": same(lambda n: n.Flatten(), conv2d),
    "Flatten, from to": same(lambda n: n.Flatten(0, -2), conv2d),
    "a network": same(network, lambda m: [(m + 5, 1, 6, 6)]),
    "a list of layers": Pair(Net, TorchNet, lambda m: [(m, 6)]),
}


def double(layer: nn.Module) -> None:
    """Give a layer float64 parameters and buffers, to see errors that rounding would hide."""
    for part in layer.modules():
        for name, value in list(vars(part).items()):
            if isinstance(value, nn.Parameter | nn.Buffer) and value.dtype == np.float32:
                setattr(part, name, type(value)(value.numpy().astype(np.float64)))


def close(ours: Any, theirs: Any, bound: float) -> None:
    expected = theirs.detach().numpy()
    assert ours.shape == expected.shape
    assert ours.dtype == expected.dtype
    scale = max(1.0, np.abs(expected).max(initial=0.0))
    np.testing.assert_allclose(np.asarray(ours), expected, rtol=bound, atol=bound * scale)


def check(pair: Pair, seed: int, m: int, dtype: Any, folder: Path) -> None:
    """Outputs, gradients and buffers agree: twice in training mode, then in evaluation."""
    bound = 1e-6 if dtype is np.float32 else 1e-12
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    theirs = pair.theirs().to(torch.float32 if dtype is np.float32 else torch.float64)
    for value in theirs.state_dict().values():  # not 0 and 1 as norms begin
        if value.is_floating_point():
            value.uniform_(0.5, 1.5) if value.ndim == 1 else value.uniform_(-0.5, 0.5)
    ours = pair.ours()
    if dtype is np.float64:
        double(ours)
    save_file(theirs.state_dict(), folder / "theirs.safetensors")
    ours.load(folder / "theirs.safetensors")
    for training in (True, True, False):
        ours.train(training)
        theirs.train(training)
        arrays = [rng.normal(size=shape).astype(dtype) for shape in pair.shapes(m)]
        ins, tins = (
            [Tensor(a, requires_grad=True) for a in arrays],
            [torch.tensor(a, requires_grad=True) for a in arrays],
        )
        out, tout = ours(*ins), theirs(*tins)
        close(out.numpy(), tout, bound)
        g = rng.normal(size=out.shape).astype(dtype)
        names, parameters = zip(*ours.named_parameters(), strict=True) if ours.parameters() else ((), ())
        found = gradients(out, [*ins, *parameters], gradient=g)
        expected = torch.autograd.grad(tout, [*tins, *map(dict(theirs.named_parameters()).get, names)], torch.tensor(g))
        assert len(list(theirs.parameters())) == len(parameters)
        for a, b in zip(found, expected, strict=True):
            close(a.numpy(), b, 4 * bound)
    ours.save(folder / "ours.safetensors")
    state = load_file(folder / "ours.safetensors")
    assert state.keys() == theirs.state_dict().keys()
    for name, value in theirs.state_dict().items():
        close(state[name].numpy(), value, bound)
    theirs.load_state_dict(state)  # and the way back


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_layers_compute_what_pytorch_computes(pair: Pair, tmp_path: Path) -> None:
    @given(seed=st.integers(0, 10**6), m=st.integers(1, 4))
    @settings(max_examples=6)
    def agrees(seed: int, m: int) -> None:
        check(pair, seed, m, np.float64, tmp_path)
        check(pair, seed, m, np.float32, tmp_path)

    agrees()


class Biased(nn.BatchNorm1d):
    """Tracks the variance divided by n."""

    def _track(self, values: Any) -> None:
        n = values.size // self.num_features
        before = self.running_var.numpy()
        super()._track(values)
        change = self.running_var.numpy() - (1 - self.momentum) * before
        self.running_var.assign((1 - self.momentum) * before + change * (n - 1) / n)


class Late(nn.BatchNorm1d):
    """Never leaves training mode."""

    def eval(self) -> Any:
        return self

    def train(self, mode: bool = True) -> Any:
        return self


class Swapped(Ours):
    """Takes the keys for the values."""

    def forward(self, q: Any, k: Any, v: Any) -> Tensor:
        return super().forward(q, v, k)


class Blind(Ours):
    """Looks ahead."""

    def forward(self, q: Any, k: Any, v: Any) -> Tensor:
        return self.inner(q, k, v)


class Turned(nn.Linear):
    """Uses the weight without transposing it."""

    def forward(self, x: Any) -> Tensor:
        return x @ self.weight + self.bias


class Cut(nn.Linear):
    """Right outputs, but no gradient to the bias."""

    def forward(self, x: Any) -> Tensor:
        return x @ self.weight.T + self.bias.numpy()


norm = PAIRS["BatchNorm1d"]
MUTANTS = {
    "biased variance": norm._replace(ours=lambda: Biased(3)),
    "another momentum": norm._replace(ours=lambda: nn.BatchNorm1d(3, momentum=0.9)),
    "training mode stays": norm._replace(ours=lambda: Late(3)),
    "another eps": PAIRS["LayerNorm, axes"]._replace(ours=lambda: nn.LayerNorm((7, 6))),
    "keys for values": PAIRS["MultiHeadAttention"]._replace(ours=lambda: Swapped(8, 2)),
    "looks ahead": PAIRS["MultiHeadAttention, causal"]._replace(ours=lambda: Blind(8, 4, causal=True)),
    "other heads": PAIRS["MultiHeadAttention"]._replace(ours=lambda: Ours(8, 4)),
    "samples for positions": PAIRS["MultiHeadAttention, length first"]._replace(ours=lambda: Ours(8, 2)),
    "weight not transposed": Pair(lambda: Turned(3, 3), lambda: torch.nn.Linear(3, 3), lambda m: [(m, 3)]),
    "no gradient to the bias": Pair(lambda: Cut(3, 3), lambda: torch.nn.Linear(3, 3), lambda m: [(m, 3)]),
    "another stride": PAIRS["MaxPool2d"]._replace(ours=lambda: nn.MaxPool2d(3, 1, 1)),
    "another output_padding": PAIRS["ConvTranspose1d"]._replace(ours=lambda: nn.ConvTranspose1d(4, 6, 3, 2, 1, 0, 2)),
    "no dilation": PAIRS["MaxPool1d"]._replace(ours=lambda: nn.MaxPool1d(3, 2, 1)),
    "no padding": same(lambda n: n.Conv2d(4, 3, 3, padding=1 if n is nn else 0), conv2d),
}


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_a_layer_that_is_wrong_is_noticed(mutant: Pair, tmp_path: Path) -> None:
    with pytest.raises((AssertionError, ValueError)):
        check(mutant, 0, 3, np.float64, tmp_path)


def test_embedding_computes_what_pytorch_computes(tmp_path: Path) -> None:
    theirs, ours = torch.nn.Embedding(7, 4), nn.Embedding(7, 4)
    save_file(theirs.state_dict(), tmp_path / "e.safetensors")
    ours.load(tmp_path / "e.safetensors")
    index = np.array([[1, 6, 1], [0, 1, 2]])
    out, tout = ours(index), theirs(torch.tensor(index))
    close(out.numpy(), tout, 0)
    g = np.random.default_rng(0).normal(size=out.shape).astype(np.float32)
    (found,) = gradients(out, ours.parameters(), gradient=g)
    close(found.numpy(), torch.autograd.grad(tout, theirs.weight, torch.tensor(g))[0], 1e-6)


@pytest.mark.parametrize("kind", ["keys", "pairs", "added"])
def test_attention_with_a_mask_computes_what_pytorch_computes(kind: str) -> None:
    rng = np.random.default_rng(0)
    ours, theirs = nn.MultiHeadAttention(8, 2), torch.nn.MultiheadAttention(8, 2, batch_first=True)
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    x = rng.normal(size=(3, 5, 8)).astype(np.float32)
    tx = torch.tensor(x, requires_grad=True)
    if kind == "keys":  # the samples have 5, 3 and 1 positions
        padding = np.arange(5) >= np.array([[5], [3], [1]])
        mask, named = ~padding[:, None, None, :], {"key_padding_mask": torch.tensor(padding)}
    elif kind == "pairs":
        mask = rng.random((5, 5)) < 0.6
        mask[:, 0] = True
        named = {"attn_mask": torch.tensor(~mask)}  # PyTorch's module forbids where ours and its function allow
    else:
        mask = rng.normal(size=(5, 5)).astype(np.float32)
        named = {"attn_mask": torch.tensor(mask)}
    leaf = Tensor(x, requires_grad=True)
    out, tout = ours(leaf, leaf, leaf, mask=mask), theirs(tx, tx, tx, need_weights=False, **named)[0]
    close(out.numpy(), tout, 2e-6)
    found = gradients(out.sum(), [leaf, *ours.parameters()])
    names = [name for name, _ in ours.named_parameters()]
    expected = torch.autograd.grad(tout.sum(), [tx, *map(dict(theirs.named_parameters()).get, names)])
    for a, b in zip(found, expected, strict=True):
        close(a.numpy(), b, 1e-5)


def test_dropout_as_in_pytorch() -> None:
    x = np.random.default_rng(0).normal(size=(400, 50)).astype(np.float32)
    for p in (0.0, 0.2, 1.0):
        ours, theirs = nn.Dropout(p), torch.nn.Dropout(p)
        manual_seed(0)
        y, z = ours(x).numpy(), theirs(torch.tensor(x)).numpy()
        assert abs((y == 0).mean() - (z == 0).mean()) < 0.01
        both = (y != 0) & (z != 0)
        np.testing.assert_allclose(y[both], z[both], rtol=1e-6)
        close(ours.eval()(x).numpy(), theirs.eval()(torch.tensor(x)), 0)


# --- activations ------------------------------------------------------------------------------------------------------

# settings that are not the defaults, and PyTorch with them
SETTINGS: dict[str, list[tuple[dict[str, Any], Callable[[], Any]]]] = {
    "CELU": [({"alpha": 0.25}, lambda: torch.nn.CELU(0.25))],
    "ELU": [({"alpha": 0.3}, lambda: torch.nn.ELU(0.3))],
    "GELU": [({"approximate": "tanh"}, lambda: torch.nn.GELU("tanh"))],
    "Hardtanh": [({"min_val": -2, "max_val": 0.5}, lambda: torch.nn.Hardtanh(-2, 0.5))],
    "LeakyReLU": [({"negative_slope": 0.3}, lambda: torch.nn.LeakyReLU(0.3))],
    "LogSoftmax": [({"axis": 0}, lambda: torch.nn.LogSoftmax(0))],
    "Softmax": [({"axis": 0}, lambda: torch.nn.Softmax(0))],
    "Softplus": [({"beta": 2.0}, lambda: torch.nn.Softplus(2.0))],
}


def quick_gelu() -> Any:
    """CLIP's, which PyTorch has not."""
    return lambda x: x * torch.sigmoid(1.702 * x)


@pytest.mark.parametrize("name", activation.__all__)
def test_activations_compute_what_pytorch_computes(name: str) -> None:
    x = np.concatenate([np.linspace(-8, 8, 33), np.random.default_rng(0).normal(size=17)]).reshape(5, 10)
    plain = getattr(torch.nn, name, quick_gelu)
    bound = 1e-7 if name == "Hardsigmoid" else 1e-12  # PyTorch's derivative is 1/6 in float32
    default = lambda: plain(-1) if name.endswith("Softmax") else plain()
    for given_, theirs in [({}, default), *SETTINGS.get(name, [])]:
        leaf, tleaf = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
        out, tout = getattr(nn, name)(**given_)(leaf), theirs()(tleaf)
        close(out.numpy(), tout, 1e-12)
        g = np.random.default_rng(1).normal(size=x.shape)
        (found,) = gradients(out, [leaf], gradient=g)
        close(found.numpy(), torch.autograd.grad(tout, tleaf, torch.tensor(g))[0], bound)


# --- initialisers -----------------------------------------------------------------------------------------------------

PARTS = np.linspace(0, 1, 21)


def alike(ours: Any, theirs: Any) -> None:
    """Two samples come from the same distribution, as far as their quantiles tell."""
    assert ours.shape == theirs.shape
    expected = theirs.detach().numpy()
    spread = expected.std()
    assert abs(ours.std() - spread) <= 0.02 * spread
    tails = slice(1, -1) if np.abs(expected).max() > 2.5 * spread else slice(None)  # normal: no bounds to compare
    a, b = np.quantile(ours, PARTS[tails]), np.quantile(expected, PARTS[tails])
    np.testing.assert_allclose(a, b, atol=0.06 * spread)


SHAPES = [(300, 200), (200, 20, 3, 5)]
INITIALISERS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "uniform": (nn.init.uniform, torch.nn.init.uniform_),
    "uniform, bounds": (lambda s: nn.init.uniform(s, -3, 2), lambda t: torch.nn.init.uniform_(t, -3, 2)),
    "normal": (nn.init.normal, torch.nn.init.normal_),
    "normal, moments": (lambda s: nn.init.normal(s, 2, 0.1), lambda t: torch.nn.init.normal_(t, 2, 0.1)),
    "constant": (lambda s: nn.init.constant(s, 0.3), lambda t: torch.nn.init.constant_(t, 0.3)),
    "zeros": (nn.init.zeros, torch.nn.init.zeros_),
    "ones": (nn.init.ones, torch.nn.init.ones_),
    "xavier_uniform": (nn.init.xavier_uniform, torch.nn.init.xavier_uniform_),
    "xavier_uniform, gain": (lambda s: nn.init.xavier_uniform(s, 3), lambda t: torch.nn.init.xavier_uniform_(t, 3)),
    "xavier_normal": (nn.init.xavier_normal, torch.nn.init.xavier_normal_),
    "kaiming_uniform": (nn.init.kaiming_uniform, torch.nn.init.kaiming_uniform_),
    "kaiming_uniform, tanh": (
        lambda s: nn.init.kaiming_uniform(s, mode="fan_out", nonlinearity="tanh"),
        lambda t: torch.nn.init.kaiming_uniform_(t, mode="fan_out", nonlinearity="tanh"),
    ),
    "kaiming_normal": (nn.init.kaiming_normal, torch.nn.init.kaiming_normal_),
    "kaiming_normal, slope": (
        lambda s: nn.init.kaiming_normal(s, a=2),
        lambda t: torch.nn.init.kaiming_normal_(t, a=2),
    ),
}


@pytest.mark.parametrize("shape", SHAPES, ids=len)
@pytest.mark.parametrize(("ours", "theirs"), INITIALISERS.values(), ids=INITIALISERS)
def test_initialisers_draw_as_pytorch_draws(ours: Any, theirs: Any, shape: tuple[int, ...]) -> None:
    manual_seed(0)
    torch.manual_seed(0)
    alike(ours(shape), theirs(torch.empty(shape)))


@pytest.mark.parametrize("name", ["linear", "relu", "leaky_relu", "tanh", "sigmoid", "selu"])
def test_gains_are_those_of_pytorch(name: str) -> None:
    assert nn.init.gain(name) == pytest.approx(torch.nn.init.calculate_gain(name))
    assert nn.init.gain("leaky_relu", 0.3) == pytest.approx(torch.nn.init.calculate_gain("leaky_relu", 0.3))


BIG: dict[str, tuple[Any, Any]] = {
    "Linear": (lambda: nn.Linear(30_000, 3), lambda: torch.nn.Linear(30_000, 3)),
    "Linear, bias": (lambda: nn.Linear(3, 30_000), lambda: torch.nn.Linear(3, 30_000)),
    "Conv1d": (lambda: nn.Conv1d(4, 20_000, 3), lambda: torch.nn.Conv1d(4, 20_000, 3)),
    "Conv2d": (lambda: nn.Conv2d(4, 20_000, 3, groups=2), lambda: torch.nn.Conv2d(4, 20_000, 3, groups=2)),
    "Embedding": (lambda: nn.Embedding(300, 200), lambda: torch.nn.Embedding(300, 200)),
    "LayerNorm": (lambda: nn.LayerNorm((2, 3)), lambda: torch.nn.LayerNorm((2, 3))),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(3), lambda: torch.nn.BatchNorm2d(3)),
    "MultiHeadAttention": (lambda: nn.MultiHeadAttention(200, 4), lambda: torch.nn.MultiheadAttention(200, 4)),
}


@pytest.mark.parametrize(("ours", "theirs"), BIG.values(), ids=BIG)
def test_layers_begin_as_pytorchs_do(ours: Any, theirs: Any) -> None:
    manual_seed(0)
    torch.manual_seed(0)
    state, expected = ours().state_dict(), theirs().state_dict()
    assert state.keys() == expected.keys()
    for name, value in state.items():
        if value.size < 10:
            assert np.abs(value).max() <= max(1.0, expected[name].abs().max())
            continue
        alike(value, expected[name])


@pytest.mark.parametrize(
    "wrong",
    [
        lambda s: nn.init.kaiming_uniform(s, mode="fan_out"),
        lambda s: nn.init.kaiming_uniform(s, a=0.5),
        lambda s: nn.init.kaiming_normal(s),
        lambda s: nn.init.xavier_uniform(s),
        lambda s: nn.init.kaiming_uniform(s) + np.float32(0.01),
    ],
    ids=["fan out", "slope", "normal", "Xavier", "shifted"],
)
def test_a_wrong_initialiser_is_noticed(wrong: Any) -> None:
    manual_seed(0)
    torch.manual_seed(0)
    with pytest.raises(AssertionError):
        alike(wrong((300, 200)), torch.nn.init.kaiming_uniform_(torch.empty(300, 200)))
