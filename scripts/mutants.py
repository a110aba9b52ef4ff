"""
Break the code at random places, one at a time, and count the breaks that the tests notice.

    make mutants                                            # 20 minutes, seed 1
    make mutants ARGS='--minutes 60 --seed 7 --only notify/store'

The same seed breaks the same places of the same code in the same order. Each break is made in a
copy of the checkout, and judged by the tests that scripts/mutants.toml names for its module: first
those that need no PostgreSQL, then the others. A survivor is a test to write, or code to delete.
"""

from __future__ import annotations

import argparse
import difflib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from mutations import Mutant, sample

ROUNDS = ("not postgresql", "postgresql")
NOTHING_COLLECTED = 5
LIMIT = 600.0
"""Seconds for the tests of one break; a longer run counts as a hang, which is noticed."""
HOME = Path(__file__).parents[1]


@dataclass(slots=True)
class Tally:
    """The number of breaks made and noticed, by package; thread-safe."""

    made: Counter[str] = field(default_factory=Counter)
    noticed: Counter[str] = field(default_factory=Counter)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def note(self, mutant: Mutant, *, noticed: bool, diff: str) -> None:
        """Count and print one break; show the change of a survivor."""
        package = mutant.module.parts[1]
        with self._turn:
            self.made[package] += 1
            self.noticed[package] += noticed
            word = "noticed " if noticed else "SURVIVED"
            _say(f"{word} {mutant.module}:{mutant.line} {mutant.operator}")
            if not noticed:
                _say(diff)

    def lines(self) -> Iterator[str]:
        """Print the noticed share, of each package and of all."""
        for package in (*self.made, ""):
            made = self.made[package] if package else self.made.total()
            noticed = self.noticed[package] if package else self.noticed.total()
            share = 100 * noticed / made if made else 0.0
            yield f"{package or 'all':10} mutants={made} killed={noticed} share={share:.1f}%"


def main() -> int:
    """Break and test until the time is up; always return 0, since a survivor is not a failure."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="notify-mutants-") as folder:
        # The checkout may change during the run.
        tree = _copy(options.tree, Path(folder) / "whole")
        tally = _run(options, tree, Path(folder))
    _say("\n".join([f"seed={options.seed}", *tally.lines()]))
    return 0


def _run(options: argparse.Namespace, tree: Path, folder: Path) -> Tally:
    table = tomllib.loads((HOME / "scripts" / "mutants.toml").read_text())
    modules = [
        module
        for package in table["packages"]
        for path in sorted((tree / "notify" / package).rglob("*.py"))
        if not {"migrations", "tables"} & set(path.parts)
        if str(module := path.relative_to(tree)).startswith(options.only)
    ]
    chance = random.Random(options.seed)  # noqa: S311 - a sample, not a secret
    mutants = sample(tree, modules, chance=chance)
    turn, tally = threading.Lock(), Tally()
    end = time.monotonic() + 60 * options.minutes

    def next_one() -> Mutant | None:
        with turn:
            done = time.monotonic() > end or tally.made.total() >= options.most
            return None if done else next(mutants, None)

    def work(number: int) -> None:
        copy = _copy(tree, folder / f"tree-{number}")
        while (mutant := next_one()) is not None:
            tests = _tests(table["group"], mutant.module, copy)
            noticed = _noticed(copy, mutant, tests, python=options.python)
            tally.note(mutant, noticed=noticed, diff=_diff(tree, mutant))

    with ThreadPoolExecutor(options.jobs) as pool:
        for each in [pool.submit(work, number) for number in range(options.jobs)]:
            each.result()
    return tally


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _noticed(copy: Path, mutant: Mutant, tests: Sequence[str], *, python: Path) -> bool:
    """Apply the break to the copy, run the tests, and revert it."""
    module = copy / mutant.module
    whole = module.read_text()
    _put(module, mutant.code)
    try:
        return any(_fails(copy, tests, word, python=python) for word in ROUNDS)
    finally:
        _put(module, whole)


def _put(module: Path, code: str) -> None:
    """Replace a module, and its compiled file, which Python matches by second and size only."""
    module.write_text(code)
    for compiled in module.parent.glob(f"__pycache__/{module.stem}.*.pyc"):
        compiled.unlink()


def _fails(copy: Path, tests: Sequence[str], which: str, *, python: Path) -> bool:
    options = ["-x", "-q", "-p", "no:cacheprovider", "-k", which, *tests]
    process = subprocess.Popen(  # noqa: S603 - the project's own tests
        [python, "-m", "pytest", *options],
        cwd=copy,
        # All examples of the property tests; and a missing service must not look like a survivor.
        env={**os.environ, "CI": "true"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return process.wait(LIMIT) not in (0, NOTHING_COLLECTED)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True


def _copy(tree: Path, to: Path) -> Path:
    """Copy a checkout without generated files."""
    left_out = shutil.ignore_patterns(".*", "__pycache__", "build", "dist")
    return Path(shutil.copytree(tree, to, ignore=left_out))


def _tests(groups: Sequence[Mapping[str, list[str]]], module: Path, copy: Path) -> list[str]:
    """Return the tests of a module's group that this checkout has."""
    for group in groups:
        if any(fnmatch(str(module), pattern) for pattern in group["modules"]):
            return [test for test in group["tests"] if (copy / test).exists()]
    raise LookupError(f"scripts/mutants.toml names no tests for {module}")


def _diff(tree: Path, mutant: Mutant) -> str:
    whole = (tree / mutant.module).read_text().splitlines()
    lines = difflib.unified_diff(whole, mutant.code.splitlines(), n=0, lineterm="")
    return "\n".join(f"    {line}" for line in lines if not line.startswith(("---", "+++", "@@")))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make mutants", description="Break code; count who sees.")
    parser.add_argument("--minutes", type=float, default=20.0, help="begin no break after these")
    parser.add_argument("--most", type=int, default=10_000, help="make no more breaks than this")
    parser.add_argument("--seed", type=int, default=1, help="which places are broken")
    parser.add_argument("--jobs", type=int, default=2, help="how many are tested side by side")
    parser.add_argument("--only", default="", help="modules whose path begins so: notify/store")
    parser.add_argument("--tree", type=Path, default=HOME, help="another checkout to break")
    parser.add_argument("--python", type=Path, default=HOME / ".venv/bin/python")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
