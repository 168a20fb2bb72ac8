"""Run one sample in PyTorch and here: values, first and second derivatives; say how they compare.

Outcomes
  agree          all compared parts are the same (NaN equals NaN)
  allowed        they differ, or it is refused here, and a row of docs/conformance.md says so
  differ         they differ, and no row says so
  refused        an argument of the sample is refused with a message, and no row says so
  crash          anything else was raised, or something in the backward pass
  not offered    the sample uses an argument that has no counterpart
  PyTorch's      PyTorch refuses its own sample
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

import tinygrad_lite as tl

from .adapters import ADAPTERS, NP, NotOfferedError
from .allowed import row_for
from .samples import Case, each, tensors

CLEAN = (ValueError, TypeError, IndexError, AttributeError, OverflowError, NotImplementedError)
OUTCOMES = ["agree", "allowed", "differ", "refused", "crash", "not offered", "PyTorch's"]


@dataclass
class Verdict:
    """How a sample compares: the parts that differ, the kinds of inputs at which they do, and the row that allows it."""

    name: str
    variant: str
    phase: str
    case: Case
    outcome: str
    why: str = ""
    parts: list[str] = field(default_factory=list)
    kinds: set[str] = field(default_factory=set)
    places: list[str] = field(default_factory=list)
    row: str = ""

    def __str__(self) -> str:
        name = f"{self.name}[{self.variant}]" if self.variant else self.name
        return "\n    ".join([f"{self.outcome}: {name} ({self.phase}) of {self.case}: {self.why}", *self.places[:6]])


@dataclass
class Outputs:
    """What a run gave."""

    values: list[Any]
    needs: list[bool]  # whether a gradient flows
    first: list[Any] = field(default_factory=list)
    second: list[Any] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)  # of the leaves whose first derivatives have second ones


def judge(info: Any, phase: str, case: Case) -> Verdict:
    """Run a sample in both and compare."""
    said = Verdict(info.name, info.variant_test_name, phase, case, "agree")
    ours_of = ADAPTERS.get((info.name, info.variant_test_name)) or ADAPTERS[info.name]
    second = phase in ("samples", "shapes") and info.supports_gradgrad and info.supports_autograd
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        theirs = Outputs([], [])
        if phase != "errors":
            try:
                theirs = in_torch(info.op, case, None, second)
            except Exception as error:  # whatever PyTorch raises of its own sample
                said.outcome, said.why = "PyTorch's", str(error)[:120]
                return said
        try:
            ours = here(ours_of, case, second, theirs.numbers)
        except NotOfferedError as error:
            said.outcome, said.why = "not offered", str(error)
        except CLEAN as error:
            said.outcome, said.why = (
                "agree" if phase == "errors" else "refused",
                f"{type(error).__name__}: {error}"[:200],
            )
        except Exception as error:  # a crash is what is looked for
            said.outcome, said.why = "crash", f"{type(error).__name__}: {error}"[:300]
        else:
            if phase == "errors":
                said.parts = ["PyTorch refuses this"]
            else:
                compare(said, ours, theirs, exactly(info, phase, case))
            said.outcome, said.why = "differ" if said.parts else "agree", ", ".join(said.parts)
    if said.outcome in ("differ", "refused") and (row := row_for(said)):
        said.outcome, said.row = "allowed", row
    return said


def exactly(info: Any, phase: str, case: Case) -> Outputs | None:
    """Return PyTorch's result in float64, by which float32 is judged."""
    if phase != "float32":
        return None
    try:
        return in_torch(info.op, case, torch.float64, False)
    except Exception:  # some ops take no float64 beside other arguments
        return None


def weights(i: int, shape: tuple[int, ...]) -> Any:
    """Return the weights of the outputs: the same for both, whoever asks."""
    return np.asarray(np.random.default_rng([12345, i]).standard_normal(shape))


