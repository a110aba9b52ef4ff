"""A boot test's results, as its last line and as the section in docs/guarantees.md."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.faults.report import put


def marks(release: str) -> tuple[str, str]:
    """Return the text before and after the section of a Debian release."""
    return (
        f"<!-- boot on Debian {release}: written by make boot-test -->",
        f"<!-- end of boot on Debian {release} -->",
    )


@dataclass(frozen=True, slots=True)
class Figures:
    """The measured times and counts."""

    sigkill: float
    """Seconds from a worker's kill -9 until its channel sends again."""
    hang: float
    """Seconds from a worker's last heartbeat until its channel sends again."""
    restarts: int
    published: int
    lost: int
    duplicates: int
    denied: int
    """Forbidden actions that were tried in a worker's sandbox, and refused."""


def last_line(figures: Figures) -> str:
    """Return the sums in one line."""
    return (
        f"boot: sigkill_s={figures.sigkill:.1f} hang_s={figures.hang:.1f}"
        f" restarts={figures.restarts} lost={figures.lost} duplicates={figures.duplicates}"
        f" probes_denied={figures.denied} published={figures.published}"
    )


def section(figures: Figures) -> str:
    """Return all figures as a Markdown table."""
    rows = {
        "a worker is killed (kill -9): until its channel sends again": f"{figures.sigkill:.1f} s",
        "a worker hangs (SIGSTOP): until the watchdog has replaced it and it sends": (
            f"{figures.hang:.1f} s"
        ),
        f"{figures.restarts} times `systemctl restart notify.target` under load: published": (
            f"{figures.published:,}"
        ),
        "lost": f"{figures.lost}",
        "sent twice": f"{figures.duplicates}",
        "forbidden things tried in a worker's sandbox, and refused": f"{figures.denied}",
    }
    lines = [f"| {what} | {value} |" for what, value in rows.items()]
    return "\n".join(["| | |", "|---|---:|", *lines, "", f"`{last_line(figures)}`"])


def write(page: Path, figures: Figures, *, release: str) -> None:
    """Replace the section of a Debian release on a page."""
    put(page, section(figures), between=marks(release))
