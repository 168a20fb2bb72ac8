"""Op: one record holds everything there is to know about an operation; `apply` runs it and writes the history.

A new op is one function under `@op(...)` in `ops/`; see `ops/functions.py` for the pattern:

    @op(lambda g, out, _x: g * (1 - out * out), text="tanh({0})", latex=r"\\tanh({0})", numpy=np.tanh)
    def tanh(x): return np.tanh(x)

The function under the decorator is the forward pass on arrays; its signature and docstring are the public ones.  There
is one vjp (vector-Jacobian product) rule per input: `rule(g, out, *inputs, **params)` gives the gradient with respect to
that input from the gradient `g` with respect to `out`.  Rules are written in ops themselves and run on both: plain arrays
(the fast way of `.backward()`) and tensors (recorded, so that the backward pass is a graph too).  A rule that does not
read the *value* of an argument says so with a leading underscore: that value is not kept alive, and a stand-in with its
shape and dtype is passed.  A rule of None means a derivative that is zero wherever it exists (sign, step).
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial, update_wrapper, wraps
from math import inf
from typing import Any, Literal, NamedTuple, ParamSpec, TypeAlias, TypeVar

import numpy as np
from numpy import ndarray

from .messages import argument, explain, no_attribute
from .recording import ARRAYS, EVERYTHING, GRADIENTS, current
from .tensor import Node, Tensor, as_array, as_leaf, can_be_array, describe, is_array, new_tensor, tick, to_dense

P = ParamSpec("P")
R = TypeVar("R")
Rule = Callable[..., Any]
Form: TypeAlias = Literal["", "elementwise", "product", "reshaping", "by sample"]


class Domain(NamedTuple):
    """Where an input may lie for the op to be differentiable: an open interval, perhaps without one point."""

    low: float = -inf
    high: float = inf
    without: float | None = None


REAL = Domain()
POSITIVE = Domain(low=0.0)
NONZERO = Domain(without=0.0)
UNIT = Domain(low=-1.0, high=1.0)

# Binding strength of a formula, for brackets: a part is bracketed where it binds weaker than its place demands.
RELATION, SUM, PRODUCT, UNARY, POWER, ATOM = range(6)


@dataclass(eq=False, repr=False)  # what is not generated is not paid for at import
class Op:
    """One operation.  Everything else about it (method, label, equation, test, kernel) follows from this record.

    - `forward`: arrays in, array out; `vjps`: one rule per input, none for a result that is not a float (comparisons).
    - `text`, `latex`: how it is written, name(inputs, parameters) by default; `{0}`, `{1}` are the inputs, `{axis}` etc. the
      parameters; `precedence`: how strongly that binds.
    - `domain`: where each input is differentiable, or one `Domain` for all; `kink(*inputs, **params)` is zero exactly where,
      inside the domain, the op has a corner or a jump; `convention` says which derivative is taken there.
    - `numpy`: the NumPy function it answers to; `methods`: further names on Tensor, such as `__add__`.
    - `broadcasts`: the inputs broadcast, so a gradient may have to be summed back.
    - `saves`: forward returns (result, by-product); the rules get the by-product as `saved`, and None when they run on
      tensors, because then it must be computed from them to be differentiated.
    - `variadic`: the function takes a list of arrays, or ends in `*arrays`; its one rule gets the number of the input first
      and the inputs as one list, `rule(i, g, out, inputs, **params)`; it does not read the value of that one.
    - `add_to(total, g, *inputs, **params)`: adds the gradient of the one input that has one to an array, in place.  Where a
      tensor is picked from many times, a full array for each time would take quadratic time.
    - `form`: what kind of op it is, for those who read formulas: "elementwise" (its inputs broadcast), "product" (of what
      makes a layer's Z), "reshaping" (the same entries in another shape or dtype), "by sample" (over the features of each
      sample); `activation`: layers apply it to their Z.
    - `composed`: the function is written in other ops, on tensors; it has no rules, since theirs are its derivative, and
      may return several tensors.
    """

    name: str
    forward: Callable[..., Any]
    signature: inspect.Signature
    vjps: Sequence[Rule | None] | Each
    text: str = ""
    latex: str = ""
    precedence: int = ATOM
    domain: Sequence[Domain] = ()
    kink: Callable[..., Any] | None = None
    convention: str = ""
    numpy: Callable[..., Any] | None = None
    methods: Sequence[str] = ()
    broadcasts: bool = False
    saves: bool = False
    variadic: bool = False
    add_to: Callable[..., None] | None = None
    composed: bool = False
    form: Form = ""
    activation: bool = False
    face: Callable[..., Any] = field(init=False)
    plans: dict[int, Plan] = field(default_factory=dict)

    @property
    def inputs(self) -> list[str]:
        """The names of the array inputs; the other arguments are parameters (axis, shape, ...)."""
        return list(self.signature.parameters)[: len(self.domain)]

    @property
    def defaults(self) -> dict[str, Any]:
        """The default values of the parameters that have one."""
        params = list(self.signature.parameters.values())[len(self.domain) :]
        return {p.name: p.default for p in params if p.default is not p.empty}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the op as its public function does."""
        return self.face(*args, **kwargs)

    def plan(self, wanted: int, inputs: int) -> Plan:
        """Tell which values must be kept for the rules of the wanted inputs (bit i: input i), and remember it."""
        which = [i for i in range(inputs) if wanted >> i & 1]
        if isinstance(self.vjps, Each):  # one rule for all, which does not read the value of its own input
            reads = _values_read(self.vjps[0], inputs, each=True) - (set(which) if len(which) == 1 else set())
        else:
            reads = set().union(*(_values_read(rule, inputs) for i in which if (rule := self.vjps[i]) is not None))
        plan = Plan(tuple(i for i in range(inputs) if i not in reads), OUT in reads)
        if not self.variadic:
            self.plans[wanted] = plan
        return plan


