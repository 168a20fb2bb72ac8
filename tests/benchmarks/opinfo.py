"""Hold every op to PyTorch on all samples of its operator database; exit code 1 if anything differs that no row allows.

    python -m tests.benchmarks.opinfo                  # the whole, minutes; the totals come last
    python -m tests.benchmarks.opinfo softmax var      # these entries of the database
    python -m tests.benchmarks.opinfo --phase special  # one phase

It needs the extra `peers`.
"""

from __future__ import annotations

import argparse
from collections import Counter

import torch

from tests.peers.opinfo.judge import OUTCOMES, judge
from tests.peers.opinfo.samples import cases, infos

WRONG = ("differ", "crash", "refused")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--phase")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    entries = [info for info in infos() if not asked.names or info.name in asked.names]
    counts: dict[str, Counter[str]] = {}
    rows: Counter[str] = Counter()
    for info in entries:
        for phase, made in cases(info).items():
            if asked.phase not in (None, phase):
                continue
            for case in made():
                said = judge(info, phase, case)
                counts.setdefault(phase, Counter())[said.outcome] += 1
                rows[said.row] += bool(said.row)
                if said.outcome in WRONG:
                    print(said, flush=True)
    for row, count in rows.most_common():
        if count:
            print(f"{count:6} {row}")
    print(f"\n{len(entries)} entries of the database, {len({info.name for info in entries})} names\n")
    print(f"| phase | run | {' | '.join(OUTCOMES)} |\n|---|{'---|' * (len(OUTCOMES) + 1)}")
    whole = sum(counts.values(), Counter())
    for phase, found in {**counts, "all": whole}.items():
        print(f"| {phase} | {found.total()} | {' | '.join(str(found[outcome]) for outcome in OUTCOMES)} |")
    return int(any(whole[outcome] for outcome in WRONG))


if __name__ == "__main__":
    raise SystemExit(main())
