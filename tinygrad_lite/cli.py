"""The command line: one function per command, and one place that turns errors into a sentence and an exit code.

Imports NumPy and click; everything else loads inside the commands.  Exit codes: 0 fine, 1 a run diverged or a check
failed, 2 wrong usage or unreadable input, 3 a fault of ours, 130 interrupted, 129 and 143 stopped by SIGHUP and SIGTERM.
"""

from __future__ import annotations

import inspect
import io
import os
import shlex
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
import numpy as np

from . import __version__, start
from .modelfile import ModelFileError, instantiate, load_function, load_model, place_in

if TYPE_CHECKING:
    from rich.console import Console

    from .data import Dataset
    from .nn import Module


OPTIMIZERS = ["sgd", "momentum", "adam", "adamw", "rmsprop", "adagrad"]  # train.OPTIMIZERS, which loads late
FAILED, WRONG, OURS, INTERRUPTED = 1, 2, 3, 130


class Commands(click.Group):
    """A group of commands that ends every error in one sentence, and shows the traceback with --debug."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the words of the command, for the advice how to resume it."""
        ctx.meta["arguments"] = list(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            with start.raising():
                result = super().invoke(ctx)
                if sys.stdout is not None:
                    sys.stdout.flush()  # a full disk is to be an error here, not when Python has ended
                return result
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except KeyboardInterrupt as error:
            from .train import Interrupted

            if isinstance(error, Interrupted):
                _end(str(error), 128 + error.number, _how_to_resume(ctx))
            _end(str(error) or "interrupted", INTERRUPTED)
        except (Exception, SystemExit) as error:
            from .train import Diverged

            if isinstance(error, Diverged):
                _end(str(error), FAILED)
            if ctx.params.get("debug"):
                _show(error)
            sentence = _sentence(error, ctx.meta.get("model"))
            if sentence is None:
                _end(_fault(error), OURS)
            saved = getattr(error, "__notes__", [])
            _end(f"error: {sentence}", WRONG, *saved, _how_to_resume(ctx) if saved else "")


def _sentence(error: BaseException, model: Path | None) -> str | None:
    """Say what a user can do about an error, or return None if it is none that a user has caused."""
    from .data import DataError
    from .draw import DrawingError
    from .train import TrainingError

    if isinstance(error, ModelFileError | DataError | DrawingError | TrainingError):
        return str(error)
    if model is not None and (place := _place(error, model)):
        return f"{place}: {type(error).__name__}: {error}".removesuffix(": ")
    if isinstance(error, RecursionError):
        return f"{model}: too deeply nested for Python; write it as a loop, or as several statements"
    if isinstance(error, MemoryError):
        return f"not enough memory{f' ({error})' if str(error) else ''}; make the batch or the model smaller"
    if isinstance(error, OSError):
        _give_up_output()
        return f"{error.filename or 'the output'}: {error.strerror or error}; name another file or folder"
    return None


def _place(error: BaseException, model: Path) -> str | None:
    """Return the place in a model file where an error arose, or in another file of its folder."""
    if place := place_in(error, model):
        return place
    frames = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    folder, ours = model.resolve().parent, Path(__file__).parent
    beside = [path for path in map(Path, frames) if folder in path.parents and ours not in path.parents]
    return place_in(error, beside[-1]) if beside else None


def _show(error: BaseException) -> None:
    """Print the traceback of an error, with what it arose from."""
    cause: BaseException | None = error
    while cause is not None:
        cause.__suppress_context__ = False
        cause = cause.__cause__ or cause.__context__
    traceback.print_exception(error)


def _fault(error: BaseException) -> str:
    where = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"error: {type(error).__name__}: {error} ({Path(where.filename).name}, line {where.lineno}); this is a fault of "
        "tinygrad-lite: report it, with what `tinygrad-lite --debug ...` prints"
    )