class Each:
    """The rules of an op that takes any number of arrays: one rule, which gets the number of the input first."""

    __iter__ = None  # or Python would ask for one item after the other, without end

    def __init__(self, rule: Rule) -> None:
        self.rule = rule

    def __getitem__(self, i: int) -> Rule:
        return partial(self.rule, i)


class Plan(NamedTuple):
    """What a node keeps: the inputs whose values no rule will read, and whether a rule reads the result."""

    drop: tuple[int, ...]
    keep_out: bool


REGISTRY: dict[str, Op] = {}
ANSWERS: dict[Any, Op] = {}  # by the NumPy function that it answers to
NO_PARAMS: dict[str, Any] = {}
NUMBERS = (float, int, bool)
STARRED, EMPTY = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.empty
OUT = -1  # stands for the result where inputs are numbered
REFLECTED = {
    "__add__",
    "__sub__",
    "__mul__",
    "__truediv__",
    "__pow__",
    "__matmul__",
    "__mod__",
    "__floordiv__",
    "__and__",
    "__or__",
    "__xor__",
}


def op(*vjps: Rule | None, inputs: int = 1, **fields: Any) -> Callable[[Callable[P, Any]], Callable[P, Tensor]]:
    """Make the function under it an op: register it, and give it the face that writes history.

    `fields` are those of `Op`; `inputs` is the number of arrays where there are no rules to count.  A function that is
    defined again, in the same module and under the same name, replaces the one before, as in a notebook cell run twice.
    """

    def register(function: Callable[P, Any]) -> Callable[P, Tensor]:
        name = function.__name__
        body: Callable[..., Any] = function
        record = Op(name, body, inspect.signature(function), vjps, **fields)
        record.domain = _domains(name, record.domain or REAL, max(len(vjps), inputs))
        before = REGISTRY.get(name)
        earlier = before if before is not None and _again(before, function) else None
        _check_record(record, vjps, earlier)
        if not _is_own(function):  # those of our own ops are checked by the tests: here each import would pay for it
            check_rules(record)
        upright = rf"\mathrm{{{{{name}}}}}".replace("_", r"\_")
        record.text = record.text or _function_form(record, name)
        record.latex = record.latex or record.text.replace(f"{name}(", f"{upright}(")
        if earlier is not None:
            _forget(earlier)
        if record.variadic:
            first = before_operands(record)
            one_list = lambda *arrays, **params: body(arrays, **params)
            starred = lambda *arrays, **params: body(*[params.pop(key) for key in first or ()], *arrays, **params)
            record.forward = wraps(body)(one_list if first is None else starred)
        if record.variadic and vjps and vjps[0] is not None:
            record.vjps = Each(vjps[0])
        REGISTRY[name] = record
        if record.numpy is not None:
            ANSWERS[record.numpy] = record
        face = _composed(record, function) if record.composed else _face(record, function)
        record.face = face
        if not record.variadic:
            setattr(Tensor, name, face)
        for method in record.methods:
            if method in REFLECTED:
                setattr(Tensor, method, lambda a, b: apply(record, (a, b), NO_PARAMS))
                setattr(Tensor, f"__r{method[2:]}", lambda b, a: apply(record, (a, b), NO_PARAMS))
            elif method in ("__eq__", "__ne__"):
                setattr(Tensor, method, lambda a, b: _compared(record, a, b))
            else:
                setattr(Tensor, method, face)
        return face

    return register


