"""Where MNIST comes from: a given folder, the cache, a mirror, or else the embedded set stands in."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

from .dataset import Dataset, Split, split_of
from .embedded import digits
from .idx import DataError, read_idx, wrong

VARIABLE = "TINYGRAD_LITE_DATA"
MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
)
# name: (bytes, SHA-256), both of the decompressed content: the gzip wrapping differs between mirrors.
FILES = {
    "train-images-idx3-ubyte": (47040016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
    "train-labels-idx1-ubyte": (60008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    "t10k-images-idx3-ubyte": (7840016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    "t10k-labels-idx1-ubyte": (10008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
}


def mnist(root: str | os.PathLike[str] | None = None) -> Dataset:
    """Return MNIST, or any set of 28×28 digits in its format: 60,000 samples to train on, 10,000 to test.

    train.X is (784, 60000) and test.X (784, 10000), float32 in [0, 1]. The four IDX files, each gzip
    or not, come from the first of these that applies:

    1. the folder `root`, or its subfolder mnist;
    2. the folder $TINYGRAD_LITE_DATA, or its subfolder mnist;
    3. the user's cache folder, into which they are downloaded when they are missing or damaged;
    4. with a line on stderr, the embedded `digits()`, when the download fails.

    Raises: DataError if a folder named by 1 or 2 lacks a file or holds a wrong one.
    Source: Y. LeCun, C. Cortes, C. Burges (1998), The MNIST database of handwritten digits.

    >>> from tinygrad_lite.data import mnist
    >>> mnist("nowhere")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    DataError: nowhere: no such folder; ...
    """
    if root is not None:
        return _read(Path(root))
    if folder := os.environ.get(VARIABLE):
        return _read(Path(folder), f" (from ${VARIABLE})")
    try:
        return _cached()
    except OSError as error:
        reason = " ".join(str(error).split())
        _say(
            f"MNIST could not be downloaded ({reason}): the 1,797 digits of the package are used instead; "
            f"expect an accuracy of about 0.85, or name a folder that has MNIST by ${VARIABLE}"
        )
        return digits()


def _cached() -> Dataset:
    """Return MNIST from the cache folder, downloading what it lacks.

    Raises: OSError if that fails.
    """
    from platformdirs import user_cache_path

    from .download import download

    folder = user_cache_path("tinygrad-lite") / "mnist"
    if len(_find(folder)) == len(FILES):
        # No SHA-256 here, it was checked before the file came: the CRC in the gzip finds later damage.
        try:
            return _read(folder)
        except DataError as error:
            _say(f"{error}: downloading that")
    download(folder, MIRRORS, FILES)
    return _read(folder)


def _say(line: str) -> None:
    print(f"tinygrad_lite: {line}", file=sys.stderr)


def _find(folder: Path) -> dict[str, Path]:
    """Return the path of each of the four files that is in the folder, under any of its usual spellings."""
    found = {}
    for name in FILES:
        variant = name.replace("-idx", ".idx")
        # The last one wins, .gz: a download, which writes it, outranks a damaged file under another name.
        for spelling in (variant, f"{variant}.gz", name, f"{name}.gz"):
            # Unlike Path.is_file, no PermissionError where "not there" is the useful answer.
            if os.path.isfile(folder / spelling):  # noqa: PTH113
                found[name] = folder / spelling
    return found


def _read(root: Path, origin: str = "") -> Dataset:
    """Return the data set in `root` or `root`/mnist; `origin` says in the error where `root` comes from."""
    folder, files = max(((f, _find(f)) for f in (root, root / "mnist")), key=lambda pair: len(pair[1]))
    if missing := [name for name in FILES if name not in files]:
        state = "missing files" if os.path.isdir(root) else "no such folder"  # noqa: PTH112
        raise DataError(
            f"{folder if files else root}{origin}: {state}; put {', '.join(missing)} there "
            f"(each may end in .gz), or name no folder and MNIST is downloaded"
        )
    train = _split(files["train-images-idx3-ubyte"], files["train-labels-idx1-ubyte"])
    test = _split(files["t10k-images-idx3-ubyte"], files["t10k-labels-idx1-ubyte"])
    if (train.X.shape[1], test.X.shape[1]) == (10_000, 60_000):
        raise DataError(f"{folder}{origin}: the train and t10k files are swapped; exchange their names")
    return Dataset(train, test, source=str(folder))


def _split(images: Path, labels: Path) -> Split:
    digit = read_idx(labels, ())
    if digit.max() > 9:
        raise wrong(labels, f"a label {digit.max()}", "0 to 9")
    pixels = read_idx(images, (28, 28), len(digit))
    ink = pixels.reshape(-1, 784).astype(np.float32)
    ink /= 255  # in place: the float32 pixels are the largest array, 188 MB for the 60,000, and there is one
    return split_of(ink, digit)
