"""
From a template's name and a producer's data to the final words of one message.

The templates themselves are in `templates/` and in the operator's folder. Nothing here knows
whom a message goes to, or sends it.
"""

from notify.templating.catalog import TemplateInfo, TemplateOrigin
from notify.templating.templates import Templates

__all__ = ["TemplateInfo", "TemplateOrigin", "Templates"]
