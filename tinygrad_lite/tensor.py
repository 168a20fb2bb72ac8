"""Tensor: an array that remembers how it was made.

A `Tensor` is what the user holds: the value, the accumulated gradient, and a `Node`.  A `Node` is how the tensor was
made: the op, the nodes it was made from, and just those values that a derivative rule of the op will read.  Because
the history holds nodes and not tensors, an intermediate value that no rule needs is freed as soon as the user drops it,
and the history itself is freed with the loss.
"""

from __future__ import annotations

import itertools
import math
import weakref
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .recording import EVERYTHING, GRADIENTS, current

# Serial numbers: a node is always younger, that is higher, than the nodes it was made from.
tick = itertools.count(1).__next__


ArrayLike: TypeAlias = Any  # a tensor, an array, a number or a nested list of numbers


class Node:
    """How one tensor was made.  Written by `op.apply` and `recompute`; read by `autodiff`, `recompute` and `graph`.

    `sources[i]` is the node of input i, or None where the input is a plain array or number; `values[i]` is the value of
    input i where a rule will read it, or where no op made it, else its node, which knows shape and dtype.
    A leaf has `op=None`.
    """

    op: Any = None  # the Op that made it
    params: dict[str, Any]
    sources: Sequence[Node | None] = ()
    values: Sequence[Any] = ()
    out: Any = None  # the result, where a rule will read it
    saved: Any = None  # by-products of the forward pass that spare the rules a computation
    released: bool = False  # whether `backward` has let values go, which can be computed again
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    requires_grad: bool = True
    serial: int
    name: str | None = None
    leaf: weakref.ref[Tensor] | None = None  # where `.backward()` accumulates
    twin: Node | None = None  # of a leaf that was frozen or set free: its node from before, which older graphs hold

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    def __repr__(self) -> str:
        made = "leaf" if self.op is None else self.op.name
        return f"<Node {self.name or '?'}: {made} {shape_text(self.shape)}>"


