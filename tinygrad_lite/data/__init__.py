"""Handwritten digits as column-per-sample arrays: MNIST from disk or a mirror, or a small embedded set."""

from __future__ import annotations

from .dataset import Dataset, Split
from .embedded import digits
from .idx import DataError
from .lookup import mnist

__all__ = ["DataError", "Dataset", "Split", "digits", "mnist"]
