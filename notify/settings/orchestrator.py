"""What Kubernetes and Docker say in variables of a service named `notify`: no options of ours."""

from __future__ import annotations

import re

# An option of ours has two underscores behind its section, and no such ending.
_NAME = r"NOTIFY(_[A-Z0-9]+)*"
_FACTS = re.compile(
    rf"{_NAME}_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9]+)*|PORT_\d+_(TCP|UDP|SCTP)_(PROTO|PORT|ADDR))"
)
_LINKS = re.compile(rf"{_NAME}_PORT(_\d+_(TCP|UDP|SCTP))?")
_ADDRESS = re.compile(r"(tcp|udp|sctp)://\S+")


def describes_a_service(name: str, value: str) -> bool:
    """
    Tell whether a variable gives another container's address, as Kubernetes writes it.

    See https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
    """
    if _FACTS.fullmatch(name):
        return True
    return _LINKS.fullmatch(name) is not None and _ADDRESS.fullmatch(value) is not None
