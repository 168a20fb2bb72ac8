"""Files of notes: the same page gives the same verdicts whatever file it stands in, and each row its place there."""

from __future__ import annotations

import html
import io
import json
import re
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tinygrad_lite import cli
from tinygrad_lite.notes import NotesError, NotesReport
from tinygrad_lite.notes.check import check, check_file
from tinygrad_lite.notes.source import Place, source

FORWARD = [
    r"$Z_1 = W_1 X + b_1$ and $A_1 = \tanh(Z_1)$",
    r"$$Z_2 = W_2 A_1 + b_2, \quad A_2 = \mathrm{softmax}(Z_2)$$",
]
BACKWARD = [
    r"$$dZ_2 = A_2 - Y$$",
    r"The weights: $dW_2 = \frac{1}{m} dZ_2 A_1^T$, so $db_2 = \frac{1}{m} \sum dZ_2$",
    r"$$dZ_1 = W_2^T dZ_2 \odot (1 - A_1^2)$$",
    r"$dW_1 = \frac{1}{m} dZ_1 A_1^T$",  # wrong: X belongs there
]
LINES = [*FORWARD, *BACKWARD]
TEXT = "\n\n".join(LINES)
FORMULA = re.compile(r"\$\$(.+?)\$\$|\$(.+?)\$")


def notebook(parts: list[tuple[str, str]]) -> str:
    cells = [{"cell_type": kind, "metadata": {}, "source": text.splitlines(keepends=True)} for kind, text in parts]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells})


def latex(body: str) -> str:
    head = "\\documentclass{article}\n\\newcommand{\\unused}[1]{$dZ_9 = #1$}\n% $dW_2 = wrong$\n\\begin{document}\n"
    return f"{head}{body}\n\\end{{document}}\n$dW_2 = dZ_9$\n"


def katex(line: str) -> str:
    """A line as KaTeX draws it: MathML with the LaTeX, and the signs again for the eye."""

    def drawn(m: re.Match[str]) -> str:
        formula = html.escape(m[1] or m[2])
        block = f' display="block"><semantics><mi>?</mi><annotation encoding="application/x-tex">{formula}</annotation>'
        signs = f'<span class="katex-html">{re.sub(r"[^A-Za-z0-9=]", "", formula)}</span>'
        return f'<span class="katex"><span class="katex-mathml"><math{block}</semantics></math></span>{signs}</span>'

    return f"<p>{FORMULA.sub(drawn, line)}</p>"


def mathjax(line: str) -> str:
    """A line as MathJax 2 keeps it: the LaTeX in a script beside what it has drawn."""

    def drawn(m: re.Match[str]) -> str:
        kind = "math/tex; mode=display" if m[1] else "math/tex"
        return f'<span class="MathJax">{m[1] or m[2]}</span><script type="{kind}">{m[1] or m[2]}</script>'

    return f"<div>{FORMULA.sub(drawn, line)}</div>"


def page(lines: list[str]) -> str:
    head = "<html><head><title>dW2 = dZ2</title><script>dW2 = dZ2 + 1</script></head><body><!-- dW2 = Y -->\n"
    return head + "\n".join(lines) + "\n</body></html>"


FILES: dict[str, str] = {
    "notes.md": TEXT,
    "notes.txt": TEXT.replace("\n", "\r\n"),
    "notes.tex": latex(TEXT),
    "macros.tex": latex(r"\def\by#1{\frac{1}{m} #1}\newcommand{\W}[1]{W_{#1}}" + TEXT)
    .replace(r"\frac{1}{m} dZ_1", r"\by{dZ_1}")
    .replace("$dW_2", r"$d\W{2}"),
    "notes.html": page([f"<p>{html.escape(line)}</p>" for line in LINES]),
    "katex.html": page([katex(line) for line in LINES]),
    "mathjax.htm": page([mathjax(line) for line in LINES]),
    "listed.html": page([f"<ul>{''.join(f'<li>{html.escape(line)}</li>' for line in LINES)}</ul>"]),
    "as_it_stands.html": page([f"<pre>{html.escape(TEXT)}</pre>"]),
    "one_cell.ipynb": notebook([("code", "dW2 = 0"), ("markdown", TEXT)]),
    "cells.ipynb": notebook([part for line in LINES for part in (("markdown", line), ("code", "db2 = dZ2"))]),
}
VERDICTS = [(row.name, row.verdict) for row in check(TEXT).rows]


def checked(folder: Path, name: str, content: str) -> NotesReport:
    (folder / name).write_text(content, "utf-8")
    return check_file(folder / name)


def test_the_page_has_each_kind_of_row() -> None:
    assert [verdict for _, verdict in VERDICTS].count("wrong") == 1
    assert VERDICTS[-1] == ("dW1", "wrong")
    assert len(VERDICTS) == 9


@pytest.mark.parametrize("name", FILES)
def test_a_page_gives_the_same_verdicts_in_every_kind_of_file(name: str, tmp_path: Path) -> None:
    report = checked(tmp_path, name, FILES[name])
    assert [(row.name, row.verdict) for row in report.rows] == VERDICTS


