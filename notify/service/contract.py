"""The limits of a message and the templates, as the settings say."""

from __future__ import annotations

from notify.contract import CategoryNames, Limits
from notify.service.senders import sender_names
from notify.settings import Settings
from notify.templating import Templates
from notify.topology import API_USER


def contract_limits(settings: Settings) -> Limits:
    """Return the limits of a message, with the service's own AMQP users as trusted."""
    return Limits(
        max_body_bytes=settings.contract.max_body_bytes,
        max_attachment_bytes=settings.contract.max_attachment_bytes,
        max_recipients=settings.contract.max_recipients,
        require_user_id=settings.contract.require_user_id,
        trusted_users=frozenset({settings.amqp.user, API_USER}),
        categories=category_names(settings),
        senders=sender_names(settings),
    )


def category_names(settings: Settings) -> CategoryNames:
    """Return the names, lanes and default sources of the categories."""
    categories = settings.categories.items()
    return CategoryNames(
        lanes={name: frozenset(each.lanes) for name, each in categories},
        defaults={source: name for name, each in categories for source in each.default_for},
    )


def open_templates(settings: Settings) -> Templates:
    """Return the templates: those of the operator's folder before the packaged ones."""
    return Templates(settings.templates.folder, default_locale=settings.templates.default_locale)
