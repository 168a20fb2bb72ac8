"""Notes: the five scans, random networks written as notes with and without a mistake, and notes that are none."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from jaxtyping import Float

import tinygrad_lite as tl
from tests.benchmarks.page_scores import PAGES, Page
from tinygrad_lite.cli import main
from tinygrad_lite.notes.check import NotesError, check, check_file

NOTES = Path(__file__).parent / "notes"
FINE = ("right", "definition")


def rows_of(number):
    return check_file(next(NOTES.glob(f"{number}_*"))).rows


def verdicts(rows, read):
    found = [row for row in rows if row.read == read]
    assert found, f"{read} is not among {[row.read for row in rows]}"
    return {row.verdict for row in found}


# --- the five scans ---------------------------------------------------------------------------------------------------

GRADIENTS = [
    "dZ2 = A2 − Y", "dW2 = 1/m dZ2 A1ᵀ", "db2 = 1/m Σ dZ2", "dZ1 = W2ᵀ dZ2 ⊙ g'(Z1)", "dW1 = 1/m dZ1 Xᵀ", "db1 = 1/m Σ dZ1",
]  # fmt: skip
UPDATES = [f"{p} := {p} − α d{p}" for p in ("W1", "b1", "W2", "b2")]


def test_the_first_notes_are_right():
    rows = rows_of("000")
    for read in [*GRADIENTS, *UPDATES]:
        assert verdicts(rows, read) == {"right"}
    assert not [row for row in rows if row.verdict in ("wrong", "ambiguous")]


def test_of_the_illegible_notes_only_what_is_legible_is_right():
    rows = rows_of("001")
    assert verdicts(rows, "A0 = X") == {"right"}
    (wrong,) = [row for row in rows if row.verdict == "wrong"]
    assert "789" in wrong.text
    assert "28×28 = 784" in wrong.reason
    assert {row.verdict for row in rows if row is not wrong and "X" not in row.text and "ReLU" not in row.text} == {
        "not_understood"
    }


def test_the_mask_comes_from_Z1():
    rows = rows_of("002")
    wrong = {row.name: row for row in rows if row.verdict == "wrong"}
    mask, sizes = wrong.pop("dZ1"), wrong.pop("W1")
    assert not wrong
    assert "mask" in mask.reason
    assert "g'(z^{[1]})" in mask.fix
    assert "784" in sizes.text
    assert sizes.fix == "10×784"
    for read in ("dW1 = 1/m dZ1 Xᵀ", "db1 = 1/m Σ dZ1", *GRADIENTS[:3], *UPDATES):
        assert verdicts(rows, read) == {"right"}
    assert not [row for row in rows if "Absolute" in row.text]


def test_gradients_under_wrong_names():
    rows = rows_of("003")
    found = {row.read: row for row in rows}
    assert any("284" in row.text and row.verdict == "wrong" and "784" in row.reason for row in rows)
    label = found["dW2 = 1/m Σ dZ2"]
    assert label.verdict == "wrong"
    assert "db2" in label.reason
    assert label.fix == r"\delta b^{[2]} = \frac{1}{m} \sum \delta z^{[2]}"
    meant = found["dW2 = 1/m dZ2 Xᵀ"]
    assert meant.verdict == "wrong"
    assert meant.fix == r"\delta W^{[1]} = \frac{1}{m} \delta z^{[1]} x^T"
    place = found["db2 = 1/m Σ dZ2"]
    assert place.verdict == "ambiguous"
    assert "place of db1" in place.reason
    for read, name in (("W2 := W1 − α dW2", "W^{[1]}"), ("b2 := b1 − α db2", "b^{[1]}")):
        assert found[read].verdict == "wrong"
        assert "mixes layers" in found[read].reason
        assert found[read].fix.startswith(name)
    for read in (*GRADIENTS[:2], GRADIENTS[3], *UPDATES[2:]):
        assert found[read].verdict == "right"


def test_a_missing_matrix_and_a_missing_layer():
    rows = rows_of("004")
    found = {row.read: row for row in rows}
    assert any(row.verdict == "wrong" and "Z2 is 10×m, not 10×10" in row.reason for row in rows)
    (lacks,) = [row for row in rows if row.name == "dW1"]
    assert lacks.verdict == "wrong"
    assert "what is transposed is missing: X belongs there" in lacks.reason
    label = found["db2 = 1/m Σ dZ1"]
    assert label.verdict == "wrong"
    assert "db1" in label.reason
    assert found["dZ1 = W2ᵀ dZ2 ⊙ g'(Z)"].verdict == "ambiguous"
    assert "right for Z1" in found["dZ1 = W2ᵀ dZ2 ⊙ g'(Z)"].reason
    for read in (*GRADIENTS[:3], *UPDATES):
        assert found[read].verdict == "right"


# --- random networks --------------------------------------------------------------------------------------------------

ACTIVATIONS = {"relu": r"\mathrm{ReLU}", "sigmoid": r"\sigma", "tanh": r"\tanh"}
OUTPUTS = {"softmax": r"\mathrm{softmax}", "sigmoid": r"\sigma"}


def page_of(rng):
    """Return the lines of notes of a random network, all right."""
    layers, rows, latex = rng.randint(1, 3), rng.random() < 0.5, rng.random() < 0.6
    hidden, output = rng.choice(list(ACTIVATIONS)), rng.choice(list(OUTPUTS))
    squared = output == "sigmoid" and rng.random() < 0.5
    style = rng.choice(["^{[%s]}", "_%s", "^{(%s)}"]) if latex else "%s"
    mean = r"\frac{1}{m} " if latex else "1/m "
    total, beside, turned = (r"\sum ", r" \odot ", "^T") if latex else ("Σ ", " ⊙ ", "ᵀ")

    def name(letter, k):
        return "X" if letter == "A" and not k else letter + style % k

    def t(letter, k):
        plain = name(letter, k)
        return plain[:-1] + "T}" if plain.endswith(("]}", ")}")) else plain + turned

    def f(op, k, prime=""):
        word = {**ACTIVATIONS, **OUTPUTS}[op] if latex else {"sigmoid": "σ", "relu": "ReLU"}.get(op, op)
        return f"{word}{prime}({name('Z', k)})"

    def product(left, right):
        return f"{right} {left}" if rows else f"{left} {right}"

    lines = []
    for k in range(1, layers + 1):
        lines.append(f"{name('Z', k)} = {product(name('W', k), name('A', k - 1))} + {name('b', k)}")
        lines.append(f"{name('A', k)} = {f(output if k == layers else hidden, k)}")
    for k in range(layers, 0, -1):
        if k == layers:
            error = f"{name('A', k)} - Y"
            error = f"({error}){beside}{f('sigmoid', k, chr(39))}" if squared else error
        else:
            error = f"{product(t('W', k + 1), name('dZ', k + 1))}{beside}{f(hidden, k, chr(39))}"
        lines.append(f"{name('dZ', k)} = {error}")
        lines.append(f"{name('dW', k)} = {mean}{product(name('dZ', k), t('A', k - 1))}")
        lines.append(f"{name('db', k)} = {mean}{total}{name('dZ', k)}")
    for p in ("W", "b"):
        rate = r"\alpha " if latex else "α "
        lines.append(f"{name(p, layers)} := {name(p, layers)} - {rate}{name('d' + p, layers)}")
    text = [f"$${line}$$" if latex else line for line in lines]
    return (["Loss: mean squared error", ""] if squared else []) + text


def mutated(rng, lines):
    """Return the notes with one mistake in a gradient or an update, and where it is."""
    at = rng.choice([i for i, line in enumerate(lines) if line.lstrip("$").startswith("d") or ":=" in line])
    line = lines[at]
    ways = [line.replace("= ", "= -", 1), line.replace("= ", "= 2 ", 1)]
    ways += [line.replace(word, "", 1) for word in ("1/m ", r"\frac{1}{m} ", "ᵀ", "^T") if word in line]
    if ":=" in line:
        ways = [line.replace(" - ", " + "), line.replace("α ", "").replace(r"\alpha ", "")]
    lines = [*lines]
    lines[at] = rng.choice(ways)
    return lines, at


@pytest.mark.parametrize("seed", range(6))
def test_a_random_network_is_right(seed):
    lines = page_of(random.Random(seed))
    report = check("\n".join(lines))
    assert [row for row in report.rows if row.verdict not in FINE] == []
    assert len(report.rows) == len([line for line in lines if "=" in line])


@pytest.mark.parametrize("seed", range(8))
def test_of_a_random_network_only_the_line_with_the_mistake_is_wrong(seed):
    rng = random.Random(1000 + seed)
    lines, at = mutated(rng, page_of(rng))
    report = check("\n".join(lines))
    wrong = [row for row in report.rows if row.verdict not in FINE]
    assert [row.line for row in wrong] == [at + 1], "\n".join(lines)
    assert wrong[0].verdict == "wrong"
    lines[at] = f"$${wrong[0].fix}$$" if "$" in lines[at] else wrong[0].fix
    assert check("\n".join(lines)).ok, lines[at]


# --- other pages ------------------------------------------------------------------------------------------------------

FORWARD = "Z1 = W1 X + b1\nA1 = ReLU(Z1)\nZ2 = W2 A1 + b2\nA2 = softmax(Z2)\n"
BACKWARD = (
    "dZ2 = A2 - Y\ndW2 = 1/m dZ2 A1^T\ndb2 = 1/m Σ dZ2\ndZ1 = W2^T dZ2 * g'(Z1)\ndW1 = 1/m dZ1 X^T\ndb1 = 1/m Σ dZ1\n"
)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("Z2 = W2 A1 + b2", "Z2 = W2 X + b2"),
        ("Z2 = W2 A1 + b2", "Z2 = W1 A1 + b2"),
        ("Z2 = W2 A1 + b2", "Z2 = W2 A1"),
        ("A2 = softmax(Z2)", "A2 = softmax(Z1)"),
        ("A1 = ReLU(Z1)", "A1 = ReLU(Z2)"),
    ],
)
def test_a_wrong_forward_equation_is_told_by_the_others(right, wrong):
    (row,) = [row for row in check((FORWARD + BACKWARD).replace(right, wrong)).rows if row.verdict not in FINE]
    assert (row.read, row.verdict, row.fix) == (wrong, "wrong", right)


def test_what_is_missing_is_assumed_and_said():
    report = check(BACKWARD)
    assert [row.verdict for row in report.rows] == ["right"] * 6
    assert "assumed" in report.notes[0]
    assert "Z1 = W1 X + b1" in report.notes[0]


def test_the_loss_is_that_from_which_the_error_follows():
    page = "Z = W X + b\nA = σ(Z)\n"
    assert "binary cross-entropy" in str(check(page + "dZ = A - Y"))
    assert "1/(2m) Σ (A − Y)²" in str(check(page + "dZ = (A - Y) ⊙ A ⊙ (1 - A)"))
    assert "J as written" in str(check(page + "J = 1/m Σ (A - Y)^2\ndZ = 2 (A - Y) ⊙ A ⊙ (1 - A)"))
    (row,) = [row for row in check(page + "The loss is the MSE.\n\ndZ = A - Y").rows if row.verdict == "wrong"]
    assert row.name == "dZ"


def test_a_general_layer_is_every_layer():
    page = (
        "$Z^{[l]} = W^{[l]} A^{[l-1]} + b^{[l]}$\n$A^{[l]} = g(Z^{[l]})$\n"
        "$dZ^{[l]} = W^{[l+1]T} dZ^{[l+1]} * g'(Z^{[l]})$\n$dW^{[l]} = \\frac{1}{m} dZ^{[l]} A^{[l-1]T}$\n"
    )
    assert {row.verdict for row in check(page).rows} == {"right"}
    wrong = check(page.replace("W^{[l+1]T}", "W^{[l]T}"))
    assert [row.line for row in wrong.rows if row.verdict == "wrong"] == [3]


def test_a_model_file_says_what_the_notes_do_not():
    from models.mnist_two_layer import TwoLayer

    assert check(FORWARD + BACKWARD, TwoLayer).ok
    (row,) = [r for r in check(FORWARD.replace("A1 + b2", "A1") + BACKWARD, TwoLayer).rows if r.verdict != "right"]
    assert (row.name, row.verdict) == ("Z2", "wrong")


def test_a_model_of_layers_has_the_names_that_derive_gives_them():
    from models.deep_mlp import DeepMLP

    page = str(tl.derive(DeepMLP()))
    assert check(page, DeepMLP).ok
    (row,) = [r for r in check(page.replace("W3ᵀ dZ3", "W3 dZ3"), DeepMLP).rows if r.verdict not in FINE]
    assert (row.name, row.verdict) == ("dZ2", "wrong")


def test_a_model_that_is_no_network_of_notes_is_refused():
    from models.char_transformer import CharTransformer

    with pytest.raises(NotesError, match="derive"):
        check(FORWARD, CharTransformer)


@pytest.mark.parametrize(
    "line", ["dZ1 = A1 - dW1", "dZ1 = W2^T dZ2 * dW1", "dZ2 = A2 - dW2", "dZ2 = dZ1^T dZ2", "dW2 = dZ2 dW2^T"]
)
def test_a_line_that_reads_a_later_gradient_is_wrong_itself(line):
    target = line[:4]
    backward = [line if old.startswith(target) else old for old in BACKWARD.splitlines()]
    (row,) = [row for row in check(FORWARD + "\n".join(backward)).rows if row.verdict not in FINE]
    assert (row.name, row.verdict) == (target.strip(), "wrong")
    assert "given" not in row.reason
    assert "_" not in row.reason


def test_a_loss_with_1_over_m_tells_that_the_only_gradient_lacks_it():
    page = "Z1 = W1 X\nA1 = ReLU(Z1)\nJ = 1/(2m) Σ (A1 − Y)²\ndZ1 = (A1 − Y) ⊙ ReLU'(Z1)\ndW1 = dZ1 Xᵀ (3×4)"
    (row,) = [row for row in check(page).rows if row.verdict not in FINE]
    assert (row.name, row.fix) == ("dW1", "dW1 = 1/m dZ1 Xᵀ")


def test_a_chain_of_equations_defines_each_of_its_names():
    page = "z1 = W1 x + b1\ny_hat = a1 = σ(z1)\ndz1 = a1 - y\ndW1 = 1/m dz1 x^T"
    report = check(page)
    assert {row.verdict for row in report.rows} <= {*FINE}
    assert "A1 = σ(Z1)" in report.notes[0]


def test_a_power_may_be_a_layer():
    lines = [r"z^1 = W^1 x + b^1", r"a^1 = \sigma(z^1)", r"C = \frac12 \sum (a^1 - y)^2"]
    lines.append(r"\delta^1 = (a^1 - y) \odot \sigma'(z^1)")
    page = "\n\n".join(f"${line}$" for line in lines)
    assert {row.verdict for row in check(page).rows} <= {*FINE}


BACKWARD_ROWS = "dW2 = 1/m A1^T dZ2\n\ndZ1 = dZ2 W2^T * (1 - A1^2)\n\ndW1 = 1/m X^T dZ1"


@pytest.mark.parametrize(
    "page",
    [
        "$a = \\sigma(z)$\n\n$dz = a - y$\n\n$dw = \\frac{1}{m} X^T dz$",
        "dZ2 = A2 - Y\n\n" + BACKWARD_ROWS,
        BACKWARD_ROWS,
    ],
)
def test_no_line_is_wrong_because_of_what_was_assumed(page):
    assert {row.verdict for row in check(page).rows} == {"right"}


def test_what_rests_on_an_unread_equation_is_ambiguous():
    page = FORWARD.replace("Z2 = W2 A1 + b2", r"$Z_2 = \int A_1 [$") + BACKWARD.replace("dW2 = 1/m dZ2", "dW2 = 3 dZ2")
    found = {row.name: row for row in check(page).rows}
    assert found["dW2"].verdict == "ambiguous"
    assert "Z2" in found["dW2"].reason
    assert found["dZ2"].verdict == "right"


@pytest.mark.parametrize("before", [True, False])
def test_a_size_with_a_name_belongs_to_that_name(before):
    sizes = r"$W_1 \in \mathbb{R}^{64 \times 784}$, $X \in \mathbb{R}^{784 \times m}$" + "\n\nb1: 64×1, W2: 10×64\n"
    page = f"{sizes}\n{FORWARD}" if before else f"{FORWARD}\n{sizes}"
    assert {row.verdict for row in check(page).rows} == {*FINE}
    wrong = [row for row in check(page.replace(r"64 \times 784", r"784 \times 64")).rows if row.verdict == "wrong"]
    assert [row.reason for row in wrong] == ["W1 is 64×784, not 784×64 (turned)"]


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        (r"$\nabla_{W^{(2)}} J = \delta^{(2)} (a^{(1)})^T$", r"\nabla_{W^{(2)}} J = \frac{1}{m} \delta^{(2)} a^{(1)T}"),
        (r"$\frac{\partial J}{\partial b^{(2)}} = \sum \delta^{(2)}$",
         r"\frac{\partial J}{\partial b^{(2)}} = \frac{1}{m} \sum \delta^{(2)}"),
        (r"$W^{(2)} \leftarrow W^{(2)} + \eta dW^{(2)}$", r"W^{(2)} \leftarrow W^{(2)} - \eta dW^{(2)}"),
    ],
)  # fmt: skip
def test_a_repair_is_spelt_as_the_page(line, fix):
    page = [r"z^{(1)} = W^{(1)} x + b^{(1)}", r"a^{(1)} = \tanh(z^{(1)})", r"z^{(2)} = W^{(2)} a^{(1)} + b^{(2)}"]
    page += [r"a^{(2)} = \sigma(z^{(2)})", r"\delta^{(2)} = a^{(2)} - y", r"dW^{(1)} = \frac{1}{m} \delta^{(1)} x^T"]
    (row,) = [
        row for row in check("\n\n".join([*(f"${text}$" for text in page), line])).rows if row.verdict not in FINE
    ]
    assert (row.verdict, row.fix) == ("wrong", fix)


class Slope(tl.nn.Module):
    w: Float[tl.Tensor, "n 1"]

    def __init__(self):
        self.w, self.b = tl.nn.Parameter(np.zeros((4, 1))), tl.nn.Parameter(np.zeros((1, 1)))

    def loss(self, X: Float[tl.Tensor, "m n"], y: Float[tl.Tensor, "m 1"]):
        z = X @ self.w + self.b
        a = tl.sigmoid(z)
        return tl.mean(tl.square(a - y))


def test_a_model_in_lower_case_is_that_of_the_notes():
    page = "z = X w + b\n\nJ = 1/m Σ (a - y)^2\n\ndz = 2 (a - y) * a * (1 - a)\n\ndw = 1/m X^T dz\n\ndb = 1/m Σ dz"
    assert {row.verdict for row in check(page, Slope).rows} == {"right"}
    wrong = [
        row for row in check(page.replace("J = 1/m", "J = 1/(2m)").replace("dw = 1/m", "dw ="), Slope).rows if row.fix
    ]
    assert [row.fix for row in wrong] == ["J = 1/m Σ (a − y)²", "dw = 1/m X^T dz"]


@pytest.mark.parametrize("given", [None, b"Z = W X", Path("notes.md")])
def test_what_is_no_text_is_refused(given):
    with pytest.raises(TypeError, match="check_file"):
        check(given)


def test_a_path_or_no_model_is_refused():
    with pytest.raises(NotesError, match="check_file"):
        check("notes.md")
    for model, said in (
        ("mlp3.py", "nn.Module"),
        (type("Bare", (tl.nn.Module,), {"loss": lambda self, X, Y: X}), "Bare"),
    ):
        with pytest.raises(NotesError, match=said):
            check(FORWARD, model)


# --- other people's notes: right as they stand; with one change, that line alone is wrong ------------------------------

PEOPLE = sorted(path.stem for path in PAGES.glob("people_*.json"))


@pytest.mark.parametrize("name", PEOPLE)
def test_the_notes_of_other_people(name):
    page = Page(name).text
    mistakes = Page(name).info["mistakes"]
    assert [row for row in check(page).rows if row.verdict not in FINE] == []
    for old, new in mistakes:
        wrong = page.replace(old, new, 1)
        bad = [row for row in check(wrong).rows if row.verdict not in FINE]
        assert [(row.verdict, row.line) for row in bad] == [("wrong", page[: page.index(old)].count("\n") + 1)], wrong
        (row,) = bad
        mended = wrong[: row.end - len(row.text)] + row.fix + wrong[row.end :]
        assert "×" in row.fix or check(mended).ok, mended


@pytest.mark.parametrize("line", ["z = X ?? w + b", "W = W - α vW", "db = 1/m foo(dZ)"])
def test_what_is_read_in_part_is_not_judged(line):
    page = f"Z = X W + b\nA = σ(Z)\n{line}\ndZ = A - Y\ndW = 1/m X^T dZ"
    found = {row.line: row.verdict for row in check(page).rows}
    assert found[3] == "not_understood"
    assert {*found.values()} <= {*FINE, "not_understood"}


# --- the command ------------------------------------------------------------------------------------------------------


def run(*arguments):
    return CliRunner().invoke(main, ["check-notes", *map(str, arguments)])


def test_the_command_prints_json_in_the_order_of_the_document(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(FORWARD + BACKWARD.replace("db1 = 1/m Σ dZ1", "db1 = Σ dZ1"), "utf-8")
    result = run(page, "--json")
    assert result.exit_code == 1
    rows = json.loads(result.output)
    assert [row["line"] for row in rows] == list(range(1, 11))
    assert set(rows[0]) == {"line", "text", "name", "verdict", "reason", "fix"}
    assert rows[-1]["fix"] == "db1 = 1/m Σ dZ1"
    assert [row["name"] for row in rows if row["verdict"] == "wrong"] == ["db1"]
    page.write_text(FORWARD + BACKWARD, "utf-8")
    assert run(page).exit_code == 0


@pytest.mark.parametrize("suffix", ["md", "html"])
def test_an_annotated_copy_has_all_of_the_notes(tmp_path, suffix):
    out = tmp_path / f"checked.{suffix}"
    run(next(NOTES.glob("003_*")), "-o", out)
    text = out.read_text("utf-8")
    assert text.count("✗") == len([row for row in rows_of("003") if row.verdict == "wrong"])
    assert "http" not in text
    assert "mixes layers" in text
    assert ("<math" in text) == (suffix == "html")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "empty"), (b"\x00\xff\xfe", "no text"), (b"a\x00b = c", "binary"), (b"Only words.", "no equation")],
)
def test_notes_that_are_none(tmp_path, content, message):
    page = tmp_path / "page.md"
    page.write_bytes(content)
    result = run(page)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output


def test_notes_that_are_missing(tmp_path):
    result = run(tmp_path / "nowhere.md")
    assert result.exit_code == 2
    assert "no such file" in result.output
    with pytest.raises(NotesError, match="empty"):
        check("  \n")


def test_mutated_pages_never_crash():
    rng = random.Random(0)
    pages = [path.read_text("utf-8") for path in NOTES.glob("*.md")]
    for _ in range(6):
        lines = rng.choice(pages).splitlines()
        rng.shuffle(lines)
        text = list("\n".join(lines[: len(lines) // 2]))
        for _ in range(8):
            text[rng.randrange(len(text))] = rng.choice("=+-WZAb12^{}[]T$ ")
        check("".join(text) + "\n$W = 1$")


def test_words_may_be_names() -> None:
    page = """
hidden = tanh(X W1 + b1)
scores = hidden W2 + b2
probs = softmax(scores)

dscores = probs - Y
dW2 = 1/m hidden^T dscores
dhidden = dscores W2^T
dZ1 = dhidden * (1 - hidden)
"""
    found = {row.name: row.verdict for row in check(page).rows}
    assert found.pop("dZ1") == "wrong"
    assert set(found.values()) == {"right", "definition"}
    assert len(found) == 6


FOUND_BY_FUZZING = [
    "A^{[0}=X ad W^{2}=\\text{eLU}(n)",
    "Z^{1}=A^{0}b{[1]}$Z^{2}=W^{2}$b^{2}=b^{1}delta^{2}$b^{2}=b^{2}-alpha\\delta b^{2}",
    "alpha=W{[2]}$=  b^{2}=b^{2}alpha\\delta ^{2}",
    "A^{[0}=(7.T\\times m)",
]


@pytest.mark.parametrize("text", FOUND_BY_FUZZING)
def test_no_network_that_a_page_may_mean_raises(text: str) -> None:
    assert check(text).rows
