"""PyTorch's signatures, written in tinygrad_lite: one adapter for each name in PyTorch's operator database."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

import tinygrad_lite as tl


class NotOfferedError(Exception):
    """The sample uses an argument for which tinygrad_lite has no counterpart."""


NP = {
    torch.float64: np.float64, torch.float32: np.float32, torch.float16: np.float16, torch.int64: np.int64,
    torch.int32: np.int32, torch.int16: np.int16, torch.int8: np.int8, torch.uint8: np.uint8, torch.bool: np.bool_,
}  # fmt: skip


def cast(x, dtype):
    if dtype is None:
        return x
    if dtype not in NP:
        raise NotOfferedError(f"dtype {dtype}")
    return tl.astype(x, NP[dtype])


def axes(dim):
    """PyTorch's dim: None and () are all axes, lists are tuples."""
    if dim is None or (isinstance(dim, list | tuple) and not len(dim)):
        return None
    return tuple(dim) if isinstance(dim, list | tuple) else dim


def flat(args):
    return tuple(args[0]) if len(args) == 1 and isinstance(args[0], list | tuple | torch.Size) else tuple(args)


def only(**named):
    """Refuse arguments that are not at their default."""
    for name, (value, default) in named.items():
        if value is not default and value != default:
            raise NotOfferedError(f"{name}={value!r}"[:60])


ADAPTERS: dict[Any, Any] = {}  # the name in the database, or (name, variant) -> ours with PyTorch's signature


def op(*names):
    """Register an adapter under these names."""

    def add(f):
        for name in names:
            ADAPTERS[name] = f
        return f

    return add


SAME = """abs acos acosh asin asinh atan atanh ceil cos cosh erf exp exp2 expm1 floor log log10 log1p log2 neg positive
ravel reciprocal rsqrt sigmoid sign sin sinh sqrt square tan tanh trunc bitwise_not"""
for name in SAME.split():
    op(name)(lambda x, name=name: getattr(tl, name)(x))
op("sgn")(lambda x: tl.sign(x))
op("special.ndtr")(lambda x: tl.normal_cdf(x))
op("nan_to_num")(lambda x, nan=None, posinf=None, neginf=None: tl.nan_to_num(x, nan or 0.0, posinf, neginf))
op("logical_not")(lambda x: np.logical_not(x))
op("round")(lambda x, decimals=0: tl.round(x, decimals))
for name in ("relu", "relu6", "selu", "silu", "mish", "hardswish", "hardsigmoid"):
    op(f"nn.functional.{name}")(lambda x, inplace=False, name=name: getattr(tl, name)(x))
for name in ("logsigmoid", "softsign"):
    op(f"nn.functional.{name}")(lambda x, name=name: getattr(tl, name)(x))
op("nn.functional.leaky_relu")(lambda x, negative_slope=0.01, inplace=False: tl.leaky_relu(x, negative_slope))
op("nn.functional.hardtanh")(lambda x, min_val=-1.0, max_val=1.0, inplace=False: tl.hardtanh(x, min_val, max_val))
op("nn.functional.elu")(lambda x, alpha=1.0, inplace=False: tl.elu(x, alpha))
op("nn.functional.celu")(lambda x, alpha=1.0, inplace=False: tl.celu(x, alpha))
op("nn.functional.gelu")(lambda x, approximate="none": tl.gelu(x, approximate))
op("nn.functional.softplus")(lambda x, beta=1, threshold=20: tl.softplus(x, beta))

# --- two operands -----------------------------------------------------------------------------------------------------