def in_torch(f: Any, case: Case, dtype: Any, second: bool) -> Outputs:
    """Run a sample in PyTorch."""
    leaves = []

    def fresh(t: Any) -> Any:
        new = t.detach().clone()
        new = new.to(dtype) if dtype is not None and new.is_floating_point() else new
        if t.requires_grad:
            leaves.append(new.requires_grad_(True))
        return new

    out = f(*each(case.args, fresh), **each(case.kwargs, fresh))
    outs = [torch.as_tensor(o) for o in (out if isinstance(out, list | tuple) else [out])]
    result = Outputs([o.detach().numpy() for o in outs], [o.requires_grad for o in outs])
    flowing = [(i, o) for i, o in enumerate(outs) if o.requires_grad]
    if not flowing or not leaves:
        return result
    ws = [torch.from_numpy(weights(i, o.shape).astype(NP[o.dtype])).requires_grad_(second) for i, o in flowing]
    pull = lambda ys, xs, gs, **how: torch.autograd.grad(ys, xs, gs, allow_unused=True, **how)
    first = pull([o for _, o in flowing], leaves, ws if second else [w.detach() for w in ws], create_graph=second)
    dense = lambda gs, xs: [
        np.zeros(x.shape, NP[x.dtype]) if g is None else g.detach().numpy() for g, x in zip(gs, xs, strict=True)
    ]
    result.first = dense(first, leaves)
    result.numbers = [k for k, g in enumerate(first) if g is not None and g.requires_grad] if second else []
    if result.numbers:
        again = [torch.from_numpy(weights(100 + k, first[k].shape)).to(first[k].dtype) for k in result.numbers]
        result.second = dense(pull([first[k] for k in result.numbers], leaves + ws, again), leaves + ws)
    return result


def laid(array: Any, layout: str) -> tuple[Any, Any, Any]:
    """Return a leaf, a tensor of this value that lies in memory as `layout` says, and the way back for its gradient."""
    same = lambda g: g
    if layout == "strided":
        leaf = tl.Tensor(array, requires_grad=True)
        return leaf, tl.stack([leaf, np.full_like(array, 7)], axis=-1)[..., 0], same
    if layout == "reversed":
        leaf = tl.Tensor(np.flip(array).copy(), requires_grad=True)
        return leaf, tl.flip(leaf), np.flip
    if layout == "fortran" and array.ndim > 1:
        leaf = tl.Tensor(np.ascontiguousarray(array.T), requires_grad=True)
        return leaf, leaf.T, lambda g: g.T
    leaf = tl.Tensor(array, requires_grad=True)
    return leaf, leaf, same


def here(f: Any, case: Case, second: bool, numbers: list[int]) -> Outputs:
    """Run a sample in tinygrad_lite; what is raised after the forward pass is no refusal."""
    leaves, homes = [], []

    def fresh(t: Any) -> Any:
        if t.is_complex() or t.dtype not in NP:
            raise NotOfferedError(f"dtype {t.dtype}")
        array = t.detach().resolve_neg().numpy()
        if not t.requires_grad:
            return tl.Tensor(array)
        leaf, x, home = laid(array, case.layout)
        leaves.append(leaf)
        homes.append(home)
        return x

    out = f(*each(case.args, fresh), **each(case.kwargs, fresh))
    outs = list(out) if isinstance(out, list | tuple) else [out]
    needs = [isinstance(o, tl.Tensor) and o.requires_grad for o in outs]
    values = [np.array(o.numpy() if isinstance(o, tl.Tensor) else o) for o in outs]
    if any(v.dtype == object for v in values):
        raise AssertionError("an array of objects")
    result = Outputs(values, needs)
    flowing = [(i, o) for i, (o, flows) in enumerate(zip(outs, needs, strict=True)) if flows]
    if not flowing or not leaves:
        return result
    try:
        ws = [tl.Tensor(weights(i, o.shape).astype(o.dtype), requires_grad=second) for i, o in flowing]
        total = lambda pairs: sum([(o * w).sum() for o, w in pairs])
        if len(flowing) == 1:
            first = tl.gradients(flowing[0][1], leaves, gradient=ws[0], create_graph=second)
        else:
            first = tl.gradients(total(zip([o for _, o in flowing], ws, strict=True)), leaves, create_graph=second)
        result.first = [np.array(home(g.numpy())) for g, home in zip(first, homes, strict=True)]
        if any(g.dtype != x.dtype for g, x in zip(first, leaves, strict=True)):
            raise AssertionError("a gradient has another dtype than its tensor")
        if numbers:
            pairs = [(first[k], weights(100 + k, first[k].shape).astype(first[k].dtype)) for k in numbers]
            pairs = [(g, w) for g, w in pairs if g.requires_grad]
            two = (
                tl.gradients(total(pairs), leaves + ws)
                if pairs
                else [tl.Tensor(np.zeros_like(x.numpy())) for x in leaves + ws]
            )
            result.second = [np.array(g.numpy()) for g in two]
    except np.linalg.LinAlgError:  # a matrix that has a determinant, and no inverse
        raise
    except CLEAN as error:
        raise RuntimeError(f"in the backward pass: {type(error).__name__}: {error}") from error
    return result


