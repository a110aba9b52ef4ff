"""
Write the service's bill of materials in CycloneDX 1.5.

    python scripts/runtime-lock.py < requirements.lock | python scripts/sbom.py 1.0.0 > sbom.json

Each package of the lock has its version and the hashes of its files; packages that Linux does not
need are omitted. The same lock makes the same bill.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ITSELF = "notify-service"


def bill(lock: str, *, version: str) -> dict[str, Any]:
    """Return the bill of this version, with all locked packages."""
    parts = [_component(block) for block in re.split(r"^(?=[a-z0-9])", lock, flags=re.M | re.I)]
    components = [part for part in parts if part is not None]
    itself = {"type": "application", "name": ITSELF, "version": version, "bom-ref": ITSELF}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, version + lock)}",
        "version": 1,
        "metadata": {"component": itself},
        "components": components,
        "dependencies": [
            {"ref": ITSELF, "dependsOn": [component["bom-ref"] for component in components]}
        ],
    }


def _component(block: str) -> dict[str, Any] | None:
    if "==" not in block:
        return None
    requirement = Requirement(block.partition("\\")[0].strip())
    if requirement.marker is not None and not requirement.marker.evaluate():
        return None
    name = canonicalize_name(requirement.name)
    version = str(requirement.specifier).removeprefix("==")
    url = f"pkg:pypi/{name}@{version}"
    return {
        "type": "library",
        "bom-ref": url,
        "name": name,
        "version": version,
        "purl": url,
        "hashes": [
            {"alg": "SHA-256", "content": digest}
            for digest in re.findall(r"--hash=sha256:([0-9a-f]{64})", block)
        ],
    }


if __name__ == "__main__":
    json.dump(bill(sys.stdin.read(), version=sys.argv[1]), sys.stdout, indent=2)
    sys.stdout.write("\n")
