"""Operations on templates: list, and preview."""

from __future__ import annotations

from notify.status.templates import preview_template
from notify.templating import Templates
from notify.web.api.models import PreviewBody, PreviewView, TemplatesView, TemplateView
from notify.web.api.operation import ApiAnswer, ApiCall
from notify.web.api.problems import ApiProblem


class TemplateHandlers:
    """Answers the operations on templates, which all sources share."""

    def __init__(self, templates: Templates) -> None:
        """Use the configured templates, which are listed once: that compiles all files."""
        self._templates = templates
        self._listed = {each.name: each for each in templates.names()}

    def list(self, _: ApiCall) -> ApiAnswer:
        """Return all templates."""
        listed = [
            TemplateView(
                name=each.name,
                channels=list(each.channels),
                locales=list(each.locales),
                variables=list(each.variables),
            )
            for each in self._listed.values()
        ]
        return ApiAnswer(TemplatesView(templates=listed))

    def preview(self, call: ApiCall) -> ApiAnswer:
        """Render a template; nothing is sent."""
        body = PreviewBody.model_validate_json(call.body)
        found = self._listed.get(call.path["name"])
        if found is None:
            raise ApiProblem("not-found", "there is no such template; GET /v1/templates lists them")
        preview = preview_template(
            self._templates,
            found.name,
            channel=body.channel,
            locale=body.locale,
            data=body.data,
        )
        if preview.content is None:
            raise ApiProblem("invalid", preview.problem)
        content = preview.content
        return ApiAnswer(PreviewView(subject=content.subject, text=content.text, html=content.html))
