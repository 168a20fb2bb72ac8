"""Handwritten digits as column-per-sample arrays: MNIST from disk or a mirror, or a small embedded set."""

from __future__ import annotations

from tinygrad_lite.data.dataset import Dataset, Split
from tinygrad_lite.data.embedded import digits
from tinygrad_lite.data.idx import DataError
from tinygrad_lite.data.lookup import mnist

__all__ = ["DataError", "Dataset", "Split", "digits", "mnist"]
