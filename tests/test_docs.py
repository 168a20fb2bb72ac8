"""Every example in a docstring, in the README and in docs/ runs and prints what it says."""

from __future__ import annotations

import ast
import doctest
import importlib
import linecache
import os
import pkgutil
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tl
from tinygrad_lite.op import REGISTRY

ROOT = Path(__file__).parents[1]
MODULES = [
    importlib.import_module(found.name)
    for found in pkgutil.walk_packages(tl.__path__, "tinygrad_lite.")
    if not found.name.endswith("__main__")
]
PUBLIC = {name: getattr(tl, name) for name in tl.__all__} | {"np": np}
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def docstring_examples() -> list[doctest.DocTest]:
    """All docstrings with examples; they may use `np` and every public name without importing it."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = [
        test for module in [tl, *MODULES] for test in finder.find(module, extraglobs=PUBLIC | {"__name__": "example"})
    ]
    return [test for test in found if test.examples]


def run(test: doctest.DocTest) -> None:
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE, verbose=False)
    report: list[str] = []
    runner.run(test, out=report.append)
    assert runner.failures == 0, "".join(report)


@pytest.mark.parametrize("test", docstring_examples(), ids=lambda test: test.name)
def test_examples_in_docstrings_run(test: doctest.DocTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run(test)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_in_pages_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python blocks of a page run one after another, in a folder where `models` can be imported."""
    blocks = re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    names: dict[str, Any] = {"__name__": "page"}
    monkeypatch.syspath_prepend(ROOT)
    monkeypatch.chdir(tmp_path)
    before = set(REGISTRY)
    try:
        for i, block in enumerate(blocks):
            if ">>>" in block:
                run(doctest.DocTestParser().get_doctest(block, names, f"{page.name}[{i}]", str(page), 0))
            else:
                name = f"{page.name}[{i}]"
                linecache.cache[name] = len(block), None, block.splitlines(keepends=True), name  # as notebooks do
                exec(compile(block, name, "exec"), names)
    finally:
        for name in set(REGISTRY) - before:  # an op that a page registers goes with the page
            del REGISTRY[name]
            delattr(tl.Tensor, name)


@pytest.mark.parametrize("name", REGISTRY)
def test_every_op_has_a_docstring_with_an_example(name: str) -> None:
    assert ">>>" in (REGISTRY[name].forward.__doc__ or "")


def _family(path: Path) -> Any:
    return importlib.import_module(f"tinygrad_lite.ops.{path.stem}")


def test_every_op_is_public() -> None:
    assert set(REGISTRY) == set(tl.ops.__all__) <= set(tl.__all__)
    listed = [name for path in (ROOT / "tinygrad_lite/ops").glob("[a-z]*.py") for name in _family(path).__all__]
    assert sorted(listed) == sorted(REGISTRY)


def test_the_model_in_the_readme_is_the_model_file() -> None:
    """Word for word, but for docstrings and the annotations of the class."""

    class Bare(ast.NodeTransformer):
        def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
            return None if isinstance(node.value, ast.Constant) else node

        def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AnnAssign | None:
            return None if node.value is None else node

    def model(source: str) -> str:
        classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
        return ast.unparse(Bare().visit(classes[0]))

    (block,) = (
        b for b in re.findall(r"```python\n(.*?)```", PAGES[0].read_text("utf-8"), re.DOTALL) if "class TwoLayer" in b
    )
    assert model(block) == model((ROOT / "models/mnist_two_layer.py").read_text("utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_files_named_in_pages_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
    for path in re.findall(r"`((?:tinygrad_lite|models|tests|docs)/[\w./-]+)`", text):
        assert (ROOT / path).exists(), f"{page.name} names {path}"


PAGE = (ROOT / "docs/architecture.md").read_text("utf-8")
ORDER = [name for row in re.findall(r"^\| (`tinygrad_lite/.*?) \|", PAGE, re.M) for name in re.findall(r"/(\w+)", row)]


def test_the_page_names_every_module() -> None:
    own = {
        path.stem
        for path in (ROOT / "tinygrad_lite").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert own - {"__init__", "__main__"} == set(ORDER)


@pytest.mark.parametrize("path", sorted((ROOT / "tinygrad_lite").rglob("*.py")), ids=lambda path: path.stem)
def test_imports_run_downwards_only(path: Path) -> None:
    """A module imports only what stands before it in the order of docs/architecture.md (nested imports count too)."""
    parts = path.relative_to(ROOT / "tinygrad_lite").with_suffix("").parts
    if parts[0] in ("__init__", "__main__"):
        return
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").startswith("tinygrad_lite")):
            base = ["tinygrad_lite", *parts[:-1]][: len(parts) - node.level + 1] if node.level else []
            full = [*base, *(node.module or "").split(".")] if node.module else base
            targets = [full[1]] if len(full) > 1 else [alias.name for alias in node.names]
            for target in targets:
                if target in ORDER:
                    assert ORDER.index(target) <= ORDER.index(parts[0]), f"{path.name} imports {target}"


ROOMS = {
    path.parent.name: re.findall(
        r"`(\w+)`", (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").partition("From the bottom up: ")[2]
    )
    for path in (ROOT / "tinygrad_lite").glob("*/__init__.py")
    if "From the bottom up: " in path.read_text("utf-8")
}


@pytest.mark.parametrize("room", ROOMS)
def test_a_folder_says_its_order_from_the_bottom_up(room: str) -> None:
    """The first page of a folder names each of its files once it has named all those that it imports."""
    folder = ROOT / "tinygrad_lite" / room
    order = [name for name in dict.fromkeys(ROOMS[room]) if (folder / f"{name}.py").exists()]
    assert {path.stem for path in folder.glob("[a-z]*.py")} == set(order)
    for name in order:
        for node in ast.walk(ast.parse((folder / f"{name}.py").read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 1:
                assert node.module in order[: order.index(name)], f"{room}/{name}.py imports {node.module}"


def test_importing_the_package_loads_numpy_and_itself_only() -> None:
    import subprocess
    import sys

    code = (
        "import sys, numpy; before = set(sys.modules); import tinygrad_lite; print(*sorted(set(sys.modules) - before))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment, timeout=120
    )
    heavy = {"hypothesis", "graphviz", "pygraphviz", "matplotlib", "rich", "click", "PIL", "jaxtyping", "safetensors"}
    heavy |= {"filelock", "threadpoolctl"}
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & heavy
    assert loaded <= {"tinygrad_lite", *sys.stdlib_module_names}