scaled = lambda x, alpha: x if alpha == 1 else x * alpha
op("add")(lambda a, b, alpha=1: tl.add(a, scaled(b, alpha)))
op("sub")(lambda a, b, alpha=1: tl.sub(a, scaled(b, alpha)))
op("rsub")(lambda a, b, alpha=1: tl.sub(b, scaled(a, alpha)))
op("mul")(lambda a, b: tl.mul(a, b))
op("true_divide")(lambda a, b: tl.div(a, b))
op("__radd__")(lambda a, b: b + a)
op("__rsub__")(lambda a, b: b - a)
op("__rmul__")(lambda a, b: b * a)
op("__rdiv__")(lambda a, b: b / a)
op("__rpow__")(lambda a, b: b**a)
op("__rmatmul__")(lambda a, b: b @ a)
op("pow")(lambda a, b: tl.pow(a, b))
wide = lambda a: tl.astype(a, np.float64) if isinstance(a, tl.Tensor) else a
op("float_power")(lambda a, b: tl.pow(wide(a), wide(b)))
TWO = """atan2 bitwise_and bitwise_or bitwise_xor copysign floor_divide fmax fmin hypot logaddexp maximum minimum
remainder inner kron"""
for name in TWO.split():
    op(name)(lambda a, b, name=name: getattr(tl, name)(a, b))
for name in ("logical_and", "logical_or", "logical_xor"):
    op(name)(lambda a, b, name=name: getattr(np, name)(a, b))
op("__rmod__")(lambda a, b: b % a)
op("__rand__")(lambda a, b: b & a)
op("__ror__")(lambda a, b: b | a)
op("__rxor__")(lambda a, b: b ^ a)
op(("max", "binary"))(lambda a, b: tl.maximum(a, b))
op(("min", "binary"))(lambda a, b: tl.minimum(a, b))
for theirs, ours in {
    "eq": "equal",
    "ne": "not_equal",
    "gt": "greater",
    "ge": "greater_equal",
    "lt": "less",
    "le": "less_equal",
}.items():
    op(theirs)(lambda a, b, ours=ours: getattr(tl, ours)(a, b))


@op("div")
def div(a, b, rounding_mode=None):
    if rounding_mode == "floor":
        return tl.floor_divide(a, b)
    return tl.div(a, b) if rounding_mode is None else tl.trunc(tl.div(a, b))


op("where")(lambda x, condition, other: tl.where(condition, x, other))
op("clamp")(lambda x, min=None, max=None: tl.clip(x, min, max))
op("clamp_min")(lambda x, min: tl.clip(x, min))
op("clamp_max")(lambda x, max: tl.clip(x, None, max))
for name, dtype in {
    "float": np.float32, "double": np.float64, "half": np.float16, "bool": np.bool_, "int": np.int32, "long": np.int64,
    "short": np.int16,
    "byte": np.uint8, "char": np.int8,
}.items():  # fmt: skip
    op(name)(lambda x, memory_format=None, dtype=dtype: tl.astype(x, dtype))


@op("to")
def to(x, *args, **kwargs):
    dtype = next((a for a in args if isinstance(a, torch.dtype)), None)
    like = next((a for a in args if isinstance(a, tl.Tensor)), None)
    return tl.astype(x, NP[dtype] if dtype is not None else like.dtype if like is not None else x.dtype)


# --- picking ----------------------------------------------------------------------------------------------------------


def at(dim, index, ndim):
    return (*(slice(None),) * (dim % max(ndim, 1)), index)


op("__getitem__")(lambda x, index: x[tuple(index) if isinstance(index, tuple) else index])
op("select")(lambda x, dim, index: x[at(dim, index, x.ndim)])
op("slice")(lambda x, dim=0, start=None, end=None, step=1: x[at(dim, slice(start, end, step), x.ndim)])
op("masked_select")(lambda x, mask: (lambda a, m: a[m])(*broadcast(x, mask)))
op("index_select")(lambda x, dim, index: tl.take(x, index, axis=dim))
op("take")(lambda x, index: tl.take(x, index))
op("take_along_dim")(
    lambda x, index, dim=None: (
        tl.gather(tl.reshape(x, -1), 0, tl.reshape(index, -1)) if dim is None else tl.gather(x, dim, index)
    )
)
op("masked_fill")(lambda x, mask, value: tl.where(mask, value, x))


