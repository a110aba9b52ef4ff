"""Of RabbitMQ's installation, a private node is given what it needs."""

from __future__ import annotations

from pathlib import Path

from notify.stack.applications import link_needed


def _application(plugins: Path, name: str, needs: str, *, version: str = "1.0") -> None:
    folder = plugins / f"{name}-{version}" / "ebin"
    folder.mkdir(parents=True)
    (folder / f"{name}.app").write_text(f"{{application, '{name}', [\n\t{needs}\n]}}.\n")


def test_what_is_needed_is_linked_and_nothing_else(tmp_path: Path) -> None:
    """An application that a needed one needs is linked too; a plugin is not."""
    plugins, folder = tmp_path / "installed", tmp_path / "linked"
    _application(
        plugins, "rabbit", "{applications, [kernel,ra,\n  rabbit_common]}", version="3.1.8"
    )
    _application(plugins, "ra", "{vsn,[]}, {applications,[kernel, aten,\n\tsasl]}, {env,[]}")
    _application(plugins, "aten", "{applications,[ra]}")
    _application(plugins, "rabbit_common", "{applications, []}, {modules,[ra,cowboy]}")
    _application(plugins, "rabbitmq_management", "{applications, [rabbit,cowboy]}")
    _application(plugins, "cowboy", "{applications, []}")
    folder.mkdir()
    (folder / "ra-0.9").symlink_to(plugins / "ra-0.9")
    (plugins / "README").write_text("Put your EZs here.\n")
    link_needed(plugins, folder)
    names = {each.name for each in folder.iterdir()}
    assert names == {"rabbit-3.1.8", "ra-1.0", "aten-1.0", "rabbit_common-1.0"}
    assert (folder / "ra-1.0" / "ebin" / "ra.app").exists()
