"""Compare the engine with Helm on charts that Hypothesis makes up: `make fuzz CASES=20000`.

Every case goes through Helm's own packages and twice through ours: executed as it is parsed, and
compiled. Output, notes and refusals must be the same bytes. A difference is made as small as
Hypothesis can make it and printed; the last result is kept in tests/oracle/fuzz/result.json.

`--record` writes cases with Helm's answers instead, for the sample that needs no Go.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.metadata import version
from pathlib import Path

import hypothesis
from hypothesis import HealthCheck, Phase, settings

from bench import helm_program
from tests.fuzz.case import Case, Outcome
from tests.fuzz.charts import cases
from tests.fuzz.sides import Helm, ours
from tools.controlplane.cluster import ROOT

FOLDER = ROOT / "tests" / "oracle" / "fuzz"
BATCH = 250
ASKED_AGAIN = 12
SHOWN = 2  # differences that are made small
LARGEST_RECORD = 9_000  # bytes


Compared = Callable[[Case], None]


class Fuzz:
    """One run: what was tried, and which cases of which batches differed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.count: Counter[str] = Counter()
        self.different: list[int] = []

    def run(self, wanted: int, workers: int) -> None:
        """Try so many cases, in batches that can be tried again one by one."""
        sizes = [min(BATCH, wanted - begin) for begin in range(0, wanted, BATCH)]
        with ProcessPoolExecutor(workers) as pool:
            tried = pool.map(partial(batch, self.seed), range(len(sizes)), sizes)
            for number, count in enumerate(tried):
                self.count += count
                self.different += [number] * count["different"]
                print(f"{self.count['cases']}: {len(self.different)} differ", flush=True)

    def smallest(self) -> Iterator[dict[str, object]]:
        """The first differences, one a batch, as small as they can be made."""
        with Helm() as helm:
            for number in list(dict.fromkeys(self.different))[:SHOWN]:
                found: list[Case] = []
                try:
                    generate(_failing(helm, found), f"{self.seed}/{number}", BATCH, shrink=True)
                except AssertionError:
                    answer = helm.render(found[-1])
                    yield {
                        "case": found[-1].as_record(),
                        "helm": answer.as_record() if answer else None,
                        "ours": [one.as_record() for one in ours(found[-1])],
                    }


def batch(seed: int, number: int, wanted: int) -> Counter[str]:
    """Try the cases of one batch; this is what a worker process does."""
    count: Counter[str] = Counter()

    def attempt(case: Case) -> None:
        count["cases"] += 1
        answer = helm.render(case)
        if answer is None or answer.crashed:
            count["late" if answer is None else "crashed"] += 1
            return
        count["refused" if answer.error else "rendered"] += 1
        count[_compared(helm, case, answer)] += 1

    with Helm() as helm:
        generate(attempt, f"{seed}/{number}", wanted)
    return count


def _compared(helm: Helm, case: Case, answer: Outcome) -> str:
    """Whether both of ours are what Helm says or, where Go's maps decide, what Helm may say."""
    outcomes = set(ours(case))
    if outcomes == {answer}:
        return "same"
    answers = {answer, *filter(None, (helm.render(case) for _ in range(ASKED_AGAIN)))}
    return "undecided" if outcomes <= answers else "different"


def _failing(helm: Helm, found: list[Case]) -> Compared:
    def check(case: Case) -> None:
        answer = helm.render(case)
        if answer is None or answer.crashed:
            return
        if _compared(helm, case, answer) == "different":
            found.append(case)
            raise AssertionError

    return check


def generate(attempt: Compared, seed: str, wanted: int, *, shrink: bool = False) -> None:
    """Let Hypothesis make up cases; the same seed gives the same ones."""
    phases = [Phase.generate, Phase.shrink] if shrink else [Phase.generate]
    test = settings(
        max_examples=wanted,
        database=None,
        deadline=None,
        phases=phases,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )(hypothesis.seed(seed)(hypothesis.given(cases())(attempt)))
    test()


def record(helm: Helm, seed: int, wanted: int) -> None:
    """Write the sample: cases that are not too long, each with what Helm said."""
    lines: list[str] = []

    def keep(case: Case) -> None:
        answer = helm.render(case)
        if answer is None or answer.crashed or len(lines) >= wanted:
            return
        if any(helm.render(case) != answer for _ in range(3)):
            return
        line = as_line(case, answer)
        if len(line) < LARGEST_RECORD:
            lines.append(line)

    generate(keep, f"{seed}", wanted * 2)
    (FOLDER / "sample.jsonl").write_text("".join(lines), "utf-8")
    print(f"{len(lines)} cases recorded")


def as_line(case: Case, answer: Outcome) -> str:
    """One line of a file of cases; what is as usual is left out."""
    usual = Case({}).as_record()
    told = {key: value for key, value in case.as_record().items() if value != usual[key]}
    return json.dumps(told | answer.as_record(), separators=(",", ":")) + "\n"


def keep(path: Path, fuzz: Fuzz, seconds: float) -> None:
    """Write down what a run was and what it found."""
    result = {
        "seed": fuzz.seed,
        **{
            name: fuzz.count[name]
            for name in ("cases", "rendered", "refused", "undecided", "crashed", "late")
        },
        "differences": len(fuzz.different),
        "seconds": round(seconds),
        "smallest": list(fuzz.smallest()),
        "on": {
            "helm": helm_program.version(),
            "hypothesis": version("hypothesis"),
            "python": platform.python_version(),
        },
    }
    path.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    for one in result["smallest"]:
        print(json.dumps(one, indent=1))
    print(json.dumps(result | {"smallest": len(result["smallest"])}))


def main() -> None:
    """Run once; the exit code is 1 if anything differed."""
    parser = argparse.ArgumentParser(prog="python -m bench.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--record", action="store_true", help="write the sample anew")
    parser.add_argument("--result", type=Path, default=FOLDER / "result.json")
    given = parser.parse_args()
    if given.record:
        with Helm() as helm:
            record(helm, given.seed, given.cases)
        return
    helm_program.built("charts")
    fuzz = Fuzz(given.seed)
    begun = time.monotonic()
    fuzz.run(given.cases, given.workers)
    keep(given.result, fuzz, time.monotonic() - begun)
    sys.exit(bool(fuzz.different))


if __name__ == "__main__":
    main()
