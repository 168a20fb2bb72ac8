"""Trees: nested lists, tuples and dicts of tensors, taken apart into leaves and put together again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


def leaves(tree: Any) -> list[Any]:
    """Return the leaves of a tree, in the order of its lists and dicts; None holds nothing.

    >>> leaves({"W": 1.0, "layers": [2.0, (3.0, None)]})
    [1.0, 2.0, 3.0]
    """
    if isinstance(tree, dict):
        return [leaf for part in tree.values() for leaf in leaves(part)]
    if isinstance(tree, list | tuple):
        return [leaf for part in tree for leaf in leaves(part)]
    return [] if tree is None else [tree]


def rebuild(tree: Any, values: Sequence[Any]) -> Any:
    """Return a tree of the same form with other leaves.

    >>> rebuild({"W": 1.0, "layers": [2.0, (3.0, None)]}, "abc")
    {'W': 'a', 'layers': ['b', ('c', None)]}
    """
    found = leaves(tree)
    if len(found) != len(values):
        raise ValueError(f"the tree has {len(found)} leaves, but {len(values)} values are given")
    return _filled(tree, iter(values).__next__)


def matched(tree: Any, other: Any) -> list[Any]:
    """Return what `other`, of the same form, holds at the places of the leaves of `tree`, in their order.

    Raises ValueError where it has another form.

    >>> matched({"W": 1.0, "b": [2.0, 3.0]}, {"b": ["x", "y"], "W": "z"})
    ['z', 'x', 'y']
    """
    if isinstance(tree, dict):
        if not isinstance(other, dict) or set(tree) != set(other):
            raise ValueError(f"a dict of {', '.join(map(repr, tree))}, not {_form(other)}")
        return [leaf for name in tree for leaf in matched(tree[name], other[name])]
    if isinstance(tree, list | tuple):
        if not isinstance(other, list | tuple) or len(tree) != len(other):
            raise ValueError(f"a {type(tree).__name__} of {len(tree)}, not {_form(other)}")
        return [leaf for pair in zip(tree, other, strict=True) for leaf in matched(*pair)]
    if (tree is None and other is not None) or isinstance(other, dict):
        raise ValueError(f"{'None' if tree is None else 'an array'}, not {_form(other)}")
    return [] if tree is None else [other]


def _form(tree: Any) -> str:
    if isinstance(tree, dict):
        return f"a dict of {', '.join(map(repr, tree))}"
    return f"a {type(tree).__name__} of {len(tree)}" if isinstance(tree, list | tuple) else type(tree).__name__


def _filled(tree: Any, following: Callable[[], Any]) -> Any:
    if isinstance(tree, dict):
        return {name: _filled(part, following) for name, part in tree.items()}
    if isinstance(tree, list | tuple):
        parts = [_filled(part, following) for part in tree]
        if hasattr(tree, "_fields"):
            return type(tree)(*parts)
        return parts if isinstance(tree, list) else tuple(parts)
    return None if tree is None else following()


__all__ = ["leaves", "matched", "rebuild"]
