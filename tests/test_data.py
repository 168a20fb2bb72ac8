"""The data sources: IDX files good and bad, the lookup order, downloads from good and hostile servers."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import os
import socket
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from urllib.error import URLError

import numpy as np
import platformdirs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from tinygrad_lite.data import DataError, Dataset, Split, digits, download, idx, lookup, mnist

TRAIN_X, TRAIN_Y, TEST_X, TEST_Y = NAMES = tuple(lookup.FILES)
Bytes = NDArray[np.uint8]


def as_idx(array: Bytes) -> bytes:
    """The IDX file of a uint8 array."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def small_set(m_train: int = 5, m_test: int = 3, seed: int = 0) -> dict[str, bytes]:
    """The four files of a set of random pixels, by name."""
    rng = np.random.default_rng(seed)
    shapes = [(m_train, 28, 28), (m_train,), (m_test, 28, 28), (m_test,)]
    tops = [256, 10, 256, 10]
    return {n: as_idx(rng.integers(0, t, s, np.uint8)) for n, s, t in zip(NAMES, shapes, tops, strict=True)}


def write_set(folder: Path, contents: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder


def assert_holds(data: Dataset, contents: dict[str, bytes]) -> None:
    """The data set is, to the bit, what the files say."""
    for split, images, labels in ((data.train, TRAIN_X, TRAIN_Y), (data.test, TEST_X, TEST_Y)):
        pixels = np.frombuffer(contents[images], np.uint8, offset=16).reshape(-1, 784)
        np.testing.assert_array_equal(split.X.T, pixels.astype(np.float32) / np.float32(255))
        np.testing.assert_array_equal(split.labels, list(contents[labels][8:]))
        assert_well_formed(split)


def assert_well_formed(split: Split) -> None:
    m = len(split.labels)
    assert (split.X.shape, split.Y.shape, split.labels.shape) == ((784, m), (10, m), (m,))
    assert [str(a.dtype) for a in (split.X, split.Y, split.labels)] == ["float32", "float32", "int64"]
    assert split.X.T.flags.c_contiguous
    assert not split.X.flags.owndata, "X is a view of the images, not a second copy"
    assert 0 <= split.X.min() <= split.X.max() <= 1
    assert set(np.unique(split.Y)) <= {0, 1}
    np.testing.assert_array_equal(split.Y.sum(axis=0), 1)
    np.testing.assert_array_equal(split.Y.argmax(axis=0), split.labels)


# --- reading IDX files


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all examples of a property: each overwrites its files."""
    return tmp_path_factory.mktemp("idx")


@given(data=st.data(), item=st.sampled_from([(), (28, 28)]), zipped=st.booleans())
def test_any_array_reads_back_exactly(scratch: Path, data: st.DataObject, item: tuple[int, ...], zipped: bool) -> None:
    array = data.draw(hnp.arrays(np.uint8, st.integers(1, 4).map(lambda m: (m, *item))))
    path = scratch / "array"
    path.write_bytes(gzip.compress(as_idx(array), mtime=0) if zipped else as_idx(array))
    read = idx.read_idx(path, item)
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, array)


@given(sizes=st.tuples(st.integers(1, 4), st.integers(1, 4)), seed=st.integers(0, 99), forms=st.data())
def test_any_spelling_of_the_files_is_found(
    scratch: Path, sizes: tuple[int, int], seed: int, forms: st.DataObject
) -> None:
    for old in scratch.iterdir():
        old.unlink()
    contents = small_set(*sizes, seed)
    for name, content in contents.items():
        zipped, dotted = forms.draw(st.booleans()), forms.draw(st.booleans())
        spelling = (name.replace("-idx", ".idx") if dotted else name) + (".gz" if zipped else "")
        (scratch / spelling).write_bytes(gzip.compress(content, mtime=0) if zipped else content)
    assert_holds(mnist(scratch), contents)


def is_refused(path: Path, item: tuple[int, ...] = (28, 28)) -> bool:
    """Whether reading raises the error that names the file; no other error, no memory beyond a few MB."""
    message = None
    tracemalloc.start()
    try:
        idx.read_idx(path, item)
    except DataError as error:
        message = str(error)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 8 << 20, "memory follows the bytes that are there, not what the header claims"
    assert message is None or (message.startswith(f"{path}: ") and "\n" not in message)
    return message is not None


IMAGES = small_set()[TRAIN_X]
PACKED = gzip.compress(IMAGES, mtime=0)


@given(zipped=st.booleans(), share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_anywhere_is_refused(scratch: Path, zipped: bool, share: float) -> None:
    whole = PACKED if zipped else IMAGES
    path = scratch / "cut"
    path.write_bytes(whole[: int(share * len(whole))])
    assert is_refused(path)


@pytest.mark.parametrize("size", range(17))
def test_a_file_cut_in_its_header_is_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "cut"
    path.write_bytes(IMAGES[:size])
    assert is_refused(path)
    path.write_bytes(PACKED[:size])
    assert is_refused(path)


@given(where=st.integers(0, 15), mask=st.integers(1, 255), zipped=st.booleans(), labels=st.booleans())
def test_any_flipped_byte_of_the_header_is_refused(
    scratch: Path, where: int, mask: int, zipped: bool, labels: bool
) -> None:
    name, item, where = (TRAIN_Y, (), where % 8) if labels else (TRAIN_X, (28, 28), where)
    content = bytearray(small_set()[name])
    content[where] ^= mask
    path = scratch / "flipped"
    path.write_bytes(gzip.compress(content, mtime=0) if zipped else content)
    assert is_refused(path, item)


@given(where=st.integers(0, len(PACKED) - 1), mask=st.integers(1, 255))
def test_any_flipped_byte_of_a_gzip_is_harmless_or_refused(scratch: Path, where: int, mask: int) -> None:
    content = bytearray(PACKED)
    content[where] ^= mask
    path = scratch / "flipped.gz"
    path.write_bytes(content)
    assert is_refused(path) or idx.read_idx(path, (28, 28)).tobytes() == IMAGES[16:]


def test_the_property_sees_a_reader_that_makes_up_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cut"
    path.write_bytes(IMAGES[:-7])
    assert is_refused(path)
    honest = idx.read_at_most
    monkeypatch.setattr(idx, "read_at_most", lambda stream, n: honest(stream, n).ljust(n - (n > 16), b"\0"))
    assert not is_refused(path)


@pytest.mark.parametrize("claim", [2**31, 2**32 - 1, idx.MAX_ITEMS, 0])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_header_that_claims_what_is_not_there(tmp_path: Path, claim: int, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "hostile"
    path.write_bytes(pack(struct.pack(">4I", 2051, claim, 28, 28) + bytes(784)))
    assert is_refused(path)


def test_a_gzip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(struct.pack(">4I", 2051, 2, 28, 28) + bytes(64 << 20), 1))
    assert is_refused(path)


LABELS = small_set()[TRAIN_Y]
WRONG = {
    "empty": (TRAIN_X, b"", "0 bytes where a header of 16"),
    "labels as images": (TRAIN_X, as_idx(np.zeros(99, np.uint8)), "magic number 2049 where 2051 .images."),
    "images as labels": (TRAIN_Y, IMAGES, "magic number 2051 where 2049 .labels."),
    "float pixels": (TRAIN_X, b"\0\0\x0d\3" + IMAGES[4:], "magic number 3331 where 2051"),
    "32 pixels": (TEST_X, as_idx(np.zeros((3, 32, 32), np.uint8)), "32×32 pixels where 28×28"),
    "truncated": (TRAIN_X, IMAGES[:-1], "3,919 bytes after the header where the 3,920 of 5 images"),
    "trailing": (TRAIN_X, IMAGES + b"\0", "more bytes after the header where the 3,920"),
    "2³¹ items": (TRAIN_X, struct.pack(">4I", 2051, 2**31, 28, 28), "claims 2,147,483,648 images where 1 to"),
    "no items": (TRAIN_Y, as_idx(np.zeros(0, np.uint8)), "claims 0 labels where 1 to"),
    "letters": (TRAIN_Y, LABELS[:-1] + b"\x0a", "a label 10 where 0 to 9"),
    "other count": (TEST_X, IMAGES, "5 images where 3, as many as there are labels,"),
    "corrupt gzip": (TEST_Y, gzip.compress(LABELS)[:-9] + bytes(9), "unreadable data"),
}


@pytest.mark.parametrize(("name", "content", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_file_is_named_with_what_is_wrong(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = write_set(tmp_path, {**small_set(), name: content}) / name
    with pytest.raises(DataError, match=message) as caught:
        mnist(tmp_path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "; replace it" in str(caught.value) or "; put the right file" in str(caught.value)


def test_swapped_train_and_test_files_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = {TRAIN_X: 10_000, TRAIN_Y: 10_000, TEST_X: 60_000, TEST_Y: 60_000}
    write_set(tmp_path, small_set())
    monkeypatch.setattr(
        lookup, "read_idx", lambda path, item, _count=None: np.zeros((counts[path.name], *item), np.uint8)
    )
    with pytest.raises(DataError, match="swapped"):
        mnist(tmp_path)


def test_without_a_network_one_sentence_says_so(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lookup, "MIRRORS", ("http://one.invalid/", "http://two.invalid/"))
        patch.setattr(download, "urlopen", unresolved)
        line = assert_stand_in(mnist(), capsys)
    assert line == (
        "tinygrad_lite: MNIST could not be downloaded (no connection to the network): the 1,797 digits of the package are "
        "used instead; expect an accuracy of about 0.85, or name a folder that has MNIST by $TINYGRAD_LITE_DATA\n"
    )


def unresolved(url: str, timeout: float) -> None:
    raise URLError(socket.gaierror(-3, "Temporary failure in name resolution"))


# --- where to look


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The (absent) cache folder of a user without data, settings or network."""
    monkeypatch.delenv(lookup.VARIABLE, raising=False)
    monkeypatch.setenv("no_proxy", "*")
    for forced in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):  # rich: stderr is no terminal
        monkeypatch.delenv(forced, raising=False)
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / "cache" / name)
    monkeypatch.setattr(lookup, "MIRRORS", ())
    return tmp_path / "cache" / "tinygrad-lite" / "mnist"


