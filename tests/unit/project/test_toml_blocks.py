"""The configuration that pages show can be pasted: each block is valid TOML."""

from __future__ import annotations

import re
import textwrap
import tomllib
from pathlib import Path

from tests.support.tables import each_of

ROOT = Path(__file__).parents[3]
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md", "systemd/*.md")
    for page in ROOT.glob(pattern)
    if "```toml" in page.read_text()
)


@each_of("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_block_can_be_read(page: Path) -> None:
    """Python 3.11 reads TOML 1.0: an inline table with a line break is a mistake there."""
    for block in re.findall(r"^ *```toml\n(.*?)^ *```", page.read_text(), re.MULTILINE | re.DOTALL):
        assert tomllib.loads(textwrap.dedent(block))
