"""
Render a template's name and a producer's data into the content of one message.

The templates themselves are in `templates/` and in the operator's folder. Not here: recipients, and
sending.
"""

from notify.templating.catalog import TemplateInfo, TemplateOrigin
from notify.templating.names import TemplateNames
from notify.templating.templates import Templates
from notify.templating.writing import UNSUBSCRIBE_URL

__all__ = ["UNSUBSCRIBE_URL", "TemplateInfo", "TemplateNames", "TemplateOrigin", "Templates"]
