"""The scoreboard: how much of the corpus is read, judged, blamed and repaired as it should be, and how long that takes.

python -m tests.benchmarks.scoreboard [pages|programs|code] [NAME …] [-v] [--write]

With -v, everything that is not as it should be is printed too.  --write stores the counts in tests/corpus/scores.json,
unless one of them has become worse.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from . import page_scores, program_scores

CORPUS = Path(__file__).parents[1] / "corpus"
SCORES = CORPUS / "scores.json"
SCORERS = {"pages": page_scores.score, "programs": program_scores.score, "code": program_scores.score}
SIZES = {"pages", "rows", "programs", "mistakes"}
LOW = {"refused", "alarms", "missed", "dropped"}  # the other counts are the better the higher they are
Counts = Mapping[str, int]


def names_of(corpus: str) -> list[str]:
    """The pages or programs of a corpus."""
    return sorted(path.stem for path in (CORPUS / corpus).glob("*.json"))


def stored() -> dict[str, dict[str, dict[str, int]]]:
    """The counts by corpus and name."""
    found: dict[str, dict[str, dict[str, int]]] = json.loads(SCORES.read_text("utf-8")) if SCORES.exists() else {}
    return found


def total(counts: Iterable[Counts]) -> Counter[str]:
    """The counts of several names, summed."""
    found: Counter[str] = Counter()
    for each in counts:
        found.update(each)
    return found


def worse(now: Counts, before: Counts) -> list[str]:
    """The counts that are not as good as they were."""
    return [
        f"{word}: {now[word]}, was {old}"
        for word, old in before.items()
        if word not in SIZES and (now[word] > old if word in LOW else now[word] < old)
    ]


def scored(corpus: str, names: list[str], verbose: bool = False) -> dict[str, dict[str, int]]:
    """Score some names of a corpus on two processes, and print the sums and the times."""
    found, seconds = {}, []
    with ProcessPoolExecutor(2) as pool:
        for name, (counts, times, said) in zip(
            names, pool.map(SCORERS[corpus], [corpus] * len(names), names), strict=True
        ):
            found[name] = counts
            seconds += times
            for line in said if verbose else ():
                print(line, flush=True)
    sums = "  ".join(f"{word} {n}" for word, n in total(found.values()).items())
    print(f"{corpus}: {sums}; seconds of process time: median {statistics.median(seconds):.2f}, max {max(seconds):.1f}")
    return found


def main(arguments: list[str] | None = None) -> int:
    """Score what is asked for; the exit code is 1 where a count is worse than the one that is stored."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", nargs="?", choices=list(SCORERS))
    parser.add_argument("names", nargs="*")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_intermixed_args(arguments)
    before, failed = stored(), False
    for corpus in [asked.corpus] if asked.corpus else SCORERS:
        now = scored(corpus, asked.names or names_of(corpus), asked.verbose)
        old = before.setdefault(corpus, {})
        known = [name for name in now if name in old]
        fallen = worse(total(now[name] for name in known), total(old[name] for name in known))
        for line in fallen:
            print(f"{corpus}: worse: {line}")
        failed |= bool(fallen)
        old.update({} if fallen else now)
    if asked.write:
        SCORES.write_text(_json(before), "utf-8")
    return int(failed)


def _json(scores: Mapping[str, Mapping[str, Counts]]) -> str:
    """The counts as JSON, a line for each name."""
    corpora = (
        f'"{corpus}": {{\n' + ",\n".join(f'  "{name}": {json.dumps(rows[name])}' for name in sorted(rows)) + "\n }"
        for corpus, rows in scores.items()
    )
    return "{\n " + ",\n ".join(corpora) + "\n}\n"


if __name__ == "__main__":
    sys.exit(main())
