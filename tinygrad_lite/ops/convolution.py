"""Convolution and pooling over one or two axes.  Imports `op`."""

from __future__ import annotations

__all__: list[str] = []
