"""What every data source returns: a train and a test split, one sample per column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .idx import DataError


@dataclass(frozen=True, eq=False)
class Split:
    """The m samples of one split, each a column.

    X: (inputs, m).  Of digits: (784, m) float32 in [0, 1], the 28×28 pixels row by row: 0 background, 1 full ink.
    Y: (outputs, m) or (m,), what is to be learnt.  Of digits: (10, m) float32, one-hot.
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


def check_dataset(data: Any, place: str) -> Dataset:
    """Return `data` if a model can be trained on it; `place` says in the error where it comes from.

    Raises DataError for what is no Dataset of two Splits, and for arrays that do not hold the same samples, at least one.
    """

    def wrong(what: str, wanted: str, found: Any) -> DataError:
        return DataError(f"{place}: {what} must be {wanted}, not {found}")

    if not isinstance(data, Dataset):
        raise wrong("the data", "a data.Dataset(train, test, source)", type(data).__name__)
    if not isinstance(data.source, str):
        raise wrong("the source", "a str that says where the data comes from", repr(data.source))
    for name, split in (("train", data.train), ("test", data.test)):
        if not isinstance(split, Split):
            raise wrong(f"the {name} split", "a data.Split(X, Y, labels)", type(split).__name__)
        m = split.X.shape[1] if getattr(split.X, "ndim", 0) == 2 else 0
        for part, shape, numbers in (
            ("X", "(inputs, m)", "fiub"),
            ("Y", "(outputs, m) or (m,)", "fiub"),
            ("labels", "(m,)", "iu"),
        ):
            value, what = getattr(split, part), f"{part} of the {name} split"
            if part == "labels" and value is None:
                continue
            if not isinstance(value, np.ndarray) or value.dtype.kind not in numbers:
                kind = "integers" if numbers == "iu" else "numbers"
                found = value.dtype if isinstance(value, np.ndarray) else type(value).__name__
                raise wrong(what, f"a NumPy array of {kind}", found)
            if not m or value.shape[-1:] != (m,) or (part == "labels" and value.ndim > 1):
                raise wrong(what, f"of the shape {shape}, with m = {m or 'at least 1'} samples", value.shape)
    return data


def split_of(images: NDArray[np.float32], labels: NDArray[np.uint8]) -> Split:
    """Return the `Split` whose X is a view of `images`, (m, 784) in [0, 1]; labels (m,) in 0..9."""
    # Samples stay rows in memory, so that a mini-batch X[:, batch] gathers contiguous runs.
    one_hot = np.eye(10, dtype=np.float32)[labels]
    return Split(X=images.T, Y=one_hot.T, labels=labels.astype(np.int64))
