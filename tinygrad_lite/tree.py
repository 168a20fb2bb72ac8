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


def _filled(tree: Any, following: Callable[[], Any]) -> Any:
    if isinstance(tree, dict):
        return {name: _filled(part, following) for name, part in tree.items()}
    if isinstance(tree, list | tuple):
        parts = [_filled(part, following) for part in tree]
        if hasattr(tree, "_fields"):
            return type(tree)(*parts)
        return parts if isinstance(tree, list) else tuple(parts)
    return None if tree is None else following()


__all__ = ["leaves", "rebuild"]
