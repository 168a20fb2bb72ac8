"""NumPy's and SciPy's functions on tensors: recorded with the right gradient, refused, or a question of shape or type.

A walk over the public functions calls each in many ways.  What must not happen is that a function takes the values of a
tensor that requires a gradient and goes on without it; the functions whose answers have no derivative are named.
"""

from __future__ import annotations

import importlib
import inspect
import operator
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tl
from tinygrad_lite import Tensor, capture, gradients, no_grad, tensor

# Between 0 and 1, apart from each other and from every kink.
VECTOR = np.array([0.62, 0.36, 0.81])
MATRIX = np.array([[0.62, 0.36, 0.81], [0.16, 0.93, 0.27], [0.44, 0.71, 0.12]])

Call = Callable[[Callable[..., Any], Any], Any]


MET: list[tuple[Any, Any]] = []  # the arrays that a tensor has met in a call, and copies


def array_of(x: Any) -> Any:
    """A fresh array of the shape of x, for it to meet, or to be written into."""
    array = np.full(x.shape, 0.5) if x.ndim == 1 else 0.5 + 0.1 * np.eye(3)
    MET.append((array, array.copy()))
    return array


def first_name(f: Callable[..., Any]) -> str:
    try:
        return next(iter(inspect.signature(f).parameters))
    except (ValueError, TypeError, StopIteration):
        return "x"


CALLS: dict[str, Call] = {
    "t": lambda f, x: f(x),
    "t, t": lambda f, x: f(x, x),
    "t, t, t": lambda f, x: f(x, x, x),
    "t, a": lambda f, x: f(x, array_of(x)),
    "a, t": lambda f, x: f(array_of(x), x),
    "a, a, t": lambda f, x: f(array_of(x), array_of(x), x),
    "t, 1": lambda f, x: f(x, 1),
    "t, (1, 0)": lambda f, x: f(x, (1, 0)),
    "1, t": lambda f, x: f(1, x),
    "3, t[0]": lambda f, x: f(3, x[0]),
    "a, t[0]": lambda f, x: f(array_of(x), x[0]),
    "a, 0, t[0]": lambda f, x: f(array_of(x), 0, x[0]),
    "a, [0], t[0]": lambda f, x: f(array_of(x), [0], x[0]),
    "t[0]": lambda f, x: f(x[0]),
    "t[0], t[1]": lambda f, x: f(x[0], x[1]),
    "[t, t]": lambda f, x: f([x, x]),
    "[t, a]": lambda f, x: f([x, array_of(x)]),
    "[t[0], t[1]]": lambda f, x: f([x[0], x[1]]),
    "[t[0], 1.0]": lambda f, x: f([x[0], 1.0]),
    "a, [t[0], t[1], 1.0]": lambda f, x: f(array_of(x), [x[0], x[1], 1.0]),
    "name=t": lambda f, x: f(**{first_name(f): x}),
    "t, out=a": lambda f, x: f(x, out=array_of(x)),
    "t, t, out=a": lambda f, x: f(x, x, out=array_of(x)),
    "a, out=t": lambda f, x: f(array_of(x), out=x),
    "a, a, out=t": lambda f, x: f(array_of(x), array_of(x), out=x),
    "a, where=t": lambda f, x: f(array_of(x), where=x),
    "t, where=mask": lambda f, x: f(x, where=np.arange(x.size).reshape(x.shape) > 0),
    "a, weights=t": lambda f, x: f(array_of(x), weights=x),
    "a, initial=t[0]": lambda f, x: f(array_of(x), initial=x[0]),
    "t, axis=0": lambda f, x: f(x, axis=0),
}

# They write files, print, or change settings of NumPy and its old generator, and compute nothing from an array; or they
# give memory as it is.
APART = {
    *("empty", "empty_like", "masked_all", "masked_all_like", "ndarray", "recarray"),
    *("test", "info", "show_config", "show_runtime", "seterr", "seterrcall", "setbufsize"),
    *("set_printoptions", "printoptions", "errstate", "seed", "set_state", "set_bit_generator", "get_include"),
}  # fmt: skip


