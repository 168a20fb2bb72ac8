"""Model files: load the one `nn.Module` class that a Python file defines."""

from __future__ import annotations

import ast
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from .files import check_file
from .nn import Module
from .random import manual_seed

T = TypeVar("T")

MOST_BYTES = 10_000_000  # of a Python file


class ModelFileError(ValueError):
    """A model file cannot be used; the message names the file, what is wrong with it, and the way out."""


def load_model(path: str | os.PathLike[str]) -> type[Module]:
    """Return the model that a file defines: its own nn.Module class, or that of several which no other of them uses.

    The file is run once, with its folder importable, and nothing is instantiated.
    Raises ModelFileError where the file is missing or no .py, does not compile, fails when run, or defines no model.

    >>> load_model("nowhere.py")
    Traceback (most recent call last):
    tinygrad_lite.modelfile.ModelFileError: nowhere.py: no such file; give the path of a Python file
    """
    return _run_file(Path(path), "defines an nn.Module class", _choose)


def load_function(path: str | os.PathLike[str], name: str) -> Callable[..., Any]:
    """Return a function that a file defines.  Raises ModelFileError as `load_model` does.

    >>> load_function("nowhere.py", "backward")
    Traceback (most recent call last):
    tinygrad_lite.modelfile.ModelFileError: nowhere.py: no such file; give the path of a Python file
    """

    def choose(path: Path, module: ModuleType, _tree: ast.Module) -> Callable[..., Any]:
        found = vars(module).get(name)
        if inspect.isfunction(found):
            return found
        own = sorted(n for n, x in vars(module).items() if inspect.isfunction(x) and x.__module__ == module.__name__)
        there = f"but {', '.join(own)}; name one of these with --function" if own else "nor any other"
        raise ModelFileError(f"{path}: defines no function {name}, {there}")

    return _run_file(Path(path), f"defines a function {name}", choose)


def _run_file(path: Path, purpose: str, choose: Callable[[Path, ModuleType, ast.Module], T]) -> T:
    """Run a file once, and return what is wanted of it."""
    if path.suffix != ".py":
        raise ModelFileError(f"{path}: not a Python file; the file ends in .py and {purpose}")
    try:
        check_file(path, MOST_BYTES)
        source = path.read_bytes()
    except FileNotFoundError:
        raise ModelFileError(f"{path}: no such file; give the path of a Python file") from None
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read ({error.strerror})") from None
    try:
        tree = ast.parse(source, str(path))
        code = compile(tree, str(path), "exec", dont_inherit=True)
    except SyntaxError as error:
        text = f": {error.text.strip()}" if error.text else ""
        line = f", line {error.lineno}" if error.lineno else ""
        raise ModelFileError(f"{path}{line}: {error.msg}{text}") from None
    except (RecursionError, MemoryError):
        raise ModelFileError(
            f"{path}: an expression in it is too deeply nested for Python, such as a sum of thousands of terms; "
            "write it as a loop, or as several statements"
        ) from None
    except ValueError as error:  # a null byte, up to Python 3.11
        raise ModelFileError(f"{path}: no Python file: {error}; give one that ends in .py and is text") from None

    # A name of its own for each file: two files net.py in two folders are two modules.
    module = ModuleType("model_" + re.sub(r"\W", "_", str(path.resolve().with_suffix(""))))
    module.__file__, module.__package__ = str(path), ""  # of no package: a relative import is an error
    sys.modules[module.__name__] = module  # dataclasses and annotations look their module up there
    try:
        with _importable(path.resolve().parent):
            exec(code, module.__dict__)
        return choose(path, module, tree)
    except (Exception, SystemExit) as error:
        del sys.modules[module.__name__]
        if isinstance(error, ModelFileError):
            raise
        where = place_in(error, path) or str(path)
        raise ModelFileError(f"{where}: {type(error).__name__} when the file was run: {error}") from error


def instantiate(model: type[Module], seed: int = 0) -> Module:
    """Return `model(seed=seed)` where the class takes a seed, else `model()`, its layers drawn after `manual_seed(seed)`.

    Raises ModelFileError where it needs further arguments.

    >>> class Line(Module):
    ...     pass
    >>> type(instantiate(Line)).__name__
    'Line'
    """
    signature = inspect.signature(model)
    kwargs = {"seed": seed} if "seed" in signature.parameters else {}
    try:
        signature.bind(**kwargs)
    except TypeError as error:
        raise ModelFileError(
            f"{model.__name__}{signature} cannot be made without arguments ({error}); give each a default"
        ) from None
    manual_seed(seed)
    return model(**kwargs)


def place_in(error: BaseException, path: Path) -> str | None:
    """Return the innermost place in a file that an exception passed through, as `file, line 12: its text`."""
    found, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            found = trace.tb_lineno
        trace = trace.tb_next
    return None if found is None else place_of(path, found)


def place_of(path: str | os.PathLike[str], line: int) -> str:
    """Return a place in a file as `file, line 12 (its text)`."""
    path = Path(path)
    lines = path.read_text("utf-8", "replace").splitlines() if path.is_file() else []
    return f"{path}, line {line}" + (f" ({lines[line - 1].strip()})" if line <= len(lines) else "")


def _choose(path: Path, module: ModuleType, tree: ast.Module) -> type[Module]:
    """Return the module class of a file that no other class of the file names."""
    own = {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Module) and value.__module__ == module.__name__
    }
    if not own:
        raise ModelFileError(f"{path}: defines no nn.Module class; write `class Net(nn.Module):` with forward and loss")
    used = {
        name.id
        for statement in tree.body
        if isinstance(statement, ast.ClassDef)
        for name in ast.walk(statement)
        if isinstance(name, ast.Name) and name.id != statement.name
    }
    found = {value for name, value in own.items() if name not in used and value.__name__ not in used}
    if len(found) != 1:
        names = ", ".join(sorted(own))
        raise ModelFileError(
            f"{path}: defines several models ({names}), and it is not clear which one is meant; "
            "keep one, and import the others from a file of their own"
        )
    return found.pop()


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    here = Path.cwd()
    try:
        yield
    finally:
        os.chdir(here)  # the paths of the command line are meant from where it was typed
        if str(folder) in sys.path:
            sys.path.remove(str(folder))


__all__ = ["ModelFileError", "instantiate", "load_function", "load_model", "place_in", "place_of"]
