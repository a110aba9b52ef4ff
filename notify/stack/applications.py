"""The part of RabbitMQ's installation that a private node needs."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

_NEEDS = re.compile(r"\{applications,\s*\[([^\]]*)\]")


def link_needed(plugins: Path, folder: Path) -> None:
    """
    Link RabbitMQ's own application, and those that it needs, from `plugins` into `folder`.

    A node looks for each module that it loads in every folder of plugins, enabled or not: with the
    60 of Debian's package that is a third of a start's CPU time.

    Args:
        plugins: RabbitMQ's folder of applications, each in a folder `<name>-<version>`.
        folder: Where to link them. Older links, perhaps to a version that is gone, are removed.
    """
    installed = {each.name.rpartition("-")[0]: each for each in plugins.glob("*-*")}
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    needed = ["rabbit"]
    # The list grows while it is read.
    for name in needed:
        (folder / installed[name].name).symlink_to(installed[name])
        description = (installed[name] / "ebin" / f"{name}.app").read_text()
        for each in re.split(r"[\s,]+", " ".join(_NEEDS.findall(description))):
            # Erlang's own are not among the plugins.
            if each in installed and each not in needed:
                needed.append(each)