def functions_of(module: ModuleType) -> Iterator[tuple[str, Callable[..., Any]]]:
    """The public functions and classes of a module, and the methods of its ufuncs, each once."""
    for name in getattr(module, "__all__", None) or dir(module):
        f = getattr(module, name, None)
        error = isinstance(f, type) and issubclass(f, BaseException)
        if name.startswith("_") or name in APART or not callable(f) or error or isinstance(f, ModuleType):
            continue
        yield f"{module.__name__}.{name}", f
        if isinstance(f, np.ufunc):
            for method in ("reduce", "accumulate", "outer", "at", "reduceat"):
                yield f"{module.__name__}.{name}.{method}", getattr(f, method)


def method(name: str, *args: Any, **kwargs: Any) -> Any:
    """A method of an array, which some of them change."""
    return getattr(array_of(VECTOR), name)(*args, **kwargs)


IDIOMS: dict[str, Callable[[Any], Any]] = {
    "a[0] = t[0]": lambda x: operator.setitem(array_of(x), 0, x[0]),
    "a[:] = t": lambda x: operator.setitem(array_of(x), slice(None), x),
    "a += t": lambda x: operator.iadd(array_of(x), x),
    "a @= t": lambda x: operator.imatmul(array_of(x), x),
    "np.c_[t, t]": lambda x: np.c_[x, x],
    "np.r_[t]": lambda x: np.r_[x],
    "np.r_[t[0], 1]": lambda x: np.r_[x[0], 1],
    "np.s_[t]": lambda x: np.zeros(3)[np.s_[x]],
    "np.vectorize": lambda x: np.vectorize(lambda v: v * v)(x),
    "np.frompyfunc": lambda x: np.frompyfunc(lambda v: v * v, 1, 1)(x),
    "np.fromiter": lambda x: np.fromiter(x, float),
    "np.fromiter of numbers": lambda x: np.fromiter((v * 2 for v in x), np.float32),
    "np.fromfunction": lambda x: np.fromfunction(lambda i: i * 1.0 * np.array(x[0]), (3,)),
    "np.apply_along_axis": lambda x: np.apply_along_axis(np.sum, 0, x),
    "np.piecewise": lambda x: np.piecewise(x, [x > 0.5], [1.0, lambda v: v]),
    "np.select": lambda x: np.select([np.ones(3) > 0], [x]),
    "np.choose": lambda x: np.choose([0, 0, 0], [x, x]),
    "np.full(shape, t[0])": lambda x: np.full((2, 2), x[0]),
    "np.full_like": lambda x: np.full_like(np.ones(3), x[0]),
    "np.linspace(0, t)": lambda x: np.linspace(0, x[0], 5),
    "np.arange(t)": lambda x: np.arange(x[0]),
    "np.ndarray.__array_ufunc__": lambda x: np.ones(3).__array_ufunc__(np.add, "__call__", np.ones(3), x),
    "array.dot": lambda x: np.ones((2, 3)).dot(x),
    "array.fill": lambda x: array_of(x).fill(x[0]),
    "masked * t": lambda x: np.ma.array([1.0, 2.0, 3.0]) * x,
    "Polynomial(1, t)(x)": lambda x: np.polynomial.Polynomial([1, x[0]])(2.0),
    "poly1d(t)": lambda x: np.poly1d(x)(2.0),
    "float(t)": lambda x: float(x[0]),
    "complex(t)": lambda x: complex(x[0]),
    "np.float64(t)": lambda x: np.float64(x[0]),
    "math.sin(t)": lambda x: importlib.import_module("math").sin(x[0]),
    "math.fsum(t)": lambda x: importlib.import_module("math").fsum(x),
    "statistics.mean(t)": lambda x: importlib.import_module("statistics").fmean(x),
    "array.array(t)": lambda x: importlib.import_module("array").array("d", x),
    "memoryview": lambda x: np.array(memoryview(x)),
    "Tensor(t)": lambda x: Tensor(x),
    "Tensor([t])": lambda x: Tensor([x[0], 1.0]),
    "sum(t)": lambda x: sum(x),
    "sum([t, 1.0])": lambda x: sum([x[0], 1.0]),
    "list of t * t": lambda x: x * [x[0], 1.0, 2.0],
    "max(t)": lambda x: max(x),
    "default_rng().normal(t)": lambda x: np.random.default_rng(0).normal(x),
    "default_rng().choice(p=t)": lambda x: np.random.default_rng(0).choice(3, p=x),
    "divmod": lambda x: divmod(x, 0.3),
}

