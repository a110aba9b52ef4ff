"""`make faults`: every drill in turn, and the table of their results."""

from __future__ import annotations

import argparse
import math
import shutil
import sys
import tempfile
from pathlib import Path

from tests.faults.drills import DRILLS, QUICK
from tests.faults.receipts.drills import RECEIPT_DRILLS
from tests.faults.receipts.report import MARKS, receipt_line, receipt_sums, receipt_table
from tests.faults.receipts.run import ReceiptResult
from tests.faults.report import last_line, line, put, table, write
from tests.faults.run import RESUMED_WITHIN, Result
from tests.faults.session import Session

GUARANTEES = Path(__file__).parents[2] / "docs" / "guarantees.md"


def main() -> int:
    """Play the selected drills; return 1 if any broke a promise or could not be played."""
    options = _options()
    drills = QUICK if options.quick else DRILLS
    names = [name for name in drills if options.only in name]
    of_receipts = [] if options.quick else [name for name in RECEIPT_DRILLS if options.only in name]
    folder = Path(tempfile.mkdtemp(prefix="notify-faults-"))
    print(f"ledgers and logs, kept unless all is well: {folder}", flush=True)
    # The short set runs for each change, also on busy machines, so it checks no times.
    within = math.inf if options.quick else RESUMED_WITHIN
    count = len(names) + len(of_receipts)
    results: list[Result] = []
    receipts: list[ReceiptResult] = []
    with Session(folder, within=within) as session:
        for number, name in enumerate(names, 1):
            result = session.play(drills[name])
            results.append(result)
            print(f"{number:2}/{count} {line(result)}", flush=True)
            for violation in result.violations[:10]:
                print(f"      ! {violation}", flush=True)
        for number, name in enumerate(of_receipts, len(names) + 1):
            reported = session.play_receipts(RECEIPT_DRILLS[name])
            receipts.append(reported)
            print(f"{number:2}/{count} {receipt_line(reported)}", flush=True)
    print(f"\n{table(results)}\n\n{receipt_table(receipts)}\n")
    if names == list(DRILLS):
        write(GUARANTEES, results)
    if of_receipts == list(RECEIPT_DRILLS):
        put(GUARANTEES, receipt_table(receipts), between=MARKS)
    good = all([*(each.good for each in results), *(each.good for each in receipts)])
    if good:
        shutil.rmtree(folder)
    print(last_line(results) + (receipt_sums(receipts) if receipts else ""))
    return int(not good)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument(
        "--only", default="", help="run the drills whose name holds this text; write no page"
    )
    parser.add_argument(
        "--quick", action="store_true", help="run a short set, in under 4 minutes; write no page"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
