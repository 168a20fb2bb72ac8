"""The samples of the database, and what is made of them: other memory layouts, special values, odd shapes, errors.

Phases
  samples   the database's `reference_inputs` (its `sample_inputs` are among them), float64, to second derivatives;
            int64 where an op takes no floats
  float32   the same in float32, to first derivatives
  layouts   samples that lie otherwise in memory: reversed, every second element, Fortran order
  special   samples with ±∞, NaN, ±0, denormals and huge numbers at some places
  shapes    empty arrays, axes of length 1 and scalars, for ops that take any shape
  errors    what PyTorch refuses
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import torch
from torch.testing._internal.common_methods_invocations import op_db

from .adapters import ADAPTERS

VALUES = {
    "inf": np.inf, "-inf": -np.inf, "nan": np.nan, "0": 0.0, "-0": -0.0, "denormal": 5e-320, "huge": 1e305, "-huge": -1e305,
    "tiny": 1e-300,
}  # fmt: skip
SHAPES = [(), (0,), (1,), (3,), (0, 3), (3, 0), (1, 1), (1, 4), (4, 1), (2, 0, 3), (2, 1, 3)]
FREE = """abs acos asin asinh atan atanh ceil cos cosh erf exp exp2 expm1 floor log log10 log1p log2 neg positive reciprocal
rsqrt sigmoid sign sin sinh sqrt square tan tanh special.ndtr round flatten ravel squeeze nn.functional.relu
nn.functional.relu6 nn.functional.selu nn.functional.silu nn.functional.mish nn.functional.logsigmoid
nn.functional.softsign nn.functional.leaky_relu nn.functional.hardtanh nn.functional.elu nn.functional.celu
nn.functional.gelu nn.functional.softplus nn.functional.hardswish nn.functional.hardsigmoid"""
ONE = {  # ops of one array of any shape, and what else each is called with, by the number of axes
    **dict.fromkeys(FREE.split(), lambda n: [{}]),
    **dict.fromkeys(
        ["sum", "mean", "amax", "amin", "var", "std", "linalg.vector_norm"],
        lambda n: [{"dim": d, "keepdim": k} for d in [None, *range(-n, n)] for k in (False, True)],
    ),
    **dict.fromkeys(
        ["prod", "logsumexp", "softmax", "log_softmax", "cumsum", "cumprod", "sort", "argsort", "argmax", "argmin"],
        lambda n: [{"dim": d} for d in range(-n, n)],
    ),
    **dict.fromkeys(["flip"], lambda n: [{"dims": (d,)} for d in range(n)]),
    **dict.fromkeys(["roll"], lambda n: [{"shifts": 1, "dims": d} for d in range(n)]),
    **dict.fromkeys(["tril", "triu"], lambda n: [{"diagonal": k} for k in (-1, 0, 2) if n > 1]),
    **dict.fromkeys(["diagonal"], lambda n: [{"offset": k} for k in (-5, -1, 0, 1, 5) if n > 1]),
}
TWO = ["add", "sub", "mul", "true_divide", "pow", "atan2", "logaddexp", "maximum", "minimum"]


@dataclass
class Case:
    """One call: PyTorch's arguments."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    put: tuple[str, ...] = ()  # the special value in it
    layout: str = ""

    def __str__(self) -> str:
        named = [f"{name}={short(value)}" for name, value in self.kwargs.items()]
        return ", ".join([*map(short, self.args), *named, *self.put, *([self.layout] if self.layout else [])])


def short(x: Any) -> str:
    if isinstance(x, torch.Tensor):
        return f"{str(x.dtype).removeprefix('torch.')}{list(x.shape)}{'*' if x.requires_grad else ''}"
    return f"({', '.join(map(short, x))})" if isinstance(x, list | tuple) else repr(x)[:50]


def each(x: Any, f: Callable[[Any], Any]) -> Any:
    """Apply f to the tensors in nested lists, tuples, dicts and slices."""
    if isinstance(x, torch.Tensor):
        return f(x)
    if isinstance(x, torch.Size) or hasattr(x, "_fields"):
        return tuple(each(part, f) for part in x)
    if isinstance(x, list | tuple):
        return type(x)(each(part, f) for part in x)
    if isinstance(x, dict):
        return {name: each(part, f) for name, part in x.items()}
    if isinstance(x, slice):
        return slice(*(each(part, f) for part in (x.start, x.stop, x.step)))
    return x


def tensors(x: Any) -> list[Any]:
    found: list[Any] = []
    each(x, found.append)
    return found