@pytest.mark.parametrize("below", ["", "mnist"])
def test_the_argument_outranks_the_variable_and_that_the_cache(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, below: str
) -> None:
    sets = [small_set(seed=seed) for seed in range(3)]
    write_set(cache, sets[0])
    write_set(tmp_path / "variable" / below, sets[1])
    write_set(tmp_path / "argument" / below, sets[2])
    assert_holds(mnist(), sets[0])
    monkeypatch.setenv(lookup.VARIABLE, str(tmp_path / "variable"))
    assert_holds(mnist(), sets[1])
    data = mnist(str(tmp_path / "argument"))
    assert_holds(data, sets[2])
    assert data.source == str(tmp_path / "argument" / below)


def test_a_named_folder_without_the_files_is_an_error(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_set(cache, small_set())
    nowhere = tmp_path / "nowhere"
    with pytest.raises(DataError, match=r"nowhere: no such folder; put train-images-idx3-ubyte, .* or name no"):
        mnist(nowhere)
    monkeypatch.setenv(lookup.VARIABLE, str(nowhere))
    with pytest.raises(DataError, match=r"nowhere \(from \$TINYGRAD_LITE_DATA\): no such folder"):
        mnist()
    nowhere.mkdir()
    with pytest.raises(DataError, match=f"missing files; put {', '.join(NAMES)} there"):
        mnist()
    contents = small_set()
    write_set(nowhere / "mnist", {name: contents[name] for name in (TRAIN_X, TEST_X)})
    with pytest.raises(DataError, match=f"missing files; put {TRAIN_Y}, {TEST_Y} there"):
        mnist()
    assert capsys.readouterr().err == ""


def test_a_folder_under_the_name_of_a_file_is_not_taken_for_it(tmp_path: Path) -> None:
    contents = small_set()
    write_set(tmp_path, {name.replace("-idx", ".idx"): content for name, content in contents.items()})
    for name in NAMES:
        (tmp_path / name).mkdir()
    assert_holds(mnist(tmp_path), contents)


def assert_stand_in(data: Dataset, capsys: pytest.CaptureFixture[str]) -> str:
    """The data are the embedded digits, and one line on stderr said so; return it."""
    line = capsys.readouterr().err
    assert data.source == "embedded digits"
    assert data.train.X.shape == (784, 1500)
    assert line.startswith("tinygrad_lite: MNIST could not be downloaded (")
    assert line.endswith("\n")
    assert line.count("\n") == 1
    return line


@pytest.mark.parametrize("below", [Path(), Path("tinygrad-lite", "mnist")])
def test_a_cache_that_cannot_be_written(cache: Path, below: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocked = cache.parents[1] / below
    blocked.parent.mkdir(parents=True, exist_ok=True)
    blocked.write_text("a file where the folder should be")
    assert_stand_in(mnist(), capsys)


# --- downloads: servers that behave, and some that do not


class Mirror:
    """An HTTP server on the loopback which serves a small set, or whatever `answer` makes of it."""

    def __init__(self, answer: Callable[[Handler, str, bytes], None]) -> None:
        self.hits: list[str] = []
        self.over = Event()
        handler = type("Bound", (Handler,), {"mirror": self, "answer": staticmethod(answer)})
        self.server = QuietServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/mnist/"
        self.thread = Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self) -> None:
        self.over.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class QuietServer(ThreadingHTTPServer):
    daemon_threads = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up: expected here."""


class Handler(BaseHTTPRequestHandler):
    mirror: Mirror
    answer: Callable[[Handler, str, bytes], None]

    def do_GET(self) -> None:
        name = self.path.removeprefix("/mnist/")
        self.mirror.hits.append(name)
        type(self).answer(self, name, gzip.compress(small_set()[name.removesuffix(".gz")], mtime=0))

    def log_message(self, *_: object) -> None:
        """Silence."""

    def send(self, body: bytes, length: int | None = None, status: int = 200) -> None:
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)


def good(to: Handler, name: str, body: bytes) -> None:
    to.send(body, len(body))


def unpacked(to: Handler, name: str, body: bytes) -> None:
    body = gzip.decompress(body)  # as a server with Content-Encoding may
    to.send(body, len(body))


def dropped(to: Handler, name: str, body: bytes) -> None:
    to.send(body[: len(body) // 2], len(body))


def truncated(to: Handler, name: str, body: bytes) -> None:
    to.send(body[:-1], len(body) - 1)


def empty(to: Handler, name: str, body: bytes) -> None:
    to.send(b"", 0)


def other(to: Handler, name: str, body: bytes) -> None:
    body = gzip.compress(small_set(seed=1)[name.removesuffix(".gz")])
    to.send(body, len(body))


def garbage(to: Handler, name: str, body: bytes) -> None:
    to.send(b"<html>please log in</html>", 26)


BOMB = gzip.compress(bytes(16 << 20), 9)


def bomb(to: Handler, name: str, body: bytes) -> None:
    to.send(BOMB, len(BOMB))


def endless(to: Handler, name: str, body: bytes) -> None:
    to.send(body)
    while not to.mirror.over.is_set():
        to.wfile.write(bytes(1 << 16))


def missing(to: Handler, name: str, body: bytes) -> None:
    to.send(b"no", 2, status=404)


def failing(to: Handler, name: str, body: bytes) -> None:
    to.send(b"", 0, status=500)


def no_http(to: Handler, name: str, body: bytes) -> None:
    to.wfile.write(b"220 smtp.example.org ready\r\n")


def hung_up(to: Handler, name: str, body: bytes) -> None:
    pass


def stalled(to: Handler, name: str, body: bytes) -> None:
    to.send(body[:9], len(body))
    to.wfile.flush()
    to.mirror.over.wait()


def silent(to: Handler, name: str, body: bytes) -> None:
    to.mirror.over.wait()


BAD = [dropped, truncated, empty, other, garbage, bomb, endless, missing, failing, no_http, hung_up]
Serve = Callable[..., list[Mirror]]


@pytest.fixture
def serve(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Start mirrors that answer so, and take their small set for the real one."""
    mirrors: list[Mirror] = []

    def start(*answers: Callable[[Handler, str, bytes], None]) -> list[Mirror]:
        mirrors.extend(Mirror(answer) for answer in answers)
        monkeypatch.setattr(lookup, "MIRRORS", tuple(mirror.url for mirror in mirrors))
        return mirrors

    files = {name: (len(content), hashlib.sha256(content).hexdigest()) for name, content in small_set().items()}
    monkeypatch.setattr(lookup, "FILES", files)
    # Generous where an answer will come: a loaded machine is no reason to fail.
    monkeypatch.setattr(download, "OPEN_SECONDS", 60.0)
    monkeypatch.setattr(download, "READ_SECONDS", 60.0)
    yield start
    for mirror in mirrors:
        mirror.close()


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


ZIPPED = [f"{name}.gz" for name in NAMES]


@pytest.mark.parametrize("answer", [good, unpacked])
def test_a_download_fills_the_cache_once(
    serve: Serve,
    cache: Path,
    capsys: pytest.CaptureFixture[str],
    answer: Callable[[Handler, str, bytes], None],
) -> None:
    (mirror,) = serve(answer)
    for _ in range(2):
        data = mnist()
        assert_holds(data, small_set())
        assert data.source == str(cache)
    assert mirror.hits == ZIPPED
    assert names_in(cache) == set(ZIPPED)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_a_progress_bar(
    serve: Serve, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    serve(good)
    assert_holds(mnist(), small_set())
    out, err = capsys.readouterr()
    assert out == ""
    assert all(name in err for name in ZIPPED)
    assert "100%" in err


def test_a_bomb_is_not_unpacked_on_arrival(serve: Serve, cache: Path) -> None:
    serve(good)
    mnist()  # which imports what it needs
    (cache / ZIPPED[0]).write_bytes(BOMB)
    tracemalloc.start()
    try:
        assert_holds(mnist(), small_set())
        assert tracemalloc.get_traced_memory()[1] < len(gzip.decompress(BOMB)) / 2
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("answer", BAD)
def test_the_next_mirror_makes_up_for_a_bad_one(
    serve: Serve,
    cache: Path,
    capsys: pytest.CaptureFixture[str],
    answer: Callable[[Handler, str, bytes], None],
) -> None:
    bad, fine = serve(answer, good)
    assert_holds(mnist(), small_set())
    assert bad.hits == ZIPPED[:1], "the mirror that worked comes first for the other files"
    assert fine.hits == ZIPPED
    assert names_in(cache) == set(ZIPPED)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("answer", BAD)
def test_without_a_good_mirror_the_embedded_digits_stand_in(
    serve: Serve,
    cache: Path,
    capsys: pytest.CaptureFixture[str],
    answer: Callable[[Handler, str, bytes], None],
) -> None:
    mirrors = serve(answer, failing)
    line = assert_stand_in(mnist(), capsys)
    assert all(mirror.url in line for mirror in mirrors)
    assert [mirror.hits for mirror in mirrors] == [ZIPPED[:1]] * 2, "no second file after the first failed"
    assert names_in(cache) == set()


@pytest.mark.parametrize(
    ("answer", "setting", "value", "reason"),
    [
        (silent, "OPEN_SECONDS", 0.02, "no answer"),
        (silent, "READ_SECONDS", 0.02, "timed out"),
        (stalled, "READ_SECONDS", 0.02, "timed out"),
        (good, "GRACE_SECONDS", -1e9, "too slow"),
    ],
)
def test_a_mirror_that_keeps_us_waiting_is_given_up(
    serve: Serve,
    cache: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    answer: Callable[[Handler, str, bytes], None],
    setting: str,
    value: float,
    reason: str,
) -> None:
    monkeypatch.setattr(download, setting, value)
    serve(answer)
    assert reason in assert_stand_in(mnist(), capsys)
    assert names_in(cache) == set()


def test_a_refused_connection(cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    closed = Mirror(good)
    closed.close()
    monkeypatch.setattr(lookup, "MIRRORS", (closed.url, closed.url))
    assert "refused" in assert_stand_in(mnist(), capsys)
    assert names_in(cache) == set()


def test_an_interrupt_leaves_nothing_half_done(
    serve: Serve, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    honest, reads = http.client.HTTPResponse.read1, iter(range(100))

    def interrupted(response: http.client.HTTPResponse, n: int) -> bytes:
        if next(reads) == 3:  # two reads for the first file, the second of the second
            raise KeyboardInterrupt
        return honest(response, n)

    (mirror,) = serve(good)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(http.client.HTTPResponse, "read1", interrupted)
        mnist()
    assert names_in(cache) < set(ZIPPED), "whole files only"
    kept = len(names_in(cache))
    mirror.hits.clear()
    assert_holds(mnist(), small_set())
    assert mirror.hits == ZIPPED[kept:], "and they are not fetched again"
    assert names_in(cache) == set(ZIPPED)


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b"", lambda b: b[:100] + b"?" + b[101:]])
def test_a_damaged_file_in_the_cache_is_fetched_again(
    serve: Serve, cache: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[bytes], bytes]
) -> None:
    (mirror,) = serve(good)
    mnist()
    mirror.hits.clear()
    victim = cache / ZIPPED[2]
    victim.write_bytes(damage(victim.read_bytes()))
    assert_holds(mnist(), small_set())
    assert mirror.hits == [ZIPPED[2]]
    assert f"{victim}: " in capsys.readouterr().err


def test_a_damaged_file_under_another_spelling_does_not_stay_in_the_way(serve: Serve, cache: Path) -> None:
    serve(good)
    write_set(cache, {name: content[:-1] for name, content in small_set().items()})
    assert_holds(mnist(), small_set())


def test_two_downloads_at_once_do_not_clash(serve: Serve, cache: Path) -> None:
    serve(good)
    with ThreadPoolExecutor(2) as pool:
        for data in pool.map(lambda _: mnist(), range(2)):
            assert_holds(data, small_set())
    assert names_in(cache) == set(ZIPPED)


# --- the embedded digits and the real ones


def test_digits_are_the_published_set() -> None:
    data = digits()
    assert_well_formed(data.train)
    assert_well_formed(data.test)
    counts = np.bincount(data.train.labels) + np.bincount(data.test.labels)
    np.testing.assert_array_equal(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180])
    assert data.train.X.max() == data.test.X.max() == 1
    assert len(data.test.labels) == 297


