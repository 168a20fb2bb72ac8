"""Arrays by name, and facts about them, in safetensors files that carry a checksum of all their bytes."""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..files import check_file, replace_file

Array = np.ndarray[Any, Any]
META, SUM = "tinygrad_lite", "sha256"
BLANK = b"0" * 64  # stands for the checksum while it is computed
CHUNK = 1 << 20  # bytes read back at a time


def write_state(path: Path, arrays: Mapping[str, Array], facts: Mapping[str, Any] | None = None) -> None:
    """Write the file in one go, and read it back: it is the old one or the new one, whatever happens meanwhile.

    The facts go into the metadata as JSON, and so does the SHA-256 of the whole file, taken with 64 zeros in its place.
    """
    from safetensors.numpy import save

    text = json.dumps({SUM: BLANK.decode(), **(facts or {})}, allow_nan=False)
    content = memoryview(save({name: np.asarray(array, order="C") for name, array in arrays.items()}, {META: text}))
    header = bytes(content[: _header_end(content)])
    place = header.index(BLANK, header.index(SUM.encode() + b'\\": \\"'))
    digest = _checksum([content]).encode()
    replace_file(path, lambda temporary: _write(temporary, (content[:place], digest, content[place + len(digest) :])))


def read_state(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the arrays of a file that anyone has written, and the facts, where its checksum vouches for them.

    Raises FileNotFoundError, and ValueError where the file is damaged or holds a dtype that NumPy has not.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        check_file(path)  # a pipe or a device has no end
        content = path.read_bytes()
        arrays = load(content)
        metadata = json.loads(content[8 : _header_end(content)]).get("__metadata__", {})
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{path}: no arrays can be read from it ({error}); it must be a safetensors file, and where its dtype is one "
            "that NumPy has not, such as bfloat16, be saved as float32"
        ) from None
    try:
        facts = json.loads(metadata.get(META, "{}"))
        said = facts.pop(SUM)
    except (ValueError, KeyError, TypeError, AttributeError):  # a stranger's file, which vouches for nothing
        return arrays, {}
    place = content.find(str(said).encode(errors="replace"))
    view = memoryview(content)
    if said != _checksum([view[:place], BLANK, view[place + len(BLANK) :]]):
        raise ValueError(f"{path}: is damaged: its checksum is not that of its content")
    return arrays, facts


def _header_end(content: bytes | memoryview) -> int:
    return 8 + int.from_bytes(content[:8], "little")


def _checksum(parts: Iterable[bytes | memoryview]) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return found.hexdigest()


def _write(path: Path, parts: Iterable[bytes | memoryview]) -> None:
    """Write a file, and raise OSError where something else is read from it."""
    with path.open("wb") as file:
        for part in parts:
            file.write(part)
    with path.open("rb") as file:
        same = all(file.read(len(piece)) == piece for part in parts for piece in _pieces(part))
        if not same or file.read(1):
            raise OSError(errno.EIO, "what was read back is not what was written")


def _pieces(part: bytes | memoryview) -> Iterable[bytes]:
    return (bytes(part[i : i + CHUNK]) for i in range(0, len(part), CHUNK))
