"""`make bench-flow`: flow control of a whole fleet, compared to its targets."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.flow.figures import Figure, Result
from benchmarks.flow.report import BEGIN, END, last_line, line, section, table
from benchmarks.flow.scenes import SCENES, Scene
from benchmarks.flow.stage import staged
from notify.errors import NotifyError
from tests.faults.report import put
from tests.faults.stage import Services, services

PAGE = Path(__file__).parents[1] / "README.md"


def main() -> int:
    """Play the selected scenes; return 1 if any missed a target."""
    options = _options()
    scenes = _chosen(options)
    folder = Path(tempfile.mkdtemp(prefix="notify-flow-"))
    print(f"ledgers and logs, kept if a target is missed: {folder}", flush=True)
    results: list[Result] = []
    with services(folder) as shared:
        for number, scene in enumerate(scenes, 1):
            result = play(scene, shared, folder / f"{number:02}", quick=options.quick)
            results.append(result)
            print(f"{number:2}/{len(scenes)} {line(result)}", flush=True)
            for fault in result.faults[:10]:
                print(f"      ! {fault}", flush=True)
    print(f"\n{table(results)}\n")
    if not (options.only or options.quick):
        put(PAGE, section(results), between=(BEGIN, END))
    good = all(result.good for result in results)
    if good:
        shutil.rmtree(folder)
    print(last_line(results))
    return int(not good)


def play(scene: Scene, shared: Services, folder: Path, *, quick: bool) -> Result:
    """Play one scene on running services, which stay up."""
    began = time.monotonic()
    figures: Sequence[Figure] = ()
    with staged(shared, folder, scene.terms, quick=quick) as stage:
        try:
            figures = scene.play(stage)
        except (NotifyError, RuntimeError, OSError, subprocess.TimeoutExpired) as error:
            stage.faults.append(f"the scene broke off: {error!r}")
        faults = stage.faults
    return Result(scene.name, figures, faults, time.monotonic() - began)


def _chosen(options: argparse.Namespace) -> list[Scene]:
    """Return the scenes selected by name, or the short set, or all."""
    if options.only:
        scenes = [scene for scene in SCENES.values() if options.only in scene.name]
        if not scenes:
            raise SystemExit(f"no scene's name holds {options.only!r}: {', '.join(SCENES)}")
        return scenes
    return [scene for scene in SCENES.values() if scene.quick or not options.quick]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flow", description=__doc__)
    parser.add_argument(
        "--only", default="", help="play the scenes whose name holds this text; write no page"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="play a short set, each scene for less long, in under 4 minutes; write no page",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
