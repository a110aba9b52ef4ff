"""The results of the receipts' drills, as lines and as a table in docs/guarantees.md."""

from __future__ import annotations

from collections.abc import Sequence

from tests.faults.receipts.run import ReceiptResult

MARKS = (
    "<!-- receipt drills: written by make faults -->",
    "<!-- end of receipt drills -->",
)
_HEAD = (
    "| fault | receipts answered 2xx | lost | counted twice | wrong status | requests repeated |\n"
    "|---|---:|---:|---:|---:|---:|"
)


def receipt_line(result: ReceiptResult) -> str:
    """Return one drill's result in a line."""
    return (
        f"{'ok  ' if result.good else 'FAIL'} {result.drill.name:42}"
        f" taken={result.taken} lost={result.lost} twice={result.twice} wrong={result.wrong}"
        f" refused={result.refused} took={result.took:.0f}s{_why(result)}"
    )


def receipt_table(results: Sequence[ReceiptResult]) -> str:
    """Return all results as a Markdown table."""
    return "\n".join([_HEAD, *map(_row, results)])


def receipt_sums(results: Sequence[ReceiptResult]) -> str:
    """Return the sums, to follow those of the other drills."""
    return (
        f" receipts={sum(each.taken for each in results)}"
        f" receipts_lost={sum(each.lost for each in results)}"
        f" receipts_twice={sum(each.twice for each in results)}"
        f" receipts_wrong={sum(each.wrong for each in results)}"
    )


def _row(result: ReceiptResult) -> str:
    fault = result.drill.name.removeprefix("receipts: ")
    if result.obstacle:
        return f"| {fault} | not played: {result.obstacle} | | | | |"
    return (
        f"| {fault} | {result.taken:,} | {result.lost} | {result.twice} | {result.wrong}"
        f" | {result.refused} |"
    )


def _why(result: ReceiptResult) -> str:
    return f" ({result.obstacle})" if result.obstacle else ""