class Tensor:
    """An array that remembers how it was made, so that it can be differentiated and drawn.

    `data` is an array, a number or a nested list; it is copied.  Python floats become float32, arrays keep their dtype.
    With `requires_grad=True` the tensor is a leaf whose gradient `.backward()` accumulates in `.grad`; its dtype must
    be a float type.  A tensor that results from an op requires a gradient when one of its inputs does.

    Raises TypeError for data that is not numeric, for a non-float dtype with `requires_grad=True`, and for a tensor, or a
    list with one, that requires a gradient: none would flow back to it.

    >>> x = Tensor([[1.0, 2.0]], requires_grad=True, name="x")
    >>> (x * x).sum().backward()
    >>> x.grad
    Tensor([[2., 4.]], dtype=float32)
    """

    __slots__ = ("__weakref__", "_array", "_node", "grad")
    __pandas_priority__ = 5000  # above a frame's 4000: pandas leaves `series * t` to the tensor

    _array: Any
    _node: Node | None
    grad: Tensor | None

    def __init__(self, data: Any, requires_grad: bool = False, name: str | None = None, dtype: Any = None) -> None:
        if isinstance(data, Tensor):
            stay(data)
        array = as_array(data, dtype).copy(order="K")
        if requires_grad and array.dtype.kind != "f":
            raise TypeError(
                f"a tensor that requires a gradient must be of a float dtype, but {name or 'this one'} is {array.dtype} "
                f"{shape_text(array.shape)}; convert it first, e.g. dtype=np.float32"
            )
        self._array = array
        self.grad = None
        self._node = leaf_node(self, requires_grad, name)

    # --- what it is -------------------------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis, `()` for a scalar."""
        return self._array.shape  # type: ignore[no-any-return]

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._array.ndim  # type: ignore[no-any-return]

    @property
    def size(self) -> int:
        """The number of elements."""
        return self._array.size  # type: ignore[no-any-return]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy dtype of the elements."""
        return self._array.dtype  # type: ignore[no-any-return]

    @property
    def requires_grad(self) -> bool:
        """Whether a gradient flows to this tensor."""
        return self._node is not None and self._node.requires_grad

    @property
    def name(self) -> str | None:
        """The name that pictures, equations and error messages use; `capture` and `nn.Module` set it."""
        return None if self._node is None else self._node.name

    @name.setter
    def name(self, name: str | None) -> None:
        if self._node is None:
            self._node = leaf_node(self, requires_grad=False, name=None)
        self._node.name = name

    # --- its value --------------------------------------------------------------------------------------------------

    def numpy(self) -> np.ndarray[Any, Any]:
        """Return the value as a read-only view: a value that a graph may still need cannot be changed behind its back.

        >>> Tensor([1.0, 2.0]).numpy()
        array([1., 2.], dtype=float32)
        """
        view: np.ndarray[Any, Any] = self._array.view()
        if isinstance(view, np.ndarray):
            view.flags.writeable = False
        return view

    def item(self) -> Any:
        """Return the only element as a Python number.

        >>> Tensor([[3.0]]).item()
        3.0
        """
        if self._array.size != 1:
            raise ValueError(f"item() needs a tensor of one element, but {describe(self)} has {self._array.size}")
        return self._array.item()

    def detach(self) -> Tensor:
        """Return the same value (shared, not copied) without its history."""
        return new_tensor(self._array, None)

    def assign(self, value: Any) -> Tensor:
        """Replace the value of a leaf, e.g. of a parameter; shape and dtype stay.

        What was computed from the old value keeps it: a graph recorded before is still differentiated rightly.
        Raises ValueError where the shape differs, and TypeError on a tensor that an op computed.

        >>> w = Tensor([1.0, 2.0], requires_grad=True, name="w")
        >>> w.assign([3.0, 4.0])
        Tensor([3., 4.], dtype=float32, requires_grad=True, name='w')
        """
        if self._node is not None and self._node.op is not None:
            raise TypeError(
                f"{describe(self)} was computed by {self._node.op.name}, and only a leaf has a value of its own; "
                "detach() it first, or compute a new tensor"
            )
        array = as_array(value, meets=self._array.dtype)
        if array.shape != self._array.shape:
            raise ValueError(f"{describe(self)} cannot take a value of shape {shape_text(array.shape)}")
        self._array = array.astype(self._array.dtype)  # a copy, always
        return self

    # --- Python's protocols -----------------------------------------------------------------------------------------

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        stay(self)
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __reduce__(self) -> tuple[Any, ...]:
        if self._node is not None and self._node.op is not None:
            raise TypeError(f"{describe(self)} has a history, which cannot be copied or pickled; detach() it first")
        return _leaf, (type(self), self._array.copy(), self.requires_grad, self.name, self.grad)

    def __len__(self) -> int:
        if not self._array.shape:
            raise TypeError("len() of a 0-d tensor, which is one number: item() gives it, numpy() its array")
        return self._array.shape[0]  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[Tensor]:
        if not self._array.shape:
            raise TypeError("a 0-d tensor cannot be iterated over; item() gives its number")
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        if self._array.size != 1:
            raise ValueError(
                f"the truth value of {describe(self)} is ambiguous: it has {self._array.size} elements; "
                "reduce it first, e.g. t.numpy().any() or .all()"
            )
        return bool(self._array)

    def __float__(self) -> float:
        stay(self)
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self._array.dtype.kind not in "iu" or self._array.size != 1:
            raise TypeError(f"only an integer tensor of one element can be an index, not {describe(self)}")
        return int(self._array.item())

    def __setitem__(self, index: object, value: object) -> None:
        raise TypeError(
            "a tensor cannot be changed by item assignment: its gradient would be wrong without notice. "
            "Build a new one with where(mask, a, b) or concatenate, or replace a leaf's value with t.assign(array)"
        )

    def __delitem__(self, index: object) -> None:
        raise TypeError(
            "a tensor does not change, so nothing can be deleted from it; pick what stays, as in t[1:], or join the parts "
            "with concatenate"
        )

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else str(self)

    def __repr__(self) -> str:
        body = np.array2string(np.asarray(self._array), prefix="Tensor(", separator=", ", threshold=200)
        parts = [body, f"dtype={self._array.dtype}"]
        if self.requires_grad:
            assert self._node is not None
            parts.append("requires_grad=True" if self._node.op is None else f"op={self._node.op.name}")
        if self.name:
            parts.append(f"name={self.name!r}")
        return f"Tensor({', '.join(parts)})"

    __hash__ = object.__hash__

    if TYPE_CHECKING:  # attached from the table of ops, and by autodiff
        T: Tensor

        def backward(self, gradient: ArrayLike | None = None) -> None: ...  # noqa: D102
        def __getattr__(self, method: str) -> Any: ...
        def __add__(self, other: Any) -> Tensor: ...
        def __radd__(self, other: Any) -> Tensor: ...
        def __sub__(self, other: Any) -> Tensor: ...
        def __rsub__(self, other: Any) -> Tensor: ...
        def __mul__(self, other: Any) -> Tensor: ...
        def __rmul__(self, other: Any) -> Tensor: ...
        def __truediv__(self, other: Any) -> Tensor: ...
        def __rtruediv__(self, other: Any) -> Tensor: ...
        def __pow__(self, other: Any) -> Tensor: ...
        def __rpow__(self, other: Any) -> Tensor: ...
        def __matmul__(self, other: Any) -> Tensor: ...
        def __rmatmul__(self, other: Any) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __pos__(self) -> Tensor: ...
        def __abs__(self) -> Tensor: ...
        def __getitem__(self, index: Any) -> Tensor: ...
        def __lt__(self, other: Any) -> Tensor: ...
        def __le__(self, other: Any) -> Tensor: ...
        def __gt__(self, other: Any) -> Tensor: ...
        def __ge__(self, other: Any) -> Tensor: ...
        def __eq__(self, other: Any) -> Tensor: ...  # type: ignore[override]
        def __ne__(self, other: Any) -> Tensor: ...  # type: ignore[override]