# What is asked of the values and has no derivative: a count, a text, an answer of yes or no, or a derivative of 0.
QUERIES = {
    *(
        "numpy.shape",
        "numpy.ndim",
        "numpy.size",
        "numpy.isnan",
        "numpy.isinf",
        "numpy.isfinite",
        "numpy.any",
        "numpy.all",
    ),
    *("numpy.count_nonzero", "numpy.allclose", "numpy.isclose", "numpy.array_equal", "numpy.str_"),
    *("numpy.ma.round", "numpy.ma.round_"),
}

# They ask whether x is NumPy's own array, and compute something else of everything that is not; nothing tells us.
OUT_OF_REACH = {
    *("numpy.polynomial.polynomial.polyval", "numpy.polynomial.polynomial.polyvalfromroots"),
    *("numpy.polynomial.chebyshev.chebval", "numpy.polynomial.legendre.legval", "numpy.polynomial.hermite.hermval"),
    *("numpy.polynomial.hermite_e.hermeval", "numpy.polynomial.laguerre.lagval"),
}


def parts(result: Any) -> list[Any]:
    """The tensors, arrays and numbers of a result."""
    if isinstance(result, dict):
        return parts(list(result.values()))
    if isinstance(result, list | tuple):
        return [leaf for part in result for leaf in parts(part)]
    return [result]


def flat(result: Any) -> Any:
    """All numbers of a result in one vector."""
    return np.concatenate([np.ravel(np.asarray(part, np.float64)) for part in parts(result)])


def slopes(f: Callable[[Any], Any], x: Any, step: float = 1e-6) -> Any:
    """The derivative, by central differences, of the weighted sum of what f gives for plain arrays."""
    found = np.empty(x.shape)
    for at in np.ndindex(x.shape):
        move = np.zeros(x.shape)
        move[at] = step
        ahead, behind = flat(f(x + move)), flat(f(x - move))
        found[at] = np.cos(np.arange(ahead.size)) @ (ahead - behind) / (2 * step)
    return found


def gradient(found: list[Any], x: Tensor) -> Any:
    pieces = [tl.reshape(part, -1) for part in found]
    together = tl.concatenate(pieces)
    return gradients(together, [x], gradient=np.cos(np.arange(together.size)))[0].numpy()


REFUSED, QUESTION, RECORDED, QUERY = "refused", "question", "recorded", "query"
FINE = {REFUSED, QUESTION, RECORDED, QUERY}
TEACHES = (
    *("would be lost", "not among the functions", "not recorded", "never changed in place", "of a tensor takes"),
    *("cannot be changed by item", "np.matrix is a", "requires one; detach", "only an integer tensor"),
)
ASKS = (TypeError, ValueError, IndexError, AttributeError, OverflowError, np.ma.MAError)