def infos() -> list[Any]:
    """Return the entries of the database for which there is an adapter."""
    known = lambda info: info.name in ADAPTERS or (info.name, info.variant_test_name) in ADAPTERS
    return [info for info in op_db if known(info) and info.variant_test_name != "complex"]


def from_database(info: Any, dtype: Any, kind: str) -> list[Case]:
    """Return the samples of an entry; floats require a gradient where the op is differentiable."""
    found = generated(info, dtype, kind, info.supports_autograd)
    if found is None:  # some generators make integers that require a gradient
        grown = lambda t: t.detach().clone().requires_grad_(info.supports_autograd and t.is_floating_point())
        found = [each(sample, grown) for sample in generated(info, dtype, kind, False) or []]
    cases = [Case((x, *args), kwargs) for x, args, kwargs in found]
    if info.name.startswith("clamp"):  # bounds with and without a gradient
        free = lambda x: each(x, lambda t: t.detach())
        cases += [Case((c.args[0], *free(c.args[1:])), free(c.kwargs)) for c in cases]
    return cases


def generated(info: Any, dtype: Any, kind: str, grad: bool) -> list[Any] | None:
    torch.manual_seed(0)
    np.random.seed(0)
    random.seed(0)
    try:
        samples = list(getattr(info, f"{kind}_inputs")("cpu", dtype, requires_grad=grad))
    except Exception:  # whatever a generator may raise
        return None
    return [(s.input, tuple(s.args), s.kwargs) for s in samples]


def with_special(case: Case, name: str, seed: int, everywhere: bool) -> Case:
    """Put a special value at some places of each tensor that requires a gradient."""
    rng = np.random.default_rng(seed)

    def put(t: Any) -> Any:
        if not (t.requires_grad and t.numel()):
            return t
        flat = t.detach().clone().reshape(-1)
        n = len(flat)
        flat[torch.as_tensor(range(n) if everywhere else rng.choice(n, min(n, 1 + (n > 3)), replace=False))] = VALUES[
            name
        ]
        return flat.reshape(t.shape).requires_grad_(True)

    return Case(each(case.args, put), each(case.kwargs, put), (name, "everywhere") if everywhere else (name,))


def odd_shapes(info: Any) -> Iterator[Case]:
    if info.variant_test_name not in ("", "reduction_no_dim"):
        return
    make = lambda s: torch.tensor(np.random.default_rng(len(s)).uniform(0.1, 0.9, s), requires_grad=True)
    if info.name in ONE:
        for shape in SHAPES:
            for kwargs in ONE[info.name](len(shape)):
                yield Case((make(shape),), kwargs)
    if info.name in TWO:
        for a, b in product(SHAPES, SHAPES):
            try:
                np.broadcast_shapes(a, b)
            except ValueError:
                continue
            yield Case((make(a), make(b)), {})


def cases(info: Any) -> dict[str, Callable[[], list[Case]]]:
    """Return what makes the cases of each phase."""
    dtype = torch.float64 if torch.float64 in info.dtypes else torch.int64
    small = lambda: [c for c in from_database(info, dtype, "sample") if size(c) < 5000]
    few = lambda: (lambda found: found[:: max(1, len(found) // 60)])(small())
    phases: dict[str, Callable[[], list[Case]]] = {
        "samples": lambda: from_database(info, dtype, "reference"),
        "float32": lambda: from_database(info, torch.float32, "reference") if torch.float32 in info.dtypes else [],
    }
    if info.supports_autograd:
        phases["layouts"] = lambda: [
            Case(c.args, c.kwargs, layout=layout) for layout in ("strided", "reversed", "fortran") for c in few()
        ]
        phases["special"] = lambda: [
            with_special(c, name, k, everywhere)
            for k, c in enumerate(few()[:20])
            for name in VALUES
            for everywhere in (False, True)[: 2 if k < 3 else 1]
        ]
        phases["shapes"] = lambda: list(odd_shapes(info))
    if info.error_inputs_func is not None:
        phases["errors"] = lambda: [
            Case((e.sample_input.input, *e.sample_input.args), e.sample_input.kwargs) for e in errors(info)
        ]
    return phases


def errors(info: Any) -> list[Any]:
    torch.manual_seed(0)
    try:
        return list(info.error_inputs("cpu"))
    except Exception:  # some generators need a GPU
        return []


def size(case: Case) -> int:
    return sum(t.numel() for t in tensors((case.args, case.kwargs)))
