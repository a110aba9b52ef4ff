"""Links between the pages of the project lead to a file and a heading that exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.tables import each_of

ROOT = Path(__file__).parents[3]
PATTERNS = ["*.md", "docs/**/*.md", "examples/**/*.md", "benchmarks/*.md", "systemd/*.md"]
PAGES = sorted(page for pattern in PATTERNS for page in ROOT.glob(pattern))


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings."""
    titles = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S), re.M)
    plain = [re.sub(r"[^\w -]", "", title.lower()) for title in titles]
    return {title.replace(" ", "-") for title in plain}


def broken(page: Path, text: str) -> Iterator[str]:
    """Yield the links of a page's text that lead nowhere."""
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (anchor and anchor not in anchors(file.read_text())):
            yield target


@each_of("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_has_a_target(page: Path) -> None:
    """A renamed file or heading must not leave a dead link."""
    assert list(broken(page, page.read_text())) == []


def test_a_link_to_a_missing_heading_or_file_is_found() -> None:
    """The check above is not vacuous."""
    text = "[a](docs/gone.md) [b](docs/guarantees.md#gone) [c](docs/guarantees.md#promised)"
    found = list(broken(ROOT / "README.md", text))
    assert found == ["docs/gone.md", "docs/guarantees.md#gone"]
