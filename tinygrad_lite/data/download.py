"""Downloading into a folder, so that it only ever holds whole, verified files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from errno import EHOSTUNREACH, ENETUNREACH
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from queue import Empty, SimpleQueue
from socket import gaierror
from tempfile import TemporaryDirectory
from threading import Thread
from time import monotonic
from urllib.error import HTTPError
from urllib.request import urlopen

from .idx import DataError, opened, read_at_most

OPEN_SECONDS = 2.0  # for name lookup, connection and first answer of one mirror
READ_SECONDS = 5.0  # of silence in the middle of a file
GRACE_SECONDS, LEAST_RATE = 5.0, 10_000.0  # after which a mirror must have kept up so many bytes a second


def download(folder: Path, mirrors: Sequence[str], files: Mapping[str, tuple[int, str]]) -> None:
    """Fetch those of the files that the folder lacks, as NAME.gz, from the first mirror that delivers.

    `files` maps a name to the size and SHA-256 of its decompressed content, which are verified before the
    file appears under its name. Whatever happens, no other file is left behind.

    Raises: OSError if the folder cannot be written or no mirror delivers one of the files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    order = list(mirrors)
    with TemporaryDirectory(prefix=".download-", dir=folder) as workplace:
        for name, (size, sha256) in files.items():
            target, part = folder / f"{name}.gz", Path(workplace, name)
            if not _is_verified(target, size, sha256):
                _fetch(order, f"{name}.gz", part, size, sha256)
                part.replace(target)


def _is_verified(path: Path, size: int, sha256: str) -> bool:
    try:
        with opened(path) as stream:
            return hashlib.sha256(read_at_most(stream, size + 1)).hexdigest() == sha256
    except DataError:
        return False


def _fetch(mirrors: list[str], name: str, part: Path, size: int, sha256: str) -> None:
    """Write the file `name` to `part`, leaving the mirror it came from at the front of `mirrors`."""
    reasons = []
    for mirror in tuple(mirrors):
        try:
            _transfer(mirror + name, part, size + 1024)  # a gzip no longer than what it wraps and its header
            if not _is_verified(part, size, sha256):
                raise OSError("damaged on the way, or another file")
            return
        except (OSError, HTTPException) as error:
            reasons.append(_reason(mirror, error))
            mirrors.append(mirrors.pop(0))
    raise OSError("; ".join(dict.fromkeys(reasons)))


def _reason(mirror: str, error: Exception) -> str:
    """Say why a mirror did not deliver; where there is no network, its address is of no use."""
    cause = getattr(error, "reason", error)  # what urllib wraps
    if isinstance(cause, gaierror) or getattr(cause, "errno", None) in (ENETUNREACH, EHOSTUNREACH):
        return "no connection to the network"
    return f"{mirror}: {error}"


def _transfer(url: str, part: Path, limit: int) -> None:
    """Write the body behind `url` to `part`, with a progress bar if stderr is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    bar = Progress(console=console, transient=True, disable=not console.is_terminal)
    with _open(url) as response, part.open("wb") as sink, bar:
        task = bar.add_task(url.rpartition("/")[2], total=response.length)
        received, start = 0, monotonic()
        # read1 returns what has come; read would wait, for ever if it comes byte by byte.
        while piece := response.read1(1 << 16):
            received += sink.write(piece)
            bar.advance(task, len(piece))
            if received > limit:
                raise OSError(f"more than {limit:,} bytes")
            if received < LEAST_RATE * (monotonic() - start - GRACE_SECONDS):
                raise TimeoutError("too slow")


def _open(url: str) -> HTTPResponse:
    """Return the response for `url`, or raise OSError or HTTPException, within OPEN_SECONDS.

    urlopen's timeout counts anew for each address of the host and does not cover the name lookup. So it
    runs in a thread, left behind as a daemon if it does not return in time.
    """
    answer: SimpleQueue[HTTPResponse | Exception] = SimpleQueue()

    def ask() -> None:
        try:
            answer.put(urlopen(url, timeout=READ_SECONDS))
        except HTTPError as error:
            error.close()
            answer.put(error)
        except Exception as error:
            answer.put(error)

    Thread(target=ask, daemon=True).start()
    try:
        got = answer.get(timeout=OPEN_SECONDS)
    except Empty:
        raise TimeoutError("no answer") from None
    if isinstance(got, Exception):
        raise got
    return got