def _domains(name: str, domain: Any, count: int) -> tuple[Domain, ...]:
    """Return one domain for each input; one that stands alone is that of every input."""
    domains = (domain,) * count if isinstance(domain, Domain) else domain
    right = isinstance(domains, tuple | list) and len(domains) == count
    if not right or not all(isinstance(x, Domain) for x in domains):
        form = "Domain(low=0.0)" if count == 1 else f"({', '.join(['Domain(low=0.0)'] * count)})"
        raise TypeError(f"{name}: domain={domain!r} must be a Domain for each input; write domain={form}")
    return tuple(domains)


def _function_form(op: Op, name: str) -> str:
    """Return how an op is written of which nothing else is said: name(inputs, parameters)."""
    arrays = ["{0}"] if op.variadic else [f"{{{i}}}" for i in range(len(op.domain))]
    before = before_operands(op) if op.variadic else None
    names = op.signature.parameters
    params = list(names)[len(op.domain) :] if before is None else [n for n in names if names[n].kind is not STARRED]
    return f"{name}({', '.join(arrays + [f'{{{param}}}' for param in params])})"


def _again(op: Op, function: Callable[..., Any]) -> bool:
    """Whether a function is the one that made an op, defined again: so a cell of a notebook can run twice."""
    names = [(f.__module__, f.__qualname__) for f in (op.face, function)]
    return names[0] == names[1] and not _is_own(function)


def _is_own(function: Callable[..., Any]) -> bool:
    """Whether a function is one of ours."""
    return (function.__module__ or "").partition(".")[0] == __name__.partition(".")[0]


def _forget(op: Op) -> None:
    """Take an op out of the tables and off Tensor, so that another can stand in its place."""
    del REGISTRY[op.name]
    for function in [f for f, answer in ANSWERS.items() if answer is op]:
        del ANSWERS[function]
    for method in (op.name, *op.methods):
        if vars(Tensor).get(method) is op.face:
            delattr(Tensor, method)


def _check_record(op: Op, rules: Sequence[Rule | None], earlier: Op | None) -> None:
    """Refuse an op whose names are taken by another than it replaces, or that has more rules than inputs."""
    if op.name in REGISTRY and earlier is None:
        raise ValueError(f"an op named {op.name!r} is registered already; choose another name")
    if op.name in vars(Tensor) and (earlier is None or vars(Tensor)[op.name] is not earlier.face):
        raise ValueError(f"a Tensor has {op.name!r} already; choose another name for the op")
    if op.numpy in ANSWERS and ANSWERS[op.numpy] is not earlier:
        raise ValueError(f"{op.name}: np.{op.numpy.__name__} is answered by {ANSWERS[op.numpy].name} already")  # type: ignore[union-attr]
    names = list(op.signature.parameters)
    if len(rules) > len(names):
        raise TypeError(f"{op.name}({', '.join(names)}) has {len(rules)} rules; give one for each input")


