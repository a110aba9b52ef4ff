"""
The services' face: notifications by HTTP for services that have no AMQP.

Here are its operations, their documents and description, and errors as problems. Not here: any
decision; handlers call use cases (`apikeys`, `delivery`, `suppression`) and read models (`status`).
"""

from notify.web.api.app import api_app
from notify.web.api.openapi import openapi

__all__ = ["api_app", "openapi"]