def outcome(name: str, f: Callable[[Any], Any], values: Any) -> str:
    """What becomes of a tensor in f: one of the four outcomes that are fine, or else what is wrong."""
    x = Tensor(values, requires_grad=True)
    try:
        found = answer(f, x)
    except ASKS as error:
        said = f"{error} {error.__cause__}"  # NumPy says something of its own where an element cannot be set
        return REFUSED if any(text in said for text in TEACHES) else QUESTION
    except Exception as error:
        return QUESTION if fails(f, values) else f"{type(error).__name__}: {error}"
    if any(isinstance(part, np.ndarray) and part.dtype.kind == "O" for part in found):
        return "an object array"
    if all(isinstance(part, Tensor) for part in found):
        if all(part.dtype.kind != "f" for part in found):
            return QUERY  # a mask, or places
        if fails(f, values):
            return RECORDED  # an argument that NumPy does not take
        expected = slopes(f, values)
        mine = gradient(found, x) if any(part.requires_grad for part in found) else np.zeros(values.shape)
        inside = np.isfinite(expected)  # the domain of the function
        right = np.allclose(mine[inside], expected[inside], rtol=1e-5, atol=1e-6)
        if not right:  # at a jump, the quotient grows as the step shrinks
            inside &= np.isclose(expected, slopes(f, values, 0.5e-6), rtol=1e-2, atol=1e-6)
            right = inside.any() and np.allclose(mine[inside], expected[inside], rtol=1e-5, atol=1e-6)
        return RECORDED if right else f"the gradient {mine.tolist()}, not {expected.tolist()}"
    if name in QUERIES or all(same(found, f, Tensor(other, requires_grad=True)) for other in others(values)):
        return QUERY
    return f"dropped: {[type(part).__name__ for part in found]}"


def answer(f: Callable[[Any], Any], x: Any) -> list[Any]:
    """What f gives, and what it wrote into arrays."""
    MET.clear()
    found = parts(f(x))
    return found + [array for array, before in MET if not np.array_equal(array, before)]


def others(values: Any) -> list[Any]:
    """Values with which a result that depends on them shows; what int() makes of them is the same."""
    return [0.04 + 0.9 * values, values[::-1] - 0.01]


def same(found: list[Any], f: Callable[[Any], Any], x: Tensor) -> bool:
    """Whether f gives the same for another tensor."""
    try:
        again = answer(f, x)
    except ASKS:
        return False
    return len(found) == len(again) and all(map(equal, found, again))


def equal(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor | np.ndarray | np.generic):
        with no_grad():
            return np.array_equal(np.asarray(a), np.asarray(b), equal_nan=np.asarray(a).dtype.kind in "fc")
    return bool(a is b or (type(a) is type(b) and (not isinstance(a, float | complex | str | bool | int) or a == b)))


def fails(f: Callable[[Any], Any], values: Any) -> bool:
    """Whether plain arrays are refused too."""
    try:
        flat(f(values.copy()))
    except Exception:
        return True
    return False


def walk(functions: Iterator[tuple[str, Callable[..., Any]]]) -> dict[str, str]:
    """The outcome of every call of every function."""
    found = {}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for name, f in functions:
            for way, call in CALLS.items():
                for values in (VECTOR, MATRIX):
                    found[f"{name} ({way}, {values.ndim}-d)"] = outcome(name, partial(call, f), values)
    return found


NUMPY = ["", ".linalg", ".fft", ".ma", ".random", ".lib.stride_tricks", ".lib.array_utils", ".lib.scimath", ".rec"]
NUMPY += [f".polynomial.{name}" for name in ("polynomial", "chebyshev", "legendre", "hermite", "hermite_e", "laguerre")]


def all_of_numpy() -> Iterator[tuple[str, Callable[..., Any]]]:
    for name in NUMPY:
        yield from functions_of(importlib.import_module(f"numpy{name}"))
    for name in dir(np.ndarray):
        if not name.startswith("_") and callable(getattr(np.ndarray, name)):
            yield f"ndarray.{name}", partial(method, name)