def check_rules(op: Op) -> None:
    """Refuse rules that do not take what they will be given."""
    rules = [op.vjps.rule] if isinstance(op.vjps, Each) else op.vjps
    names, before = list(op.signature.parameters), before_operands(op)
    arrays = ["inputs"] if op.variadic else names[: len(op.domain)]
    params = [*(names[len(op.domain) :] if before is None else before), *(["saved"] if op.saves else [])]
    given = [*(["i"] if op.variadic else []), "g", "out", *arrays]
    for rule in rules:
        if rule is not None:
            try:
                inspect.signature(rule).bind(*given, **dict.fromkeys(params))
            except TypeError as error:
                raise TypeError(f"{op.name}: a rule is called as rule({', '.join(given + params)}): {error}") from None


def composed(inputs: int = 1, **fields: Any) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make the function under it, which is written in ops, an op of the table; its first `inputs` arguments are arrays."""
    return op(inputs=inputs, composed=True, **fields)  # type: ignore[return-value]


def before_operands(op: Op) -> list[str] | None:
    """Return the names of the parameters that stand before `*operands`, or None where the arrays come in one list."""
    names = list(op.signature.parameters)
    starred = [i for i, p in enumerate(op.signature.parameters.values()) if p.kind is STARRED]
    return names[: starred[0]] if starred else None


def _face(op: Op, function: Callable[..., Any]) -> Callable[..., Tensor]:
    """Make the public function of an op: sort the arguments into arrays and parameters, then apply."""
    count, defaults, names = len(op.domain), op.defaults, list(op.signature.parameters)
    optional = not op.variadic and op.signature.parameters[names[count - 1]].default is not EMPTY
    complete = len(defaults) == len(names) - count and not op.variadic
    before = before_operands(op) if op.variadic else None

    def face(*args: Any, **kwargs: Any) -> Any:
        if current.get() is ARRAYS:
            return function(*args, **kwargs)[0] if op.saves else function(*args, **kwargs)
        if optional and (kwargs or len(args) != count or any(x is None for x in args)):
            args, kwargs = _completed(op, args, kwargs)
        if complete and not kwargs and len(args) == count:
            return apply(op, args, defaults)
        if before is not None:
            return apply(op, args[len(before) :], {**defaults, **dict(zip(before, args, strict=False)), **kwargs})
        params = {**defaults, **kwargs}
        if len(args) != count or len(params) != len(names) - count:
            params = _bound(op, args, kwargs)
            args = tuple([params.pop(name) for name in names[:count]])
            params = {**defaults, **params}
        for name, value in params.items():
            if type(value) in (list, tuple, ndarray) or isinstance(value, Tensor | np.generic):
                params[name] = _setting(op, name, value)
        return apply(op, tuple(args[0]) if op.variadic else args, params)

    return update_wrapper(face, function)


def _completed(op: Op, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the inputs of an op of which some may be left out, and the parameters; None is the default of such an input."""
    given = _bound(op, args, kwargs)
    inputs = [given.pop(name, None) for name in op.inputs]
    fallback = [op.signature.parameters[name].default for name in op.inputs]
    return tuple(
        [other if x is None and other is not EMPTY else x for x, other in zip(inputs, fallback, strict=True)]
    ), given


def _setting(op: Op, name: str, value: Any) -> Any:
    """Return a parameter that later changes of its list or array do not reach; no gradient flows to parameters."""
    if isinstance(value, list | tuple):
        return (list if isinstance(value, list) else tuple)([_setting(op, name, part) for part in value])
    if isinstance(value, np.generic):
        return value.item()  # np.float64(2) must promote no more than 2.0 does
    if not isinstance(value, Tensor):
        return value.copy() if type(value) is ndarray else value
    if value.requires_grad:
        raise TypeError(
            f"{op.name}: no gradient flows to {name}, but {describe(value)} requires one; detach() it first"
        )
    return value._array


def _composed(op: Op, function: Callable[..., Any]) -> Callable[..., Any]:
    """Make the public function of an op that is written in ops: those work on tensors, or in their turn on plain arrays."""
    count, names = len(op.domain), list(op.signature.parameters)

    def face(*args: Any, **kwargs: Any) -> Any:
        if current.get() is ARRAYS:
            return function(*args, **kwargs)
        if len(args) < count or any(name in kwargs for name in names[:count]):
            kwargs = _bound(op, args, kwargs)
            args = tuple([kwargs.pop(name) for name in names[:count]])
        tensors = [_as_tensor(op, x, args[:count]) for x in args[:count]]
        try:
            return function(*tensors, *args[count:], **kwargs)
        except REFUSALS as error:
            if op.name in str(error):
                raise
            raise _kind(error)(f"{op.name}: {error}") from error

    return update_wrapper(face, function)


