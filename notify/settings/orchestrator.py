"""Variables that Kubernetes and Docker set for a service named `notify`; they are not options."""

from __future__ import annotations

import re

# An option has two underscores after its section, and no such ending.
_NAME = r"NOTIFY(_[A-Z0-9]+)*"
_FACTS = re.compile(
    rf"{_NAME}_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9]+)*"
    r"|PORT_\d+_(TCP|UDP|SCTP)_(PROTO|PORT|ADDR|PORT_START|PORT_END))"
)
_LINKS = re.compile(rf"{_NAME}_PORT(_\d+_(TCP|UDP|SCTP)(_START|_END)?)?")
# A link's name, such as /shop/notify, and the linked container's own variables.
_LINK_NAME = re.compile(rf"{_NAME}_NAME")
_LINK_PATH = re.compile(r"(/[\w.-]+)+")
_INNER = re.compile(rf"{_NAME}_ENV_.+")
_ADDRESS = re.compile(r"(tcp|udp|sctp)://\S+")


def describes_a_service(name: str, value: str) -> bool:
    """
    Return whether a variable describes another container, as Kubernetes or Docker writes it.

    See https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables and
    https://docs.docker.com/engine/network/links/#environment-variables
    """
    if _FACTS.fullmatch(name) or _INNER.fullmatch(name):
        return True
    if _LINK_NAME.fullmatch(name):
        return _LINK_PATH.fullmatch(value) is not None
    return _LINKS.fullmatch(name) is not None and _ADDRESS.fullmatch(value) is not None
