"""Files: reading only what is one, and writing so that there is the old content or the new, never half of it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def check_file(path: Path, most: int | None = None) -> None:
    """Refuse what cannot be read to its end: a folder, a pipe, a device, a file of more than `most` bytes.

    Raises OSError whose `strerror` says so, FileNotFoundError where there is nothing.

    >>> check_file(Path())
    Traceback (most recent call last):
    IsADirectoryError: [Errno 21] Is a directory: '.'
    """
    try:
        found = path.stat()
    except ValueError:  # a null byte
        raise OSError(errno.EINVAL, "no name of a file", str(path)) from None
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "a pipe or a device, not a file", str(path))
    if most is not None and found.st_size > most:
        raise OSError(errno.EFBIG, f"{found.st_size:,} bytes, more than {most:,}", str(path))


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Have `write` make a file beside `path`, and put it in its place in one step once the disk has it.

    A process that is killed meanwhile leaves a file that `leftovers` finds.  Raises OSError that names `path` where it
    cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}.tmp")
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_names(path.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        with suppress(OSError):  # the folder may be gone, and that is the error
            temporary.unlink(missing_ok=True)


def leftovers(path: Path) -> list[Path]:
    """Return the files beside `path` from which it would have been replaced, had their writers not been killed."""
    return list(path.parent.glob(f".{path.name}.*"))


def _sync_names(folder: Path) -> None:
    """Wait until the disk has the names in a folder; not all systems can, and Windows opens no folder."""
    with suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