def new_tensor(data: Any, node: Node | None) -> Tensor:
    """Make a tensor of an array and its history, with no copy and no check: the way ops make their results."""
    tensor = Tensor.__new__(Tensor)
    tensor._array = data
    tensor._node = node
    return tensor


def _leaf(kind: type[Tensor], data: Any, requires_grad: bool, name: str | None, grad: Tensor | None) -> Tensor:
    """Make a leaf again that was copied or pickled."""
    tensor = kind.__new__(kind)
    tensor._array = data
    tensor.grad = grad
    tensor._node = leaf_node(tensor, requires_grad, name)
    return tensor


def leaf_node(tensor: Tensor, requires_grad: bool, name: str | None) -> Node:
    """Make the node of a tensor that no op made."""
    node = Node()
    node.params = {}
    node.shape = tensor._array.shape
    node.dtype = tensor._array.dtype
    node.requires_grad = requires_grad
    node.serial = tick()
    node.name = name
    node.leaf = weakref.ref(tensor)
    return node


def stay(tensor: Tensor) -> None:
    """Refuse to give the value of a tensor away unasked where what is recorded would go on without it.

    What Python and NumPy take for themselves (`float(t)`, `np.asarray(t)`, an array's own methods) comes by here, and so no
    gradient is lost in silence; what a person writes to get the value (`.item()`, `.numpy()`, `.detach()`) does not.
    """
    node = tensor._node
    if node is None:
        return
    mode = current.get()
    if mode is EVERYTHING or (mode is GRADIENTS and node.requires_grad):
        lost = "a gradient" if node.requires_grad else "the history"
        raise TypeError(
            f"{describe(tensor)} would be turned into a plain number or array here, and {lost} would be lost. Write "
            "array @ t for a product (np.asarray(frame) @ t), tl.stack([t, u]) or tl.concatenate([t, u]) for a list, "
            "tl.where(mask, t, array) for item assignment, and functions of tinygrad_lite; or, where the value alone is "
            "meant, t.item(), t.numpy() or t.detach(), or compute under no_grad()"
        )


def as_leaf(array: Any) -> Tensor:
    """Return a tensor that shares an array, as a leaf that requires no gradient."""
    tensor = new_tensor(array, None)
    tensor._node = leaf_node(tensor, requires_grad=False, name=None)
    return tensor


def history(*roots: Node) -> list[Node]:
    """List the nodes that the roots were made from, themselves included, oldest first."""
    found, seen = list(roots), {root.serial for root in roots}
    for node in found:  # grows while it is read
        for source in node.sources:
            if source is not None and source.serial not in seen:
                seen.add(source.serial)
                found.append(source)
    return sorted({node.serial: node for node in found}.values(), key=attrgetter("serial"))