@pytest.mark.parametrize("name", ["notes.html", "notes.tex", "cells.ipynb"])
def test_read_as_plain_text_the_same_file_says_something_else(name: str) -> None:
    """The mutant: a reader that takes no notice of the kind of file."""
    try:
        rows = check(FILES[name]).rows
    except NotesError:
        return
    assert [(row.name, row.verdict) for row in rows] != VERDICTS


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    result = CliRunner().invoke(cli.main, ["check-notes", "-", "--json"], input=TEXT)
    assert result.exit_code == 1
    assert [(row["name"], row["verdict"]) for row in json.loads(result.stdout)] == VERDICTS
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff\xfe\x00")))
    with pytest.raises(NotesError, match=r"^standard input: no text in UTF-8"):
        check_file("-")


def test_a_row_has_its_place_in_the_file(tmp_path: Path) -> None:
    for name in ("notes.md", "notes.tex", "notes.html", "katex.html", "as_it_stands.html"):
        report = checked(tmp_path, name, FILES[name])
        begins = FILES[name].index("dZ_2 = A_2 - Y")
        row = next(row for row in report.rows if row.name == "dZ2")
        assert row.as_dict()["line"] == FILES[name].count("\n", 0, begins) + 1, name
        assert "cell" not in row.as_dict()
    report = checked(tmp_path, "cells.ipynb", FILES["cells.ipynb"])
    assert [row.as_dict()["cell"] for row in report.rows] == [1, 1, 3, 3, 5, 7, 7, 9, 11]
    assert {row.as_dict()["line"] for row in report.rows} == {1}
    assert "cell 11, 1" in str(report)


def test_every_line_has_a_place() -> None:
    for name, content in FILES.items():
        text, places = source(content, Path(name).suffix)
        assert text.count("\n") + 1 == len(places)
        assert places == sorted(places, key=lambda place: (place.cell or 0, place.line))


BAD = {
    "no notebook": (".ipynb", "{", "no notebook of Jupyter"),
    "other JSON": (".ipynb", "[1]", "no notebook of Jupyter"),
    "an older notebook": (".ipynb", '{"worksheets": []}', "no notebook of Jupyter"),
    "a notebook of code": (".ipynb", notebook([("code", "x = 1")]), "no Markdown cell.*verify"),
    "macros without an end": (".tex", r"\def\a{\b\b}\def\b{\a\a} $\a = 1$", r"macros \(a, b\).*without an end"),
    "tags without an end": (".html", "<div>" * 50_000, "too deeply nested"),
    "JSON without an end": (".ipynb", "[" * 100_000, "too deeply nested"),
}


@pytest.mark.parametrize(("suffix", "content", "message"), BAD.values(), ids=BAD)
def test_files_that_are_none(suffix: str, content: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(NotesError, match=rf"notes{suffix}: .*{message}"):
        checked(tmp_path, f"notes{suffix}", content)


def test_macros_are_expanded_in_each_other_and_as_often_as_they_stand() -> None:
    text = r"\newcommand{\d}[2]{\frac{\partial #1}{\partial #2}} \def\J{\mathcal{J}} $\d{\J}{W_1} = \J X$"
    assert source(text, ".tex").text.strip() == r"$\frac{\partial \mathcal{J}}{\partial W_1} = \mathcal{J} X$"
    assert source(text, ".tex").places == [Place(1)]


def test_what_is_commented_out_is_not_read() -> None:
    assert source("a % b\n50\\% c\n", ".tex").text == "a \n50\\% c\n"


# --- beside the notes -------------------------------------------------------------------------------------------------

SHOWN = """## Two *layers*

$Z_1 = W_1 X + b_1$, $A_1 = \\tanh(Z_1)$<br>$$Z_2 = W_2 A_1 + b_2$$ `$$A_2 = softmax(Z_2)$$`

| gradient | formula |
|:--|---|
| $dZ_2$ | `A2 - Y` |

```python
db2 = dZ2.sum(axis=1) / m  # < 1
```

<script>alert(1)</script> ![picture](http://example.org/a.png) **bold**, $`dW_2 = \\frac{1}{m} dZ_2 A_1^T`$
"""


def test_a_page_shows_what_a_reader_of_the_notes_sees_and_loads_nothing() -> None:
    shown = check(SHOWN).html()
    for part in ("<h2>Two <em>layers</em></h2>", "<br>", "<th>gradient</th>", "<code>A2 - Y</code>", "# &lt; 1</pre>",
                 "<strong>bold</strong>", "&lt;script&gt;"):  # fmt: skip
        assert part in shown, part
    assert "$" not in shown
    assert "`" not in shown
    assert not re.search(r"<(?:script|img|link|a|iframe)\b", shown)
    assert shown.count("✓") == 3


def test_no_repair_is_what_stands_there_already() -> None:
    """On every page of the corpus with a mistake in it."""
    corpus = Path(__file__).parent / "corpus" / "pages"
    repairs = 0
    for path in sorted(corpus.glob("people_*.json")):
        text = path.with_suffix(".md").read_text("utf-8")
        for old, new in json.loads(path.read_text("utf-8"))["mistakes"][:2]:
            for row in check(text.replace(old, new, 1)).rows:
                repairs += row.fix is not None
                assert row.fix is None or "".join(row.fix.split()) != "".join(row.text.split()), (path.stem, row.fix)
    assert repairs > 20
