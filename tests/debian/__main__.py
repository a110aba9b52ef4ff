"""`make test-on`: run a command on a copy of this checkout in a container of a Debian release."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from tests.debian.checkout import checkout_on
from tests.debian.container import why_not
from tests.debian.image import NEEDED, ROOT, SUITES


def main() -> int:
    """Run it; return its exit code, 0 where containers do not run here and CI is not set."""
    parser = argparse.ArgumentParser(prog="python -m tests.debian", description=__doc__)
    parser.add_argument("release", choices=SUITES, help="the number of the release")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="such as: make test")
    options = parser.parse_args()
    if not os.geteuid():
        subprocess.run([ROOT / "scripts" / "require-debian.sh", *NEEDED], check=True)
    if reason := why_not():
        print(f"test-on: skipped: {reason}", flush=True)
        return int(bool(os.environ.get("CI")))
    try:
        with checkout_on(options.release) as checkout:
            checkout.run(*options.command)
    except subprocess.CalledProcessError as error:
        return int(error.returncode)
    return 0


if __name__ == "__main__":
    sys.exit(main())
