"""Check mutated and invented pages of notes: how many raise an error, and which take longest.

python -m tests.benchmarks.fuzz [pages] [seed]
"""

from __future__ import annotations

import random
import sys
import traceback
from time import process_time

from tests.test_notes_reading import BITS, NOTES, mutated
from tinygrad_lite.notes import NotesError, check

LIMIT = 1.0  # seconds of the processor for a page


def main(count: int = 100_000, seed: int = 0) -> None:
    """Print every page that raises anything but NotesError or takes more than a second, and the totals."""
    rng = random.Random(seed)
    pages = [path.read_text(encoding="utf-8") for path in sorted(NOTES.glob("*.md"))]
    check("Z1 = W1 X + b1, A1 = sigmoid(Z1)\n\ndZ1 = A1 - Y")  # what is loaded once is loaded
    errors = slow = rows = 0
    times: list[float] = []
    for number in range(count):
        page = rng.choice(pages)
        match number % 8:
            case 0:
                page = "".join(rng.choice(BITS) for _ in range(rng.randint(1, 60)))
            case 1:
                page = mutated(rng, page)
            case _:
                begin = rng.randrange(len(page))
                page = mutated(rng, page[begin : begin + rng.choice([100, 300, 600])])
        begun = process_time()
        try:
            rows += len(check(page).rows)
        except NotesError:
            pass
        except Exception:
            errors += 1
            print(f"page {number} raises:\n{page!r}")
            traceback.print_exc(file=sys.stdout)
        times.append(process_time() - begun)
        if times[-1] > LIMIT:
            slow += 1
            print(f"page {number} takes {times[-1]:.2f} s:\n{page!r}")
        sys.stdout.flush()
    times.sort()
    print(
        f"{count:,} pages, {rows:,} rows, {errors} errors, {slow} over {LIMIT:g} s; "
        f"median {1000 * times[count // 2]:.1f} ms, longest {times[-1]:.2f} s"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
