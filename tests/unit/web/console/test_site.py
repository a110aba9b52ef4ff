"""The parts that handlers share: templates are compiled again only if a file has changed."""

from __future__ import annotations

from pathlib import Path

from notify.settings import Settings
from notify.web.console.checks import BackgroundCheck, ConsoleChecks
from notify.web.console.site import TEMPLATES_FRESH, ConsoleSite
from tests.support.clocks import Clock
from tests.support.console import FixedOverview
from tests.support.migrated import migrated


def test_templates_are_compiled_again_only_if_a_file_has_changed(tmp_path: Path) -> None:
    """A compilation of all files takes 0.1 s of CPU; a changed, new or removed file counts."""
    folder = tmp_path / "templates"
    subject = folder / "greeting" / "email.subject.j2"
    subject.parent.mkdir(parents=True)
    subject.write_text("Hello")
    (subject.parent / "email.text.j2").write_text("Hello!")
    settings = Settings.model_validate({"templates": {"folder": str(folder)}})
    store = migrated(f"sqlite:///{tmp_path}/notify.db")
    checks = ConsoleChecks(BackgroundCheck(list), BackgroundCheck(list))  # type: ignore[arg-type]
    clock = Clock()
    site = ConsoleSite(settings, store, FixedOverview(settings), checks, monotonic=clock)
    first = site.templates()

    clock.pass_(TEMPLATES_FRESH)
    assert site.templates() is first

    subject.write_text("Good morning")
    assert site.templates() is first
    clock.pass_(TEMPLATES_FRESH)
    changed = site.templates()
    assert changed is not first

    clock.pass_(TEMPLATES_FRESH)
    assert site.templates() is changed

    (folder / "greeting" / "email.html.j2").write_text("<p>Hello</p>")
    clock.pass_(TEMPLATES_FRESH)
    more = site.templates()
    assert more is not changed

    subject.unlink()
    clock.pass_(TEMPLATES_FRESH)
    assert site.templates() is not more
    store.close()