def broadcast(*xs):
    shape = np.broadcast_shapes(*(x.shape for x in xs))
    return [np.broadcast_to(x.numpy(), shape) if x.dtype == bool else tl.broadcast_to(x, shape) for x in xs]


@op("narrow")
def narrow(x, dim, start, length):
    start = int(start)
    start = start + x.shape[dim] if start < 0 else start
    return x[at(dim, slice(start, start + length), x.ndim)]


def as_many_axes(x, dim, index, *more):
    """PyTorch's index and source may be smaller than x on the other axes, and of a scalar they may be scalars."""
    lift = lambda a: tl.reshape(a, (1,)) if isinstance(a, tl.Tensor) and a.ndim == 0 else a
    scalar = x.ndim == 0
    x, index, *more = map(lift, (x, index, *more))
    cut = tuple(slice(None) if i == dim % x.ndim else slice(n) for i, n in enumerate(index.shape))
    return scalar, x, dim, index, cut, more


@op("gather")
def gather(x, dim, index, sparse_grad=False):
    if index.size == 0 and index.ndim != x.ndim:
        raise NotOfferedError("an empty index with another number of axes")
    scalar = index.ndim == 0
    _, x, dim, index, cut, _ = as_many_axes(x, dim, index)
    out = tl.gather(x[cut], dim, index)
    return tl.reshape(out, ()) if scalar else out


@op("scatter_add")
def scatter_add(x, dim, index, src):
    scalar, x, dim, index, _cut, (src,) = as_many_axes(x, dim, index, src)
    if any(n != m for i, (n, m) in enumerate(zip(index.shape, x.shape, strict=False)) if i != dim % x.ndim):
        raise NotOfferedError("an index smaller than x on another axis")
    out = tl.scatter_add(x, dim, index, src[tuple(map(slice, index.shape))])
    return tl.reshape(out, ()) if scalar else out


@op("index_add")
def index_add(x, dim, index, source, alpha=1):
    scalar, x, dim, index, _, (source,) = as_many_axes(x, dim, index, source)
    out = x + tl.scatter(scaled(source, alpha), at(dim, index.numpy(), x.ndim), x.shape)
    return tl.reshape(out, ()) if scalar else out


@op("index_put")
def index_put(x, indices, values, accumulate=False):
    index = tuple(i.numpy() for i in indices)
    values = tl.broadcast_to(values, np.zeros(x.shape)[index].shape)
    if accumulate:
        return x + tl.scatter(values, index, x.shape)
    hit = np.zeros(x.shape, bool)
    hit[index] = True
    return tl.where(hit, tl.scatter(values, index, x.shape), x)


@op("nn.functional.one_hot")
def one_hot(x, num_classes=-1):
    only(num_classes=(num_classes == -1, False))
    return tl.one_hot(x, num_classes, dtype=np.int64)


op("nn.functional.embedding")(
    lambda weight, index, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False: (
        only(padding_idx=(padding_idx, None), max_norm=(max_norm, None), scale=(scale_grad_by_freq, False)),
        tl.embedding(index, weight),
    )[1]
)

# --- shapes -----------------------------------------------------------------------------------------------------------

