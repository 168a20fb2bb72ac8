"""The embedded set: 1,797 real digits of 8×8 pixels, enlarged to MNIST's 28×28 (origin: DIGITS.md)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .dataset import Dataset, split_of

TRAIN = 1500


def digits() -> Dataset:
    """Return the embedded digits, 1,500 to train on and 297 to test, with MNIST's shapes.

    train.X is (784, 1500) and test.X (784, 297), float32 in [0, 1]. The samples keep the order of the
    original set and the test split is its tail, so no random number decides which is which. Each 8×8
    image is enlarged by linear interpolation between pixel centres along both axes, M @ image @ M.T.

    Source: E. Alpaydin, C. Kaynak (1998), Optical Recognition of Handwritten Digits, UCI Machine
    Learning Repository, doi 10.24432/C50P49 (its test set), CC BY 4.0.

    >>> data = digits()
    >>> data.train.X.shape, data.test.X.shape
    ((784, 1500), (784, 297))
    """
    with np.load(Path(__file__).with_name("digits.npz")) as stored:
        small, labels = stored["images"], stored["labels"]
    centres = (np.arange(28) + 0.5) * 8 / 28 - 0.5  # of the large pixels, on the small grid
    M = np.stack([np.interp(centres, np.arange(8), hat) for hat in np.eye(8)], axis=1)
    images = (M @ (small / 16) @ M.T).reshape(-1, 784).astype(np.float32)
    return Dataset(
        train=split_of(images[:TRAIN], labels[:TRAIN]),
        test=split_of(images[TRAIN:], labels[TRAIN:]),
        source="embedded digits",
    )
