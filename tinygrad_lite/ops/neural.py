"""Ops of neural networks: dropout, embedding, normalisation, attention.  Imports `op`, `random`."""

from __future__ import annotations

__all__: list[str] = []