SCIPY = {
    "special": "exp1 gamma gammaln digamma erf erfc expit logit log_softmax logsumexp softmax xlogy softplus comb",
    "linalg": "inv solve det expm logm sqrtm norm svd svdvals eigvalsh cholesky qr lu pinv lstsq solve_triangular toeplitz",
    "fft": "fft rfft ifft dct fft2 fftshift",
    "integrate": "trapezoid simpson cumulative_trapezoid",
    "signal": "convolve correlate fftconvolve detrend lfilter medfilt hilbert resample",
    "ndimage": "gaussian_filter convolve1d uniform_filter zoom shift median_filter sobel",
    "interpolate": "CubicSpline PchipInterpolator interp1d make_interp_spline RegularGridInterpolator",
    "spatial.distance": "cdist pdist squareform euclidean cosine cityblock",
    "stats": "zscore gmean hmean entropy pearsonr skew kurtosis ttest_ind linregress norm.pdf norm.cdf norm.logpdf",
    "optimize": "minimize_scalar root_scalar nnls linear_sum_assignment rosen",
    "sparse": "csr_matrix coo_array diags kron",
}


def all_of_scipy() -> Iterator[tuple[str, Callable[..., Any]]]:
    for name, functions in SCIPY.items():
        module = pytest.importorskip(f"scipy.{name}")
        for function in functions.split():
            yield f"scipy.{name}.{function}", operator.attrgetter(function)(module)


def wrong(found: dict[str, str]) -> dict[str, str]:
    return {
        call: what for call, what in found.items() if what not in FINE and call.partition(" (")[0] not in OUT_OF_REACH
    }


# --- the laws ---------------------------------------------------------------------------------------------------------


def test_no_function_of_numpy_takes_the_values_of_a_tensor_in_silence() -> None:
    found = walk(all_of_numpy())
    counts = Counter(found.values())
    assert wrong(found) == {}
    assert all(counts[what] > 500 for what in FINE), counts  # the walk meets each outcome, and is no empty one


def test_no_function_of_scipy_takes_the_values_of_a_tensor_in_silence() -> None:
    found = walk(all_of_scipy())
    assert wrong(found) == {}
    assert Counter(found.values())[REFUSED] > 500


@pytest.mark.parametrize("name", IDIOMS)
def test_no_expression_takes_the_values_of_a_tensor_in_silence(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert outcome(name, IDIOMS[name], VECTOR) in FINE


def test_the_walk_notices_values_that_leave_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensor, "stay", lambda _tensor: None)
    dropped = wrong(walk(functions_of(np.fft)))
    assert {"numpy.fft.fft", "numpy.fft.irfft", "numpy.fft.fftshift"} <= {call.partition(" (")[0] for call in dropped}
    assert "dropped" in outcome("float(t)", IDIOMS["float(t)"], VECTOR)


def test_the_walk_notices_a_wrong_gradient() -> None:
    half = lambda x: x + x.detach() if isinstance(x, Tensor) else x + x
    assert "gradient" in outcome("half", half, VECTOR)


# --- when a value may leave -------------------------------------------------------------------------------------------

TAKEN: list[Callable[[Any], Any]] = [np.asarray, float, lambda t: np.mean([t, t]), lambda t: Tensor([t])]


@pytest.mark.parametrize("take", TAKEN)
def test_a_value_leaves_where_nothing_is_lost(take: Callable[[Any], Any]) -> None:
    w = Tensor(2.0, requires_grad=True, name="w")
    for t in (w, w * 3):
        with pytest.raises(TypeError, match=r"a gradient would be lost.*array @ t.*tl\.stack.*detach\(\).*no_grad"):
            take(t)
        for plain in (t.detach(), Tensor(t.numpy()), t > 1):
            take(plain)
        with no_grad():
            take(t)
    assert (w * 3).item() == 6.0
    assert f"{w * 3:.1f}" == "6.0"
    assert (bool(w), int(w), w.numpy()) == (True, 2, 2.0)


@pytest.mark.parametrize("take", TAKEN)
def test_in_capture_no_value_leaves_that_the_picture_would_miss(take: Callable[[Any], Any]) -> None:
    def f(x: Any) -> Any:
        take(x.detach())
        return x * 2

    capture(f, 2.0)
    with pytest.raises(TypeError, match="the history would be lost"):
        capture(lambda x: x * take(x), 2.0)