def _as_tensor(op: Op, x: Any, inputs: Sequence[Any]) -> Any:
    """Return an operand of a composed op as a tensor; a number that does not stand alone stays weak."""
    if isinstance(x, Tensor):
        return x
    x = _plain(op, x, inputs)
    if type(x) in NUMBERS:
        return x
    return as_leaf(x) if current.get() is EVERYTHING else new_tensor(x, None)


def _unknown(tensor: Tensor, name: str) -> Any:
    if name != "grad":
        raise no_attribute(tensor, name, REGISTRY)
    if tensor.requires_grad and (node := tensor._node):
        warnings.warn(
            f"{describe(tensor)} was computed by {node.op.name}, so its .grad is None: gradients gather in leaves; "
            "make the leaf last, as in W = Tensor(0.01 * array, requires_grad=True), or ask for tl.gradients(J, [W])",
            stacklevel=2,
        )
    return None


setattr(Tensor, "__getattr__", _unknown)  # noqa: B010


def _bound(op: Op, args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Match arguments with the signature; refuse what does not fit, and name the op."""
    try:
        return op.signature.bind(*args, **kwargs).arguments
    except TypeError as error:
        raise TypeError(f"{op.name}({', '.join(op.signature.parameters)}): {error}{argument(kwargs)}") from None


def apply(op: Op, inputs: Sequence[Any], params: dict[str, Any]) -> Any:
    """Run an op on tensors, arrays and numbers, and record what the derivative, or the picture, will need."""
    values: list[Any] = []
    sources: list[Node | None] = []
    wanted = 0  # bit i: a gradient flows to input i
    bit = 1
    for x in inputs:
        if isinstance(x, Tensor):
            node = x._node
            values.append(x._array)
            sources.append(node)
            if node is not None and node.requires_grad:
                wanted |= bit
        else:
            values.append(x if type(x) is ndarray else _plain(op, x, inputs))
            sources.append(None)
        bit += bit
    if not wanted or op.variadic:
        values = _as_arrays(op, values)
    try:
        out = op.forward(*values, **params) if params else op.forward(*values)
        if op.saves:
            out, saved = out
    except REFUSALS as error:
        raise _kind(error)(explain(op, inputs, params, error)) from error
    if type(out) is not ndarray:
        out = np.asarray(out) if isinstance(out, np.generic) else _whole(op, out)
    now = current.get()
    if now is GRADIENTS:
        if not wanted or not op.vjps or out.dtype.kind != "f":
            return new_tensor(_checked(op, out), None)
        node = Node()
        drop, keep_out = op.plans.get(wanted) or op.plan(wanted, len(values))
        for i in drop:
            source = sources[i]
            if source is not None and source.op is not None:  # a leaf's value lives anyway, and may be replaced
                values[i] = source
        if keep_out:
            node.out = out
    elif now is EVERYTHING:
        node = Node()
        node.out = _checked(op, out)
        node.requires_grad = wanted != 0 and bool(op.vjps) and out.dtype.kind == "f"
    else:
        return new_tensor(_checked(op, out), None)
    if op.saves:
        node.saved = saved
    node.op = op
    node.params = params
    node.sources = sources
    node.values = values
    node.shape = out.shape
    node.dtype = out.dtype
    node.serial = tick()
    return new_tensor(out, node)


def _as_arrays(op: Op, values: list[Any]) -> list[Any]:
    """Make arrays of numbers that stand alone, or among arrays that are joined: these take the dtype of the arrays."""
    arrays = [value.dtype for value in values if is_array(value)]
    if arrays and not op.variadic:
        return values
    floats = [np.float32] if not arrays and float in map(type, values) else []
    return [
        as_array(value, np.result_type(*arrays, *floats, value)) if type(value) in NUMBERS else value
        for value in values
    ]


REFUSALS = (ValueError, TypeError, IndexError, AttributeError, OverflowError)  # what NumPy says of a wrong operand


def _kind(error: Exception) -> type[Exception]:
    return next(
        (kind for kind in (IndexError, np.linalg.LinAlgError, ValueError, OverflowError) if isinstance(error, kind)),
        TypeError,
    )


def _whole(op: Op, out: Any) -> Any:
    """Refuse what a forward pass must not return."""
    if is_array(out):
        return out
    hint = "; it gets arrays, and is written in NumPy's functions" if isinstance(out, Tensor) else ""
    raise TypeError(f"{op.name}: the function under @op must return an array, not {type(out).__name__}{hint}")


def _checked(op: Op, out: Any) -> Any:
    """Refuse results that no tensor holds."""
    if out.dtype.kind not in "fiub":
        raise TypeError(f"{op.name} gave dtype {out.dtype}; a tensor holds floats, integers or booleans")
    return out


def unbroadcast(g: Any, shape: tuple[int, ...]) -> Any:
    """Sum a gradient over the axes along which an input of `shape` was broadcast.  The only place that does this."""
    axes, keepdims = _broadcast_axes(g.shape, shape)
    if not isinstance(g, Tensor):
        total: Any = _sum(g, axis=axes, keepdims=keepdims)
        return total if keepdims else total.reshape(shape)
    return REGISTRY["reshape"](REGISTRY["sum"](g, axis=axes, keepdims=keepdims), shape)


_sum: Any = np.add.reduce


@cache
def _broadcast_axes(to: tuple[int, ...], shape: tuple[int, ...]) -> tuple[tuple[int, ...], bool]:
    """Return the axes along which `shape` was broadcast, and whether none of them was new."""
    new = len(to) - len(shape)
    if new < 0 or any(n not in (1, to[i + new]) for i, n in enumerate(shape)):
        raise AssertionError(f"a gradient of shape {to} cannot belong to an input of shape {shape}")
    return (*range(new), *(i + new for i, n in enumerate(shape) if n != to[i + new])), new == 0


def _values_read(rule: Rule, inputs: int, each: bool = False) -> set[int]:
    """Tell from the names of its arguments which values a rule reads (a leading underscore: not); OUT is the result."""
    names = list(inspect.signature(rule).parameters)[1:]
    if each:
        names = [names[0], *[names[1]] * inputs]
    return {i for i, name in enumerate(names[: inputs + 1], OUT) if not name.startswith("_")}


def _plain(op: Op, x: Any, inputs: Sequence[Any]) -> Any:
    """Prepare an operand that is no tensor: numbers stay weak (they do not promote float32), lists become arrays."""
    kind, alone = type(x), len(inputs) == 1
    if kind is ndarray:
        return x
    if kind in NUMBERS:
        return as_array(x) if alone else x
    if isinstance(x, np.generic):
        return np.asarray(x) if alone else x.item()  # np.float64(2) must promote no more than 2.0 does
    if isinstance(x, list | tuple):
        return _listed(op, x, inputs)
    if can_be_array(x) or isinstance(x, float | int):
        return as_array(x)
    raise TypeError(
        f"{op.name} takes tensors, arrays and numbers, not {type(x).__name__}"
        + (" (did the function that made it forget to return?)" if x is None else to_dense(x))
    )


def _listed(op: Op, x: Any, inputs: Sequence[Any]) -> Any:
    """Make an array of a list, as weak as a number is: floats in it, and integers in arithmetic, promote no float dtype."""
    met = [y.dtype for y in inputs if isinstance(y, Tensor) or is_array(y)]
    met = [dtype for dtype in met if dtype.kind in "fiu"]
    meets = np.result_type(*met) if met else None
    array = as_array(x, meets=meets)
    weak = op.broadcasts and array.dtype.kind in "iu" and meets is not None and meets.kind == "f"
    return array.astype(meets) if weak else array


def _compared(op: Op, a: Tensor, b: Any) -> Any:
    """Compare elementwise; what is no number and no array is simply not equal, as everywhere in Python."""
    comparable = isinstance(b, Tensor | np.generic | float | int | list | tuple) or can_be_array(b)
    return apply(op, (a, b), NO_PARAMS) if comparable else NotImplemented
