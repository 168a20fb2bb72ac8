"""What every data source returns: a train and a test split, one sample per column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Split:
    """The m samples of one split, each a column.

    X: (inputs, m).  Of digits: (784, m) float32 in [0, 1], the 28×28 pixels row by row: 0 background, 1 full ink.
    Y: (outputs, m), what is to be learnt.  Of digits: (10, m) float32, one-hot.
    labels: (m,) int64, the classes themselves (of digits 0..9); None where Y is no choice among classes.

    >>> from tinygrad_lite.data import digits
    >>> train = digits().train
    >>> train.X.shape, train.Y.shape, train.labels.shape
    ((784, 1500), (10, 1500), (1500,))
    """

    X: NDArray[Any]
    Y: NDArray[Any]
    labels: NDArray[np.int64] | None = None


@dataclass(frozen=True, eq=False)
class Dataset:
    """A training and a test `Split`, and the place they came from.

    >>> from tinygrad_lite.data import digits
    >>> digits().source
    'embedded digits'
    """

    train: Split
    test: Split
    source: str


def split_of(images: NDArray[np.float32], labels: NDArray[np.uint8]) -> Split:
    """Return the `Split` whose X is a view of `images`, (m, 784) in [0, 1]; labels (m,) in 0..9."""
    # Samples stay rows in memory, so that a mini-batch X[:, batch] gathers contiguous runs.
    one_hot = np.eye(10, dtype=np.float32)[labels]
    return Split(X=images.T, Y=one_hot.T, labels=labels.astype(np.int64))