def compare(said: Verdict, ours: Outputs, theirs: Outputs, exact: Outputs | None) -> None:
    """Write down the parts that differ, and at what kinds of inputs.  Where an adapter returns less, less is compared."""
    single = said.phase == "float32"
    bounds = (3e-6, 3e-6) if single else (1e-9, 1e-11)
    floor = 1e-320 if said.case.put else 1e-6 if single else 1e-12  # what rounding leaves where the result is 0
    inputs = [
        t.detach().numpy()
        for t in tensors((said.case.args, said.case.kwargs))
        if t.dtype in NP and t.is_floating_point()
    ]

    def check(label: str, a: Any, b: Any, bounds: Any, e: Any = None) -> None:
        if a.shape != b.shape:
            said.parts.append(f"shape of {label}: {a.shape} for {b.shape}")
            return
        wrong = ~close(a, b, *bounds, floor, e)
        if not wrong.any():
            return
        said.parts.append(label)
        fitting = [np.broadcast_to(x, wrong.shape) for x in inputs if fits(x.shape, wrong.shape)]
        said.kinds.update(kind_of(v) for x in fitting for v in np.unique(x[wrong])[:200])
        for place in np.argwhere(wrong)[:3]:
            at = ", ".join(f"{x[tuple(place)]:.9g}" for x in fitting[:3])
            said.places.append(
                f"{label}{place.tolist()}: ours {a[tuple(place)]}, theirs {b[tuple(place)]}; inputs there: {at}"
            )

    for i, (a, b) in enumerate(zip(ours.values, theirs.values, strict=False)):
        check(f"value {i}" if i else "value", a, b, bounds, exact and exact.values[i])
        if a.dtype != b.dtype:
            said.parts.append(f"dtype {a.dtype} for {b.dtype}")
        if theirs.needs[i] and not ours.needs[i]:
            said.parts.append("no gradient flows")
    for i, (a, b) in enumerate(zip(ours.first, theirs.first, strict=False)):
        check(f"gradient {i}", a, b, bounds, exact.first[i] if exact and exact.first else None)
    for i, (a, b) in enumerate(zip(ours.second, theirs.second, strict=False)):
        check(f"second {i}", a, b, (1e-7, 1e-9))


def close(a: Any, b: Any, rtol: float, scale: float, floor: float, exact: Any = None) -> Any:
    """Tell where arrays of one shape agree; float32 may be four times as far from the exact result as PyTorch's is."""
    if a.dtype.kind != "f" or b.dtype.kind != "f":
        return a == b
    finite = np.abs(b[np.isfinite(b)])
    largest = min(finite.max(), 1e300) if finite.size else 0.0
    good = (a == b) | (np.isnan(a) & np.isnan(b)) | (np.abs(a - b) <= rtol * np.abs(b) + scale * largest + floor)
    if exact is not None and exact.shape == a.shape:
        error, theirs, eps = np.abs(a - exact), np.abs(b.astype(np.float64) - exact), np.finfo(np.float32).eps
        good |= error <= 4 * theirs + 4 * eps * np.abs(exact)
        good |= (np.isnan(a) & np.isnan(exact)) | (a == exact.astype(np.float32))
    return good


def kind_of(v: float) -> str:
    if not np.isfinite(v):
        return "nan" if np.isnan(v) else "inf"
    size = abs(v)
    kinds = {"0": size == 0, "denormal": size < 2.3e-308, "huge": size > 1e100, "tiny": size < 1e-100}
    return next((kind for kind, holds in kinds.items() if holds), "plain")


def fits(shape: tuple[int, ...], into: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, into) == into
    except ValueError:
        return False
