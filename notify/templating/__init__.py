"""
Render a template's name and a producer's data into the content of one message.

The templates themselves are in `templates/` and in the operator's folder. Not here: recipients, and
sending.
"""

from notify.templating.catalog import TemplateInfo, TemplateOrigin
from notify.templating.templates import Templates

__all__ = ["TemplateInfo", "TemplateOrigin", "Templates"]