# --- arrays of other libraries ----------------------------------------------------------------------------------------


class Series:
    """As pandas' one: it speaks half of NumPy's protocols, and pairs elements by its labels."""

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values)
        self.dtype = self.values.dtype

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.array(self.values, dtype, copy=copy)

    def __array_ufunc__(self, *args: Any, **kwargs: Any) -> Any:
        raise AssertionError("must not be asked")

    def __mul__(self, other: Any) -> Any:
        if getattr(other, "__pandas_priority__", 0) > 3000:
            return NotImplemented
        raise AssertionError("must leave it to the tensor")


class Torch:
    """As PyTorch's tensors: one whose own gradient would be lost refuses."""

    def __init__(self, values: Any, requires_grad: bool = False) -> None:
        self.values, self.requires_grad = values, requires_grad

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if self.requires_grad:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
        return np.array(self.values, dtype, copy=copy)


@pytest.mark.parametrize("kind", [Series, Torch])
def test_what_says_which_array_it_is_is_converted_at_the_door(kind: Any) -> None:
    x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    other = kind(np.array([10.0, 20.0, 30.0]))
    for y in (x * other, other * x, tl.mul(x, other)):
        assert type(y.numpy()) is np.ndarray
        assert y.dtype == np.float64
        np.testing.assert_array_equal(gradients(y.sum(), [x])[0].numpy(), [10, 20, 30])
    assert Tensor(other).dtype == Tensor([other, other]).dtype == np.float64
    assert (x == other).numpy().tolist() == [False] * 3
    with pytest.raises(TypeError, match=f"this {kind.__name__} gave dtype object"):
        x * kind(np.array([1, None, 2], object))


def test_a_gradient_of_another_library_is_not_lost() -> None:
    x, foreign = Tensor([1.0], requires_grad=True), Torch(np.ones(1), requires_grad=True)
    for attempt in (lambda: x * foreign, lambda: foreign * x, lambda: Tensor(foreign), lambda: x * [foreign]):
        with pytest.raises(TypeError, match="no array can be made of this tests Torch: Can't call numpy"):
            attempt()


def test_frames_and_series_of_pandas() -> None:
    pandas = pytest.importorskip("pandas")
    x = Tensor(np.array([1.0, 2.0, 3.0]), requires_grad=True)
    series = pandas.Series([10.0, 20.0, 30.0], index=[2, 1, 0])
    frame = pandas.DataFrame({"u": series, "v": series})
    for y in (x * series, series * x, series + x - x, x @ frame, frame * x.reshape(3, 1), series - x):
        assert isinstance(y, Tensor)
        assert y.requires_grad
    np.testing.assert_array_equal(gradients((series * x).sum(), [x])[0].numpy(), [10, 20, 30])
    for attempt in (lambda: series @ x, lambda: frame.T @ x, lambda: series.dot(x), lambda: pandas.Series(x)):
        with pytest.raises(TypeError, match=r"np\.asarray\(frame\) @ t"):
            attempt()
    with pytest.raises(TypeError, match="pick the columns that hold numbers"):
        Tensor(pandas.DataFrame({"a": [1.0], "b": ["x"]}))


def test_tensors_of_torch() -> None:
    torch = pytest.importorskip("torch")
    x, other = Tensor([1.0, 2.0], requires_grad=True), torch.tensor([3.0, 4.0])
    for y in (x * other, other * x, other + x - x, other @ x, other - x, other**x):
        assert isinstance(y, Tensor)
        assert y.requires_grad
    np.testing.assert_array_equal(gradients((other * x).sum(), [x])[0].numpy(), [3, 4])
    for attempt in (lambda: other.requires_grad_() * x, lambda: torch.as_tensor(x), lambda: torch.add(other, x)):
        with pytest.raises(TypeError):
            attempt()
