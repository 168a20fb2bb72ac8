"""IDX, the format of MNIST's files: read one, gzip or not, or say exactly what is wrong with it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..files import check_file

# EMNIST's largest file has 697,932 items; a header that claims more is damaged.
MAX_ITEMS = 1_000_000
KINDS = {0: "labels", 2: "images"}  # by the axes of one item


class DataError(ValueError):
    """A data file or folder is missing or not what it should be; the message names it and the way out.

    >>> from tinygrad_lite.data import mnist
    >>> try:
    ...     mnist("nowhere")
    ... except DataError as error:
    ...     print(str(error).partition(";")[0])
    nowhere: no such folder
    """


def wrong(path: Path, found: str, wanted: str, remedy: str = "replace it by a fresh copy") -> DataError:
    """Return the error that says what is wrong with a file: found this, wanted that, do so."""
    return DataError(f"{path}: {found} where {wanted} should be; {remedy}")


@contextmanager
def opened(path: Path) -> Iterator[BufferedIOBase]:
    """Open a file for reading its bytes, decompressed if they are gzip whatever the name says.

    Raises: DataError, from within the `with` block too, if they cannot be read or the gzip is broken.
    """
    import gzip
    import zlib

    try:
        check_file(path)
        with path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            if zipped:
                with gzip.open(raw) as stream:
                    yield stream
            else:
                yield raw
    except (OSError, EOFError, zlib.error) as error:
        raise wrong(path, f"unreadable data ({error})", "an IDX file, gzip or not,") from error


def read_at_most(stream: BufferedIOBase, limit: int) -> bytearray:
    """Return up to `limit` bytes; memory follows the bytes that are there, not the limit."""
    data = bytearray()
    while len(data) < limit and (piece := stream.read(min(limit - len(data), 1 << 20))):
        data += piece
    return data


def read_idx(path: Path, item: tuple[int, ...], count: int | None = None) -> NDArray[np.uint8]:
    """Return the m items of an IDX file as (m, *item) uint8; `item` is (28, 28) for images, () for labels.

    `count` is how many there must be: what a header claims is refused before memory is given to it.
    Raises: DataError if the file is not exactly such a file.
    Source: the format's description on the MNIST page, Y. LeCun, C. Cortes, C. Burges (1998).
    """
    kind, magic, header_size = KINDS[len(item)], 0x0801 + len(item), 8 + 4 * len(item)
    with opened(path) as stream:
        header = read_at_most(stream, header_size)
        if len(header) < header_size:
            raise wrong(path, f"{len(header)} bytes", f"a header of {header_size}")
        given, m, *shape = struct.unpack(f">{header_size // 4}I", header)
        if given != magic:
            raise wrong(path, f"magic number {given}", f"{magic} ({kind})", "put the right file under this name")
        if tuple(shape) != item:
            raise wrong(path, f"{kind} of {shape[0]}×{shape[1]} pixels", "×".join(map(str, item)))
        if not 1 <= m <= MAX_ITEMS:
            raise wrong(path, f"a header that claims {m:,} {kind}", f"1 to {MAX_ITEMS:,}")
        if count not in (None, m):
            raise wrong(path, f"{m:,} {kind}", f"{count:,}, as many as there are labels,")
        # One byte more than promised: it shows trailing bytes, and its absence has gzip check its CRC.
        size = m * prod(item)
        data = read_at_most(stream, size + 1)
    if len(data) != size:
        found = "more bytes" if len(data) > size else f"{len(data):,} bytes"
        raise wrong(path, f"{found} after the header", f"the {size:,} of {m:,} {kind}")
    return np.frombuffer(data, np.uint8).reshape(m, *item)
