"""The option `--json`, as the commands' parameter `as_json`."""

from __future__ import annotations

import click

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
"""For commands that print one object."""

json_lines_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object a line."
)
"""For commands that print a list."""
