"""Which row of docs/conformance.md allows which difference: the page is the list, this table only points into it.

A row is named by how its line begins.  The first entry that fits a verdict counts.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

Verdict = Any  # of judge.py, which imports this file
PAGE = Path(__file__).parents[3] / "docs/conformance.md"


class Allowed(NamedTuple):
    """A row, the names in the database that it is about, and when it allows a difference."""

    row: str
    names: str
    when: Callable[[Verdict], bool]


def near(*kinds: str) -> Callable[[Verdict], bool]:
    """Where such a value was put in, or stands where the results differ."""
    return lambda said: bool(set(kinds) & (said.kinds | {put.lstrip("-") for put in said.case.put}))


def only(*kinds: str) -> Callable[[Verdict], bool]:
    """Where nothing but such values stands where the results differ."""
    return lambda said: bool(said.kinds) and said.kinds <= set(kinds)


def second(said: Verdict) -> bool:
    """Where nothing but second derivatives differ."""
    return bool(said.parts) and all(part.startswith("second") for part in said.parts)


def tie(said: Verdict) -> bool:
    """Where the operands are equal somewhere, or both are NaN, and nothing but derivatives differs."""
    a, b = (x.detach() for x in said.case.args)
    equal = (a == b) | (a.isnan() & b.isnan())
    return bool(equal.any()) and not any(part.startswith(("value", "shape", "dtype")) for part in said.parts)


def dtypes(said: Verdict) -> bool:
    """Where nothing but the dtype differs."""
    return bool(said.parts) and all(part.startswith("dtype") for part in said.parts)


def refused(*words: str) -> Callable[[Verdict], bool]:
    """Where it is refused here, with these words."""
    return lambda said: said.outcome == "refused" and all(word in said.why for word in words)


def error(said: Verdict) -> bool:
    """Where PyTorch refuses, and it is taken here."""
    return said.phase == "errors"


MATRICES = "linalg.inv linalg.solve linalg.det linalg.slogdet logdet cholesky linalg.cholesky"
NORMS = "norm linalg.norm linalg.vector_norm linalg.matrix_norm"
F = "nn.functional."
TAKEN = """roll trace t t_copy diagonal mean clamp_max clamp_min atan2 logaddexp max maximum min minimum eq ge gt le lt ne
pow float_power __radd__ __rdiv__ __rmul__ __rsub__ __rpow__ rsub isclose native_layer_norm nn.functional.embedding
nn.functional.conv1d nn.functional.conv2d nn.functional.max_pool1d narrow hsplit vsplit dsplit masked_fill
copysign fmax fmin hypot remainder __rmod__ linalg.cross logical_and logical_or logical_xor bitwise_and bitwise_or
bitwise_xor __rand__ __ror__ __rxor__"""

ALLOWED = [
    Allowed("what PyTorch refuses and NumPy takes", TAKEN, error),
    Allowed("an axis of a scalar", "logsumexp squeeze softmax log_softmax", refused("(scalar)")),
    Allowed("mixed float dtypes", "where clamp float_power add sub mul", dtypes),
    Allowed("`sort`, `argsort`, `topk` of a scalar", "sort argsort topk msort", refused("scalar")),
    Allowed("`squeeze(x, axis)`", "squeeze squeeze_copy", refused("size not equal to one")),
    Allowed("`take(x, i, axis)`", "index_select take", lambda said: "shape" in said.why),
    Allowed("`pad`", F + "pad", refused("can't extend empty axis")),
    Allowed("`einsum`", "einsum", refused()),
    Allowed("`batch_norm` |", F + "batch_norm native_batch_norm _native_batch_norm_legit", refused()),
    Allowed("`softplus` | exact", F + "softplus", lambda said: "threshold" in said.case.kwargs),
    Allowed("`atan2`", "atan2 hypot", near("inf", "huge", "tiny", "denormal", "0")),
    Allowed("`logaddexp`, `logsumexp`", "logaddexp logsumexp", near("inf")),
    Allowed("`logaddexp` where", "logaddexp", second),
    Allowed("`copysign`", "copysign", lambda said: second(said) or near("inf")(said)),
    Allowed("`fmax`, `fmin`", "fmax fmin", tie),
    Allowed("`remainder` by", "remainder __rmod__", lambda said: near("denormal")(said) and said.parts == ["value"]),
    Allowed("`cross` where", "cross linalg.cross", lambda said: near("huge")(said) and said.parts == ["value"]),
    Allowed("`cholesky` |", "cholesky linalg.cholesky", lambda said: bool(said.case.put)),
    Allowed("`inv`, `solve`, `cholesky`, `logabsdet`", MATRICES, refused("Singular matrix")),
    Allowed("`inv`, `solve`, `det`", MATRICES, near("inf", "nan", "denormal", "huge", "tiny")),
    Allowed("`tensordot`", "tensordot", refused("(1, 1, 1)", "must have the same sizes")),
    Allowed("`norm` | neither", NORMS + " hypot", near("huge", "tiny", "denormal")),
    Allowed("`norm` | neither", NORMS, lambda said: second(said) or only("0")(said)),
    Allowed("`norm` | vector norms", NORMS, lambda said: any(0 in getattr(x, "shape", ()) for x in said.case.args)),
    Allowed("`abs`, `norm` at NaN", f"abs {NORMS} hypot {F}l1_loss {F}smooth_l1_loss", near("nan", "inf")),
    Allowed("`std`", "std std_mean", near("huge", "tiny", "denormal")),
    Allowed("`var` of equal", "var var_mean", near("huge", "tiny")),
    Allowed("`var` where", "var", lambda said: said.phase == "shapes" and second(said)),
    Allowed("`mean` of an infinite", "std_mean var_mean", lambda said: said.parts == ["value 1"] and near("inf")(said)),
    Allowed("`prod`, `cumprod` |", "prod cumprod", near("inf", "nan", "denormal", "huge", "0", "tiny")),
    Allowed("`argmax`, `argmin`, `topk`", "topk", lambda said: "everywhere" in said.case.put),
    Allowed("`max`, `min` along", "max min amax amin aminmax", near("nan")),
    Allowed("`max`, `min` along", "max min", lambda said: said.variant == "reduction_with_dim"),
    Allowed("`relu`, `maximum`", f"{F}relu {F}relu6 {F}hardtanh maximum minimum max min", near("nan")),
    Allowed("`relu`, `maximum`", "clamp clamp_min clamp_max", near("nan")),
    Allowed("`pow`", "pow float_power __rpow__", second),
    Allowed("`sign` of NaN", "sign sgn", only("nan")),
    Allowed("`mish`", F + "mish", second),
    Allowed("`celu` in", F + "celu", near("plain", "nan", "0", "inf", "denormal", "tiny")),
    Allowed("`hardsigmoid` in", F + "hardsigmoid", lambda said: not near("nan")(said)),
    Allowed("`hardswish` of −∞", F + "hardswish", only("inf")),
    Allowed("`softsign` at", F + "softsign", only("inf")),
    Allowed(
        "corners at NaN",
        " ".join(F + n for n in ["elu", "selu", "celu", "hardtanh", "relu6", "hardsigmoid", "hardswish"]),
        near("nan"),
    ),
    Allowed("float64 to float16", "half", only("plain")),
    Allowed("`a / b`", "__rdiv__", near("huge", "tiny", "denormal", "0", "inf")),
    Allowed(
        "`layer_norm`, `batch_norm` of infinite",
        f"{F}layer_norm native_layer_norm {F}batch_norm native_batch_norm _native_batch_norm_legit",
        near("inf", "huge", "tiny", "denormal"),
    ),
    Allowed("`scaled_dot_product_attention` where", F + "scaled_dot_product_attention", near("inf", "nan", "huge")),
    Allowed("`kl_div`", F + "kl_div", near("0")),
    Allowed("`cross_entropy` of 1e305", F + "cross_entropy", near("huge", "tiny")),
    Allowed("`sigmoid_cross_entropy`, ", F + "binary_cross_entropy_with_logits", near("inf")),
    Allowed("`max_pool1d`, `max_pool2d` with NaN", f"{F}max_pool1d {F}max_pool2d", near("nan")),
]


def row_for(said: Verdict) -> str:
    """Return the row that allows what a verdict says, or nothing."""
    return next((entry.row for entry in ALLOWED if said.name in entry.names.split() and entry.when(said)), "")


def lines(row: str) -> list[str]:
    """Return the lines of the page that begin as this row does."""
    return [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith(f"| {row}")]