op("transpose", "transpose_copy")(lambda x, a, b: tl.swapaxes(x, a, b) if x.ndim else tl.reshape(x, ()))
op("permute", "permute_copy")(lambda x, *dims: tl.permute(x, flat(dims)))
op("movedim")(lambda x, a, b: tl.moveaxis(x, a, b))
op("T")(lambda x: x.T)
op("t", "t_copy")(lambda x: x.T)
op("mT")(lambda x: tl.swapaxes(x, -1, -2))
op("H")(lambda x: x.T)
op("mH")(lambda x: tl.swapaxes(x, -1, -2))
op("reshape", "view", "view_copy")(lambda x, *shape: tl.reshape(x, tuple(map(int, flat(shape)))))
op("reshape_as", "view_as")(lambda x, other: tl.reshape(x, other.shape))
op("flatten")(lambda x, start_dim=0, end_dim=-1: tl.flatten(x, start_dim, end_dim))
op("squeeze", "squeeze_copy")(
    lambda x, dim=None: tl.squeeze(x, None if dim is None else dim if isinstance(dim, int) else tuple(dim))
)
op("unsqueeze", "unsqueeze_copy")(lambda x, dim: tl.expand_dims(x, dim))
op("broadcast_to")(lambda x, *shape: tl.broadcast_to(x, flat(shape)))
op("expand_as")(lambda x, other: tl.broadcast_to(x, other.shape))
op("repeat", "tile")(lambda x, *reps: tl.tile(x, flat(reps)))
op("flip")(lambda x, dims: tl.flip(x, tuple(dims)))
op("fliplr")(lambda x: np.fliplr(x))
op("flipud")(lambda x: np.flipud(x))
op("rot90")(lambda x, k=1, dims=(0, 1): np.rot90(x, k, dims))
op("meshgrid")(lambda *xs, indexing="ij": np.meshgrid(*flat(xs), indexing=indexing))
op("roll")(
    lambda x, shifts, dims=None: tl.roll(x, tuple(shifts) if isinstance(shifts, list | tuple) else shifts, axes(dims))
)
op("clone", "contiguous")(lambda x, memory_format=None: tl.positive(x))


@op("expand", "expand_copy")
def expand(x, *sizes):
    sizes = flat(sizes)
    new = len(sizes) - x.ndim
    return tl.broadcast_to(x, tuple(x.shape[i - new] if n == -1 else int(n) for i, n in enumerate(sizes)))


@op("broadcast_tensors")
def broadcast_tensors(*xs):
    shape = np.broadcast_shapes(*(x.shape for x in xs))
    return [tl.broadcast_to(x, shape) for x in xs]


