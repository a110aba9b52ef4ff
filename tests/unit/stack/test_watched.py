"""A folder that is watched while others write in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from notify.stack.watched import Watched


def test_a_folder_that_vanishes_while_it_is_read_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An editor's folder of its own comes and goes; `notify up` must outlive it."""

    def vanishing(folder: Path, pattern: str) -> Iterator[Path]:
        yield from folder.glob(pattern)
        raise FileNotFoundError(folder / "gone")

    (tmp_path / "a").write_text("a")
    monkeypatch.setattr(Path, "rglob", vanishing)
    watched = Watched(tmp_path)
    assert not watched.changed()
    (tmp_path / "b").write_text("b")
    assert watched.changed()
