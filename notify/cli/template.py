"""`notify template`: list the templates, or preview one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from notify.channels import CHANNELS
from notify.cli.console import Console, Table
from notify.cli.options.given import json_argument
from notify.cli.output import print_json
from notify.errors import TemplateError
from notify.message import Channel, Content
from notify.private import private
from notify.settings import load
from notify.status.templates import EXAMPLE_LINK
from notify.templating import UNSUBSCRIBE_URL, TemplateInfo, Templates

_FIELDS = {part.name: part.field for each in CHANNELS.values() for part in each.parts}


@click.group()
def template() -> None:
    """List the message templates, or preview one.

    \b
    Example:
      notify template preview invoice --locale de
    """


@template.command("ls")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array instead of a table.")
def ls_command(as_json: bool) -> None:
    """List every template with its channels, locales, variables and origin.

    All files are compiled; the command exits 1 and names each broken one. The origin is "mixed" if
    files of your folder replace some of the packaged ones.

    \b
    Example:
      notify template ls --json
    """
    templates = _templates()
    listed = templates.names()
    if as_json:
        print_json([_as_json(each) for each in listed], indent=2)
    else:
        Console().print(_table(listed))
    problems = templates.problems()
    if problems:
        raise TemplateError("\n  ".join(["the templates have mistakes:", *problems]))


@template.command("preview")
@click.argument("name")
@click.option(
    "--channel",
    type=click.Choice([channel.value for channel in Channel]),
    default=next(iter(Channel)).value,
    show_default=True,
    help="The channel whose version to render.",
)
@click.option("--locale", help="The recipient's language, such as de or pt-BR.")
@click.option(
    "--data",
    "given",
    metavar="JSON|@FILE",
    help="The data as a JSON object, or @ and a file's name (@- reads standard input). "
    "Without it, the template's own sample.json.",
)
@click.option("--part", type=click.Choice(list(_FIELDS)), help="Print only this part, as it is.")
@click.option(
    "--html",
    "page",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the HTML part to this file.",
)
def preview_command(
    name: str,
    channel: str,
    locale: str | None,
    given: str | None,
    part: str | None,
    page: Path | None,
) -> None:
    """Render the template NAME as it would be sent; nothing is sent.

    unsubscribe_url, which only messages of a subscription have, is an example.

    \b
    Examples:
      notify template preview login_code --channel sms --data '{"code": "123456",
        "product": "Acme", "minutes": 10}'
      notify template preview invoice --locale de --html invoice.html
    """
    templates = _templates()
    data = templates.sample(name) if given is None else json_argument(given, option="--data")
    link = None if UNSUBSCRIBE_URL in data else EXAMPLE_LINK
    content = templates.render(
        name, channel=Channel(channel), locale=locale, data=data, unsubscribe_url=link
    )
    if page is not None:
        html = _part(content, "html")
        with open(page, "w", encoding="utf-8", opener=private) as file:
            file.write(html)
    if part is not None:
        click.echo(_part(content, part))
    else:
        click.echo(_whole(content, Channel(channel), page))


def _templates() -> Templates:
    settings = load().templates
    return Templates(settings.folder, default_locale=settings.default_locale)


def _as_json(info: TemplateInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "channels": list(info.channels),
        "locales": list(info.locales),
        "variables": list(info.variables),
        "origin": info.origin,
    }


def _table(listed: list[TemplateInfo]) -> Table:
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="bold")
    table.add_column("NAME", no_wrap=True)
    for title in ("CHANNELS", "LOCALES", "VARIABLES", "ORIGIN"):
        table.add_column(title)
    for info in listed:
        table.add_row(
            info.name,
            " ".join(info.channels),
            " ".join(info.locales) or "-",
            " ".join(info.variables) or "-",
            info.origin,
        )
    return table


def _part(content: Content, part: str) -> str:
    words: str = getattr(content, _FIELDS[part])
    if not words:
        raise TemplateError(f"this version has no {part}")
    return words


def _whole(content: Content, channel: Channel, page: Path | None) -> str:
    names = {part.field: part.name for part in CHANNELS[channel].parts}
    lines = [f"{names['subject'].title()}: {content.subject}", ""] if content.subject else []
    lines.append(content.text)
    if (count := CHANNELS[channel].counted(content)) is not None:
        lines += ["", f"({count})"]
    if content.html:
        where = f"in {page}" if page else "--part html prints it, --html FILE saves it"
        lines += ["", f"(HTML: {len(content.html):,} characters; {where})"]
    return "\n".join(lines)
