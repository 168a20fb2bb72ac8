"""Arrays by name in safetensors files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..files import replace_file

Array = np.ndarray[Any, Any]


def write_state(path: Path, arrays: Mapping[str, Array], metadata: Mapping[str, str] | None = None) -> None:
    """Write the file in one go: it is the old one or the new one, whatever happens meanwhile."""
    from safetensors.numpy import save

    content = save(
        {name: np.asarray(array, order="C") for name, array in arrays.items()}, dict(metadata) if metadata else None
    )
    replace_file(path, lambda temporary: temporary.write_bytes(content))


def read_state(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """Return the arrays and the metadata of a file that anyone has written.

    Raises FileNotFoundError, and ValueError where the file is damaged or holds a dtype that NumPy has not.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118 -- no dict
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such file") from None
    except (SafetensorError, OSError, ValueError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path}: no arrays can be read from it ({error}); it must be a safetensors file, and where its dtype is one "
            "that NumPy has not, such as bfloat16, be saved as float32"
        ) from None