def _give_up_output() -> None:
    """Have Python not try once more, as it ends, to write what could not be written."""
    try:
        sys.stdout.flush()
    except (OSError, AttributeError):
        with suppress(OSError, ValueError, AttributeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _end(message: str, code: int, *more: str) -> NoReturn:
    with suppress(OSError):  # a terminal that is gone
        for line in (message, *more):
            if line:
                click.echo(line, err=True)
    raise click.exceptions.Exit(code)


def _how_to_resume(ctx: click.Context) -> str:
    arguments = [word for word in ctx.meta["arguments"] if word not in ("--resume", "--overwrite")]
    return f"resume with: {ctx.info_name} {shlex.join(arguments)} --resume"


class Name(click.Path):
    """The name of a file or folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse a null byte, which no name holds and which the system's functions raise errors of their own for."""
        if "\0" in str(value):
            self.fail(f"{value!r} holds a null byte, which no file's name does", param, ctx)
        return super().convert(value, param, ctx)


NAME = Name(path_type=Path)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tinygrad-lite")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(debug: bool) -> None:  # noqa: ARG001 -- read where the error arrives
    """Train, evaluate and draw models written in plain Python.

    MODEL is a Python file that defines one nn.Module class, such as models/mnist_two_layer.py.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # where it cannot write Σ, it writes ?
            stream.reconfigure(errors="replace")


MODEL = click.argument("model", type=NAME)
DATA = click.option(
    "--data", metavar="PATH", type=Name(), help="Folder of MNIST, default: found or downloaded; or what MODEL reads."
)
OUT = click.option("--out", type=NAME, help="Folder of the run; default: runs/ and MODEL's name.")
WEIGHTS = click.option("--weights", type=NAME, help="Weights file; default: that of the run.")
COUNT = click.IntRange(min=1)


@main.command()
@MODEL
@DATA
@click.option("--steps", type=COUNT, help="Steps to make in all; default: 500, or MODEL's own.")
@click.option("--epochs", type=COUNT, help="Passes over the data, instead of --steps.")
@click.option("--batch-size", type=COUNT, help="Samples per step; default: all, or MODEL's own.")
@click.option("--optimizer", type=click.Choice(OPTIMIZERS), help="Default: sgd, or MODEL's own.")
@click.option("--lr", type=float, help="Learning rate; default: that of the optimizer, or MODEL's own.")
@click.option("--seed", type=click.IntRange(min=0), help="Of weights and batches; default: 0.")
@OUT
@click.option("--resume", is_flag=True, help="Go on with the run saved in the folder, with its settings.")
@click.option("--overwrite", is_flag=True, help="Replace the run saved in the folder, once this one has finished.")
def train(model: Path, data: str | None, out: Path | None, seed: int | None, **options: Any) -> None:
    """Train MODEL on MNIST, or on data of its own; without options by full-batch gradient descent, 500 steps of 0.1."""
    from .train import Display
    from .train import train as run
    from .train.checkpoint import WEIGHTS as SAVED

    out = out or _folder(model)
    net = _open(model, seed, out / SAVED if options["resume"] else None)
    dataset = _dataset(model, net, data)
    size = sum(p.size for p in net.parameters())
    samples = dataset.train.X.shape[1]
    there = " (replaces the run saved there)" if (out / SAVED).exists() and options["overwrite"] else ""
    click.echo(
        f"{type(net).__name__}: {size:,} parameters, {samples:,} samples from {dataset.source}, run in {out}{there}"
    )
    with Display() as display:
        metrics = run(net, dataset, seed=seed, out=out, report=display, **options)
    _say_result(metrics["test_accuracy"], metrics["test_loss"])


@main.command()
@MODEL
@DATA
@OUT
@WEIGHTS
def evaluate(model: Path, data: str | None, out: Path | None, weights: Path | None) -> None:
    """Print how often a trained MODEL is right on the test set, by class and overall, or its loss without classes."""
    from rich.table import Table

    from .train import loss_of, scores

    net = _trained(model, out, weights)
    dataset = _dataset(model, net, data)
    test = dataset.test
    click.echo(f"{type(net).__name__}: {test.X.shape[1]:,} test samples from {dataset.source}")
    if test.labels is None:
        return _say_result(None, loss_of(net, test))
    correct = scores(net, test.X).argmax(axis=0) == test.labels
    table = Table("class", "samples", "correct", "accuracy")
    for column in table.columns:
        column.justify = "right"
    for digit in np.unique(test.labels):
        own = correct[test.labels == digit]
        table.add_row(str(digit), f"{own.size:,}", f"{own.sum():,}", f"{own.mean():.4f}")
    _console().print(table)
    return _say_result(correct.mean(), None)


@main.command()
@MODEL
@click.argument("images", nargs=-1, required=True, type=NAME)
@OUT
@WEIGHTS
def predict(model: Path, images: tuple[Path, ...], out: Path | None, weights: Path | None) -> None:
    """Print the digit that a trained MODEL sees in each of the IMAGES, and the probabilities.

    An image shows one digit, dark on light or light on dark.  One of 28×28 pixels is taken as it is, another is scaled
    and centred as MNIST's were.
    """
    from .data.picture import read_picture
    from .train import probabilities

    net = _trained(model, out, weights)
    if hasattr(net, "data"):
        raise ModelFileError(f"{model}: predict reads pictures of digits, and {type(net).__name__} has data of its own")
    pictures = [read_picture(path) for path in images]
    P = probabilities(net, np.stack([pixels for pixels, _ in pictures], axis=1))
    for path, p, (pixels, inverted) in zip(images, P.T, pictures, strict=True):
        if not pixels.any():
            click.echo(f"{path}: blank; there is no digit in it")
            continue
        click.echo(f"{path}: {p.argmax()}{'  (inverted: dark ink on a bright ground)' if inverted else ''}")
        click.echo("  " + "  ".join(f"{digit} {100 * share:.1f} %" for digit, share in enumerate(p)))


@main.command()
@MODEL
@click.option("-o", "--output", type=NAME, default="graph.svg", show_default=True)
def draw(model: Path, output: Path) -> None:
    """Draw the computation graph of MODEL as .svg, .png, .pdf or .dot."""
    from .train.record import draw_model

    draw_model(_open(model), output)
    click.echo(f"wrote {output}")


@main.command()
@MODEL
@click.argument("formulas", type=NAME)
@click.option("--function", default="backward", show_default=True, help="The function in FORMULAS.")
@click.option("--examples", type=click.IntRange(1), default=100, show_default=True, help="How many cases to try.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=10,
    show_default=True,
    metavar="SECONDS",
    help="How long FORMULAS, and one run of the function on small arrays, may take.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a list of the formulas as JSON.")
def verify(model: Path, formulas: Path, function: str, examples: int, timeout: float, as_json: bool) -> None:
    """Check the handwritten backward pass in FORMULAS against the loss of MODEL, line by line."""
    from rich.text import Text

    from .guard import TimeUp, contained, limited
    from .verify import verify as check

    with redirect_stdout(sys.stderr if as_json else sys.stdout):  # what the files print is no JSON
        net = _open(model)
        try:
            with contained(), _waiting(f"checking {function} in {formulas}"):
                with limited(timeout, str(formulas)):
                    backward = load_function(formulas, function)
                report = check(backward, net, examples=examples, raises=False, timeout=timeout)
        except TimeUp as error:
            raise ModelFileError(str(error)) from None
        except KeyboardInterrupt as error:
            place = place_in(error, formulas)
            raise KeyboardInterrupt(f"interrupted in {place}" if place else "") from None
        except ModelFileError:
            raise
        except (TypeError, ValueError) as error:
            raise ModelFileError(f"{model} and {formulas}: {error}") from None
    if as_json:
        click.echo(report.to_json())
    else:
        console = _console()
        for line, tone in report.lines():
            console.print(Text(line, style={"right": "green", "wrong": "red"}.get(tone, "")), soft_wrap=True)
    if not report.ok:
        raise click.exceptions.Exit(FAILED)


def _console() -> Console:
    """Return what tables and lines are printed on; where its reader has gone, as with `| head`, the command ends."""
    from rich import console

    class Output(console.Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return Output(highlight=False)


@contextmanager
def _waiting(what: str) -> Iterator[None]:
    """Show on a terminal that something is done, and for how long."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        progress.add_task(what, total=None)
        yield


@main.command()
@MODEL
@click.option("--format", "format_", type=click.Choice(["text", "latex", "markdown", "html"]), default="text")
@click.option("--scale", type=click.Choice(["notes", "mean"]), default="notes", help="dZ per sample, or of the mean J.")
@click.option("--explain", is_flag=True, help="Say of every line which rule was used, and why the shapes fit.")
def derive(model: Path, format_: str, scale: Any, explain: bool) -> None:
    """Derive MODEL: print its forward pass, its backward pass and the updates as equations."""
    from .derive import derive as equations

    net = _open(model)
    try:
        found = equations(net, scale, explain)
    except TypeError as error:
        if place_in(error, model):
            raise
        raise ModelFileError(f"{model}: {error}") from error
    click.echo(getattr(found, format_)(), nl=False)


@main.command("check-notes")
@click.argument("notes", type=NAME)
@click.option("--model", type=NAME, help="Hold the notes against the network of this model file.")
@click.option("-o", "--output", type=NAME, help="Write the notes with the verdicts, .md or .html.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of the equations as JSON.")
def check_notes(notes: Path, model: Path | None, output: Path | None, as_json: bool) -> None:
    """Check the handwritten equations in NOTES, each against autodiff.

    NOTES is a file of Markdown, plain text, LaTeX (.tex), HTML (.html) or a notebook (.ipynb), or - for standard input.

    The forward equations of the notes define the network, or MODEL does; every other equation is verified by itself.
    The exit code is 1 where one is wrong, and 2 where none could be judged.
    """

    from .notes.check import check_file
    from .notes.source import NotesError

    if output is not None and output.suffix.lower() not in (".md", ".html"):
        raise click.UsageError(f"{output}: the checked notes are written as .md or .html")
    if output is not None and output.exists() and notes.exists() and output.samefile(notes):
        raise click.UsageError(f"{output}: that would overwrite the notes themselves; name another file")
    try:
        with redirect_stdout(sys.stderr if as_json else sys.stdout):
            report = check_file(notes, None if model is None else _open(model))
    except NotesError as error:
        _end(f"error: {error}", WRONG)
    if output is not None:
        from .files import replace_file

        page = report.html() if output.suffix.lower() == ".html" else report.markdown()
        replace_file(output, lambda path: path.write_text(page, "utf-8"))
    if as_json:
        click.echo(report.to_json())
        if not report.ok and not report.wrong:
            click.echo(report.summary, err=True)
    else:
        console = _console()
        if not console.is_terminal:
            console.width = 120
        console.print(report.table())
        for line in [*report.notes, report.summary, *([f"wrote {output}"] if output is not None else [])]:
            console.print(line, markup=False, soft_wrap=True)
    if not report.ok:
        raise click.exceptions.Exit(FAILED if report.wrong else WRONG)


@main.command()
def info() -> None:
    """Print versions, where the data is, and what can draw pictures."""
    import os
    import shutil
    from importlib import metadata, util

    from platformdirs import user_cache_path

    from .data import lookup
    from .train.record import versions
    from .train.threads import described

    def version(package: str) -> str:
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            return "not installed"

    def held(folder: Path) -> str:
        count = max(len(lookup._find(folder)), len(lookup._find(folder / "mnist")))
        return f"{folder}: {'complete' if count == len(lookup.FILES) else f'{count} of {len(lookup.FILES)} files'}"

    others = (
        "click",
        "filelock",
        "graphviz",
        "hypothesis",
        "jaxtyping",
        "matplotlib",
        "pillow",
        "pygraphviz",
        "rich",
        "safetensors",
        "threadpoolctl",
    )
    rows = list((versions() | {package: version(package) for package in others}).items())
    named = os.environ.get(lookup.VARIABLE)
    rows.append((f"data, ${lookup.VARIABLE}", held(Path(named)) if named else "not set"))
    rows.append(("data, cache", held(user_cache_path("tinygrad-lite"))))
    rows.append(("data, embedded", "1,797 digits"))
    rows.append(("BLAS threads", described()))
    rows.append(("dot program", shutil.which("dot") or "not found"))
    rows.append(("pygraphviz", "found" if util.find_spec("pygraphviz") else "not found"))
    for name, value in rows:
        click.echo(f"{name:26}{value}")


def _open(model: Path, seed: int | None = None, saved: Path | None = None) -> Module:
    """Make the model of a file, as that of a saved run was made; errors from here on are looked for in that file first."""
    click.get_current_context().meta["model"] = model
    kind = load_model(model)
    if seed is None and saved is not None and saved.is_file():
        from .train.checkpoint import Checkpoint

        seed = Checkpoint.load(saved).seed
    return instantiate(kind, seed or 0)


def _dataset(model: Path, net: Any, source: str | None) -> Dataset:
    """Return the data that a model is to be trained on: that of its own method `data`, else MNIST."""
    from .data import mnist
    from .data.dataset import check_dataset

    if not hasattr(net, "data"):
        return mnist(source)
    place = f"{model}: {type(net).__name__}.data"
    try:
        inspect.signature(net.data).bind(source)
    except TypeError:
        raise ModelFileError(f"{place} must be a method data(self, source), source being --data or None") from None
    return check_dataset(net.data(source), place)


def _say_result(accuracy: float | None, loss: float | None) -> None:
    click.echo(f"test loss {loss:.4f}" if accuracy is None else f"test accuracy {accuracy:.4f}")


def _folder(model: Path) -> Path:
    return Path("runs", model.stem)


def _trained(model: Path, out: Path | None, weights: Path | None) -> Module:
    from .train import checkpoint
    from .train.evaluate import check_takes

    path = weights or (out or _folder(model)) / checkpoint.WEIGHTS
    net = _open(model, saved=path)
    checkpoint.load_weights(net, path)
    check_takes(net, "forward", "X")
    return net