@op("unflatten")
def unflatten(x, dim, sizes):
    dim = dim % x.ndim
    known = math.prod(n for n in sizes if n != -1)
    sizes = [x.shape[dim] // max(known, 1) if n == -1 else n for n in sizes]
    return tl.reshape(x, (*x.shape[:dim], *sizes, *x.shape[dim + 1 :]))


@op("repeat_interleave")
def repeat_interleave(x, repeats, dim=None, output_size=None):
    return tl.repeat(x, repeats if isinstance(repeats, int) else repeats.numpy(), axis=dim)


@op("nn.functional.pad", "constant_pad_nd")
def pad(x, widths, mode="constant", value=None):
    if not isinstance(mode, str):  # constant_pad_nd(x, widths, value)
        mode, value = "constant", mode
    pairs = [(0, 0)] * x.ndim
    for k in range(len(widths) // 2):
        pairs[x.ndim - 1 - k] = (widths[2 * k], widths[2 * k + 1])
    if min((n for pair in pairs for n in pair), default=0) < 0:
        cut = tuple(slice(max(0, -a), n - max(0, -b)) for (a, b), n in zip(pairs, x.shape, strict=False))
        x, pairs = x[cut], [(max(0, a), max(0, b)) for a, b in pairs]
    ours = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}[mode]
    return tl.pad(x, pairs, ours) if mode != "constant" else tl.pad(x, pairs, value=value or 0)


@op("cat")
def cat(xs, dim=0):
    kept = [x for x in xs if x.shape != (0,)] or xs  # PyTorch passes over empty vectors
    return tl.concatenate(kept, axis=dim)


op("stack")(lambda xs, dim=0: tl.stack(list(xs), axis=dim))
op("hstack")(lambda xs: np.hstack(list(xs)))
op("vstack")(lambda xs: np.vstack(list(xs)))
op("dstack")(
    lambda xs: tl.concatenate(
        [x if x.ndim > 2 else tl.reshape(x, (*((1, -1) if x.ndim == 1 else x.shape), 1)) for x in xs], axis=2
    )
)
op("column_stack")(lambda xs: np.column_stack(list(xs)))


def cuts(sizes):
    return np.cumsum(sizes)[:-1].tolist()


@op("split", "unsafe_split")
def split(x, size, dim=0):
    n = x.shape[dim]
    sizes = [min(size, n - i) for i in range(0, n, size)] if isinstance(size, int) else list(size)
    return tl.split(x, cuts(sizes), axis=dim)


op("split_with_sizes", "split_with_sizes_copy")(lambda x, sizes, dim=0: tl.split(x, cuts(list(sizes)), axis=dim))
op("chunk", "unsafe_chunk")(
    lambda x, chunks, dim=0: (
        split(x, max(1, -(-x.shape[dim] // chunks)), dim) if x.shape[dim] else tl.split(x, [], axis=dim)
    )
)
op("unbind", "unbind_copy")(lambda x, dim=0: list(tl.moveaxis(x, dim, 0)))


@op("tensor_split")
def tensor_split(x, where, dim=0):
    where = where.numpy().tolist() if isinstance(where, tl.Tensor) else where
    if isinstance(where, int):
        n = x.shape[dim]
        where = cuts([n // where + (i < n % where) for i in range(where)])
    return tl.split(x, list(where), axis=dim)


op("hsplit")(lambda x, where: tensor_split(x, where, 0 if x.ndim == 1 else 1))
op("vsplit")(lambda x, where: tensor_split(x, where, 0))
op("dsplit")(lambda x, where: tensor_split(x, where, 2))
shape_by = lambda name, x: getattr(np, name)(np.empty(x.shape)).shape
for name in ("atleast_1d", "atleast_2d", "atleast_3d"):
    op(name)(lambda *xs, name=name: [tl.reshape(x, shape_by(name, x)) for x in flat(xs)])

# --- linear algebra ---------------------------------------------------------------------------------------------------

for name in ("matmul", "mm", "bmm", "mv"):
    op(name)(lambda a, b, name=name: tl.matmul(a, b))
op("dot", "vdot")(lambda a, b: tl.dot(a, b))
op("outer")(lambda a, b: tl.outer(a, b))
op("einsum")(lambda xs, subscripts: tl.einsum(subscripts, *xs))
op("diagonal", "diagonal_copy")(lambda x, offset=0, dim1=0, dim2=1: tl.diagonal(x, offset, dim1, dim2))
op("linalg.diagonal")(lambda x, offset=0, dim1=-2, dim2=-1: tl.diagonal(x, offset, dim1, dim2))
op("trace")(lambda x: tl.trace(x))
op("tril")(lambda x, diagonal=0: tl.tril(x, diagonal))
op("triu")(lambda x, diagonal=0: tl.triu(x, diagonal))
op("linalg.vecdot")(lambda a, b, dim=-1: (a * b).sum(axis=dim))
op("tensordot")(lambda a, b, dims=2: tl.tensordot(a, b, dims))
op("diag")(lambda x, diagonal=0: tl.diag(x, diagonal))
op("linalg.cross")(lambda a, b, dim=-1: tl.cross(a, b, dim))
op("linalg.inv")(lambda x: tl.inv(x))
op("linalg.det")(lambda x: tl.det(x))
op("linalg.slogdet")(lambda x: (with_no_slope(tl.slogdet(x).sign, x), tl.logabsdet(x)))
op("logdet")(lambda x: tl.where(tl.det(x) < 0, np.nan, tl.logabsdet(x)))


def with_no_slope(constant, x):
    """PyTorch records a gradient that is 0 everywhere, where nothing is recorded here."""
    return tl.where(np.zeros(constant.shape, bool), x.sum(axis=(-2, -1)), constant)


@op("cross")
def cross(a, b, dim=None):
    first = next(i for i, n in enumerate(np.broadcast_shapes(a.shape, b.shape)) if n == 3)
    return tl.cross(a, b, first if dim is None else dim)


@op("diff")
def diff(x, n=1, dim=-1, prepend=None, append=None):
    if n == 0:
        return x
    return tl.diff(tl.concatenate([part for part in (prepend, x, append) if part is not None], axis=dim), n, dim)


@op("cholesky", "linalg.cholesky")
def cholesky(x, upper=False):
    factor = tl.cholesky(x)
    return tl.swapaxes(factor, -1, -2) if upper else factor


@op("linalg.solve")
def solve(a, b, left=True):
    turned = lambda x: x if left else tl.swapaxes(x, -1, -2)
    if b.ndim == 1 or b.shape != a.shape[:-1]:
        return tl.solve(a, b) if b.ndim == 1 else turned(tl.solve(turned(a), turned(b)))
    return tl.squeeze(tl.solve(a, tl.expand_dims(b, -1)), -1)  # a batch of vectors


op("addmm", "addmv", "baddbmm")(lambda c, a, b, beta=1, alpha=1: beta * c + alpha * (a @ b))
op("addbmm")(lambda c, a, b, beta=1, alpha=1: beta * c + alpha * (a @ b).sum(axis=0))
op("addr")(lambda c, a, b, beta=1, alpha=1: beta * c + alpha * tl.outer(a, b))
op("nn.functional.linear")(lambda x, w, b=None: x @ w.T if b is None else x @ w.T + b)

# --- reductions -------------------------------------------------------------------------------------------------------

op("sum")(lambda x, dim=None, keepdim=False, dtype=None: tl.sum(cast(x, dtype), axes(dim), keepdim))
op("mean")(lambda x, dim=None, keepdim=False, dtype=None: tl.mean(cast(x, dtype), axes(dim), keepdim))
op("prod")(lambda x, dim=None, keepdim=False, dtype=None: tl.prod(cast(x, dtype), axes(dim), keepdim))
op("amax")(lambda x, dim=None, keepdim=False: tl.max(x, axes(dim), keepdim))
op("amin")(lambda x, dim=None, keepdim=False: tl.min(x, axes(dim), keepdim))
op(("max", "reduction_no_dim"))(lambda x: tl.max(x))
op(("min", "reduction_no_dim"))(lambda x: tl.min(x))
op(("max", "reduction_with_dim"))(lambda x, dim, keepdim=False: (tl.max(x, dim, keepdim), tl.argmax(x, dim, keepdim)))
op(("min", "reduction_with_dim"))(lambda x, dim, keepdim=False: (tl.min(x, dim, keepdim), tl.argmin(x, dim, keepdim)))
op("aminmax")(lambda x, dim=None, keepdim=False: (tl.min(x, dim, keepdim), tl.max(x, dim, keepdim)))
op("argmax")(lambda x, dim=None, keepdim=False: tl.argmax(x, dim, keepdim))
op("argmin")(lambda x, dim=None, keepdim=False: tl.argmin(x, dim, keepdim))
op("cumsum")(lambda x, dim, dtype=None: tl.cumsum(cast(x, dtype), dim) if x.ndim else cast(x, dtype) + 0)
op("cumprod")(lambda x, dim, dtype=None: tl.cumprod(cast(x, dtype), dim) if x.ndim else cast(x, dtype) + 0)
op("logsumexp")(lambda x, dim, keepdim=False: tl.logsumexp(x, axes(dim), keepdim))
op("softmax")(lambda x, dim, dtype=None: tl.softmax(cast(x, dtype), dim))
op("log_softmax")(lambda x, dim, dtype=None: tl.log_softmax(cast(x, dtype), dim))
op("nn.functional.softmin")(lambda x, dim, dtype=None: tl.softmax(-cast(x, dtype), dim))
op("count_nonzero")(lambda x, dim=None: np.count_nonzero(x, axis=axes(dim)))
op("all")(lambda x, dim=None, keepdim=False: np.all(x, axis=axes(dim), keepdims=keepdim))
op("any")(lambda x, dim=None, keepdim=False: np.any(x, axis=axes(dim), keepdims=keepdim))
for name in ("isnan", "isinf", "isfinite"):
    op(name)(lambda x, name=name: getattr(np, name)(x))
op("equal")(lambda a, b: np.array_equal(a, b))
op("allclose")(lambda a, b, rtol=1e-5, atol=1e-8, equal_nan=False: np.allclose(a, b, rtol, atol, equal_nan))
op("isclose")(lambda a, b, rtol=1e-5, atol=1e-8, equal_nan=False: np.isclose(a, b, rtol, atol, equal_nan))
for name in ("zeros_like", "ones_like"):
    op(name)(lambda x, dtype=None, name=name, **k: getattr(np, name)(x, dtype=None if dtype is None else NP[dtype]))


def spread(f):
    def run(x, dim=None, unbiased=None, keepdim=False, correction=1):
        if isinstance(dim, bool):
            dim, unbiased = None, dim
        if unbiased is not None:
            correction = int(unbiased)
        return f(x, axes(dim), 1 if correction is None else correction, keepdim)

    return run


op("var")(spread(tl.var))
op("std")(spread(tl.std))
op("var_mean")(spread(lambda x, *given: (tl.var(x, *given), tl.mean(x, given[0], given[2]))))
op("std_mean")(spread(lambda x, *given: (tl.std(x, *given), tl.mean(x, given[0], given[2]))))


@op("linalg.vector_norm")
def vector_norm(x, ord=2, dim=None, keepdim=False, dtype=None):
    return tl.norm(cast(x, dtype), ord, axes(dim), keepdim)


@op("norm")
def norm(x, p="fro", dim=None, keepdim=False, dtype=None):
    only(nuc=(p == "nuc", False))
    return tl.norm(cast(x, dtype), 2 if p in ("fro", None) else p, axes(dim), keepdim)


@op("linalg.norm")
def linalg_norm(x, ord=None, dim=None, keepdim=False, dtype=None):
    matrix = (isinstance(dim, list | tuple) and len(dim) == 2) or (dim is None and ord is not None and x.ndim == 2)
    if matrix and ord not in (None, "fro"):
        raise NotOfferedError("matrix norm")
    return tl.norm(cast(x, dtype), 2 if ord in (None, "fro") else ord, axes(dim), keepdim)


@op("linalg.matrix_norm")
def matrix_norm(x, ord="fro", dim=(-2, -1), keepdim=False, dtype=None):
    only(ord=(ord, "fro"))
    return tl.norm(cast(x, dtype), 2, axes(dim), keepdim)


# --- order ------------------------------------------------------------------------------------------------------------

op("sort")(
    lambda x, dim=-1, descending=False, stable=False: (
        tl.sort(x, dim, descending=descending),
        tl.argsort(x, dim, descending=descending),
    )
)
op("argsort")(lambda x, dim=-1, descending=False, stable=False: tl.argsort(x, dim, descending=descending))
op("msort")(lambda x: tl.sort(x, 0))
op("topk")(lambda x, k, dim=-1, largest=True, sorted=True: tl.topk(x, k, dim, largest=largest))

# --- neural ops and losses --------------------------------------------------------------------------------------------


def conv(f):
    def run(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
        return f(x, w, b, of_one(stride), of_one(padding), of_one(dilation), groups)

    return run


op("nn.functional.conv1d")(conv(tl.conv1d))
op("nn.functional.conv2d")(conv(tl.conv2d))


def of_one(v):
    """A list of one is the one, as the database has them."""
    return v[0] if isinstance(v, list | tuple) and len(v) == 1 else tuple(v) if isinstance(v, list) else v


def conv_transpose(f):
    def run(x, w, b=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
        return f(x, w, b, of_one(stride), of_one(padding), of_one(output_padding), groups, of_one(dilation))

    return run


op("nn.functional.conv_transpose1d")(conv_transpose(tl.conv_transpose1d))
op("nn.functional.conv_transpose2d")(conv_transpose(tl.conv_transpose2d))


def max_pool(f):
    def run(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
        only(ceil_mode=(ceil_mode, False), return_indices=(return_indices, False))
        return f(x, of_one(kernel_size), of_one(stride), of_one(padding), of_one(dilation))

    return run


def avg_pool(f):
    def run(x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None):
        only(ceil_mode=(ceil_mode, False), divisor=(divisor_override, None))
        only(count_include_pad=(count_include_pad or not np.any(padding), True))
        return f(x, of_one(kernel_size), of_one(stride), of_one(padding))

    return run


for n in (1, 2):
    op(f"nn.functional.max_pool{n}d")(max_pool(getattr(tl, f"max_pool{n}d")))
    op(f"nn.functional.avg_pool{n}d")(avg_pool(getattr(tl, f"avg_pool{n}d")))


def classes_last(x):
    return 0 if x.ndim == 1 else 1


@op("nn.functional.cross_entropy")
def cross_entropy(
    x, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean", label_smoothing=0.0
):
    axis = classes_last(x)
    if target.shape == x.shape and ignore_index == -100:
        return tl.cross_entropy(x, target, axis, label_smoothing, reduction=reduction, weight=weight)
    return tl.cross_entropy(x, target, axis, label_smoothing, ignore_index, reduction, weight)


@op("nn.functional.nll_loss")
def nll_loss(x, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean"):
    return tl.nll(x, target, classes_last(x), ignore_index, reduction, weight)


@op("nn.functional.binary_cross_entropy_with_logits")
def bce_with_logits(x, y, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None):
    only(weight=(weight, None))
    return tl.binary_cross_entropy_with_logits(x, y, reduction, pos_weight)


op("nn.functional.mse_loss")(
    lambda x, y, size_average=None, reduce=None, reduction="mean": tl.mse(x, y, reduction=reduction)
)
op("nn.functional.l1_loss")(
    lambda x, y, size_average=None, reduce=None, reduction="mean": tl.l1(x, y, reduction=reduction)
)
op("nn.functional.huber_loss")(lambda x, y, reduction="mean", delta=1.0: tl.huber(x, y, delta, reduction))
op("nn.functional.kl_div")(
    lambda x, y, size_average=None, reduce=None, reduction="mean", log_target=False: tl.kl_div(
        x, y, log_target, reduction
    )
)


op("nn.functional.smooth_l1_loss")(
    lambda x, y, size_average=None, reduce=None, reduction="mean", beta=1.0: tl.smooth_l1(x, y, beta, reduction)
)


@op("nn.functional.dropout")
def dropout(x, p=0.5, training=True, inplace=False):
    if training and 0 < p < 1:
        raise NotOfferedError("other random numbers")
    return tl.dropout(x, p, training)


def last(shape):
    return tuple(range(-len(shape), 0))


op("nn.functional.layer_norm")(
    lambda x, shape, weight=None, bias=None, eps=1e-5: tl.layer_norm(x, weight, bias, axis=last(shape), eps=eps)
)
op("native_layer_norm")(
    lambda x, shape, weight, bias, eps: (tl.layer_norm(x, weight, bias, axis=last(shape), eps=eps),)
)


@op("nn.functional.batch_norm")
def batch_norm(x, mean=None, var=None, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
    return tl.batch_norm(x, None if training else mean, None if training else var, weight, bias, eps)


@op("native_batch_norm", "_native_batch_norm_legit")
def native_batch_norm(x, weight, bias, *rest):
    if len(rest) == 3:
        return (tl.batch_norm(x, None, None, weight, bias, rest[2]),)
    mean, var, training, _, eps = rest
    return (tl.batch_norm(x, None if training else mean, None if training else var, weight, bias, eps),)


@op("nn.functional.scaled_dot_product_attention")
def attention(q, k, v, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False):
    only(dropout_p=(dropout_p, 0.0), enable_gqa=(enable_gqa, False))
    return tl.scaled_dot_product_attention(q, k, v, attn_mask, is_causal, scale)
