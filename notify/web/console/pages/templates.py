"""Templates, and their previews in a frame without scripts."""

from __future__ import annotations

import json
from typing import Any

from notify.contract import RequestInvalid, parse
from notify.message import Channel
from notify.people import Role
from notify.status.templates import TemplatePreview, find_template, preview_template
from notify.templating import TemplateInfo
from notify.web.console.pages.fields import word
from notify.web.console.params import FormMistake, Params
from notify.web.console.routing import (
    Answer,
    ConsoleAction,
    ConsolePage,
    Frame,
    Missing,
    Nav,
    View,
    Visit,
)
from notify.web.console.site import LoadedTemplates

PATH = "/templates"


def templates(visit: Visit) -> View:
    """Show all templates and the mistakes in their files."""
    found = visit.site.templates()
    values = {"templates": found.names, "problems": found.problems}
    return View("templates.html.j2", title="Templates", values=values)


def template(visit: Visit) -> View:
    """Show one template, rendered with its own example data."""
    return _page(visit, visit.query, data=None)


def preview(visit: Visit) -> View:
    """Show one template, rendered with the data of the form; nothing is sent or recorded."""
    return _page(visit, visit.form, data=_data(visit.form))


def frame(visit: Visit) -> Answer:
    """Return the HTML of a preview, for the frame of the page."""
    fields = visit.form if visit.form.pairs else visit.query
    data = _data(fields) if visit.form.pairs else None
    found = _rendered(visit, fields, data)[2]
    return Frame(found.content.html if found.content else "")


def _page(visit: Visit, fields: Params, *, data: dict[str, Any] | None) -> View:
    info, channel, found = _rendered(visit, fields, data)
    values = {
        "info": info,
        "channel": channel,
        "locale": fields.get("locale"),
        "found": found,
        "data": json.dumps(found.data, indent=2, ensure_ascii=False),
        "own_data": data is not None,
    }
    return View("template.html.j2", title=f"Template {info.name}", values=values)


def _rendered(
    visit: Visit, fields: Params, data: dict[str, Any] | None
) -> tuple[TemplateInfo, Channel, TemplatePreview]:
    loaded = visit.site.templates()
    info = _info(loaded, visit.parts["name"])
    channel = word(fields, "channel", Channel) or Channel(info.channels[0])
    if channel not in info.channels:
        raise FormMistake(f"the template has no version for {channel}")
    found = preview_template(
        loaded.templates, info.name, channel=channel, locale=fields.get("locale") or None, data=data
    )
    return info, channel, found


def _info(loaded: LoadedTemplates, name: str) -> TemplateInfo:
    found = find_template(loaded.names, name)
    if found is None or not found.channels:
        raise Missing("there is no template of this name")
    return found


def _data(form: Params) -> dict[str, Any]:
    try:
        return parse(form.get("data").encode())
    except RequestInvalid as error:
        why = error.problems[0].for_author.replace("the body", "it")
        raise FormMistake(f"the data is not a JSON object: {why}") from None


ROUTES = (
    ConsolePage(path=PATH, needs=Role.VIEWER, show=templates, nav=Nav("Senders", "Templates")),
    ConsolePage(path=f"{PATH}/{{name}}", needs=Role.VIEWER, show=template),
    ConsoleAction(path=f"{PATH}/{{name}}", needs=Role.VIEWER, act=preview, changes=False),
    ConsolePage(path=f"{PATH}/{{name}}/frame", needs=Role.VIEWER, show=frame),
    ConsoleAction(path=f"{PATH}/{{name}}/frame", needs=Role.VIEWER, act=frame, changes=False),
)
