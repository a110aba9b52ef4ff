"""The style, the scripts and the icon, at addresses that change with their content."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from starlette.responses import Response

PREFIX = "/static/"
_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_NAMES = ("console.css", "console.js", "theme.js", "htmx.min.js", "icon.svg")


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: its content, its address, and its hash for `integrity`."""

    body: bytes
    kind: str
    path: str
    integrity: str


class Assets:
    """All files, read once."""

    def __init__(self) -> None:
        folder = files("notify.web.console") / "static"
        self.by_name: Mapping[str, Asset] = {
            name: _asset(name, (folder / name).read_bytes()) for name in _NAMES
        }
        self._by_path = {asset.path: asset for asset in self.by_name.values()}

    def response(self, path: str) -> Response:
        """Return the answer for an address; 404 if no file has it."""
        asset = self._by_path.get(path)
        if asset is None:
            return Response(status_code=404)
        headers = {
            "Cache-Control": "public, max-age=31536000, immutable",
            "Content-Security-Policy": "default-src 'none'",
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        return Response(asset.body, media_type=asset.kind, headers=headers)


def _asset(name: str, body: bytes) -> Asset:
    digest = hashlib.sha384(body).digest()
    stem, _, kind = name.rpartition(".")
    return Asset(
        body,
        _TYPES[kind],
        f"{PREFIX}{stem}.{digest.hex()[:16]}.{kind}",
        f"sha384-{base64.b64encode(digest).decode()}",
    )