def test_digits_are_interpolated_along_both_axes() -> None:
    file = Path(lookup.__file__).with_name("digits.npz")
    assert file.stat().st_size < 100_000
    with np.load(file) as stored:
        small = stored["images"][:20] / 16
    centres = (2 * np.arange(28) + 1) / 7 - 0.5
    along = [[np.interp(centres, range(8), row) for row in image] for image in small]
    both = [np.stack([np.interp(centres, range(8), column) for column in np.array(a).T], axis=1) for a in along]
    np.testing.assert_allclose(digits().train.X.T[:20].reshape(-1, 28, 28), both, atol=1e-6)


def test_the_import_is_cheap() -> None:
    program = """
import sys, types, numpy
package = types.ModuleType("tinygrad_lite")
package.__path__ = sys.argv[1:]
sys.modules["tinygrad_lite"] = package
before = set(sys.modules)
import tinygrad_lite.data
heavy = {"gzip", "hashlib", "http", "platformdirs", "rich", "tempfile", "urllib.request", "zipfile"}
print(*sorted(heavy & (set(sys.modules) - before)))
"""
    where = str(Path(lookup.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", program, where], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.split() == []


@pytest.mark.skipif(lookup.VARIABLE not in os.environ, reason=f"${lookup.VARIABLE} names no folder with MNIST")
def test_the_real_files() -> None:
    data = mnist()
    assert_well_formed(data.train)
    assert_well_formed(data.test)
    assert (data.train.X.shape, data.test.X.shape) == ((784, 60_000), (784, 10_000))
    for split, zeros_to_nines in (
        (data.train, [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]),
        (data.test, [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]),
    ):
        assert (split.X.min(), split.X.max()) == (0, 1)
        np.testing.assert_array_equal(np.bincount(split.labels), zeros_to_nines)
        np.testing.assert_array_equal(split.Y.sum(axis=1), zeros_to_nines)