def as_array(data: Any, dtype: Any = None, meets: Any = None) -> Any:
    """Return the array of `data`: arrays keep their dtype, Python floats take that of what they meet, else float32.

    `meets` is the dtype of the arrays that `data` is computed with; integers meet floats as float64, as in NumPy.
    Raises TypeError for what is not numeric.
    """
    if isinstance(data, Tensor):
        data = data._array
    given, kind = data, type(data).__name__
    if is_array(data):
        if isinstance(data, np.ma.MaskedArray):
            raise TypeError("a masked array would lose its mask; fill it first with .filled(value)")
        if isinstance(data, np.matrix):
            raise TypeError("the * of an np.matrix is a matrix product, that of a tensor is not; take np.asarray(m)")
        data = np.asarray(data) if isinstance(data, np.ndarray) else data  # of a subclass: its plain array
        array = data if dtype is None else data.astype(dtype)
    else:
        data = _unwrapped(data)
        try:
            array = np.asarray(data, dtype=dtype)
        except ValueError as error:
            raise ValueError(f"cannot make a tensor of this {kind}: {error}") from None
        if dtype is None and array.dtype == np.float64 and not _holds_double(data):
            array = array.astype(np.float32 if meets is None else np.result_type(meets, 0.0))
    if array.dtype.kind not in "fiub":
        hint = "; pick the columns that hold numbers" if hasattr(given, "columns") else to_dense(given)
        raise TypeError(f"a tensor holds floats, integers or booleans, but this {kind} gave dtype {array.dtype}{hint}")
    return array


def is_array(x: Any) -> bool:
    """Whether x is an array: NumPy's, or any other that speaks both of NumPy's protocols (CuPy's, ...).

    A pandas Series speaks that for elementwise functions alone, and pairs its elements by their labels: it is none.
    """
    speaks = hasattr(x, "__array_ufunc__") and hasattr(x, "__array_function__") and hasattr(x, "dtype")
    return speaks and not isinstance(x, Tensor | np.generic)


def can_be_array(x: Any) -> bool:
    """Whether x is an array, or says itself which it is: a pandas or Polars Series or frame, a PyTorch tensor, ..."""
    return is_array(x) or (hasattr(x, "__array__") and not isinstance(x, Tensor | np.generic))


def _unwrapped(data: Any) -> Any:
    """Replace, also in nested lists, tensors and what else can be an array by plain arrays."""
    if isinstance(data, list | tuple):
        return [_unwrapped(item) for item in data]
    if isinstance(data, Tensor):
        stay(data)
        return data._array
    if is_array(data) or not can_be_array(data):
        return data
    try:
        return np.asarray(data)
    except Exception as error:  # each library has its own: PyTorch's is a RuntimeError where it would lose a gradient
        home = type(data).__module__.partition(".")[0]
        raise TypeError(f"no array can be made of this {home} {type(data).__name__}: {error}") from error


def to_dense(x: Any) -> str:
    """Say how a sparse matrix becomes an array; nothing of what is none."""
    return "; a sparse matrix becomes an array by .toarray()" if hasattr(x, "toarray") else ""


def _holds_double(data: Any) -> bool:
    """Whether nested lists hold something whose own dtype is float64."""
    if isinstance(data, list | tuple):
        return any(map(_holds_double, data))
    return getattr(data, "dtype", None) == np.float64


def shape_text(shape: Sequence[int]) -> str:
    """Write a shape as people do: `10×784`, `(10,)` for a vector, `scalar` for ()."""
    return "×".join(map(str, shape)) if len(shape) > 1 else f"({shape[0]},)" if shape else "scalar"


def describe(x: Any) -> str:
    """Name an operand in an error message: its name if it has one, and its shape."""
    if isinstance(x, Tensor) or is_array(x):
        shape = shape_text(x.shape)
        name = x.name or "a tensor" if isinstance(x, Tensor) else "an array"
        return f"{name} {shape}" if shape.startswith("(") else f"{name} ({shape})"
    return repr(x)
