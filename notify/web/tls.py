"""The certificate of a web process that needs no reverse proxy for TLS."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from notify.errors import ConfigError


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The certificate of a server, with its chain, and its private key."""

    certificate: Path
    key: Path

    def check(self, table: str) -> None:
        """
        Read both.

        Raises:
            ConfigError: They cannot be read, or do not belong together; *table* is the settings'.
        """
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.certificate, self.key)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise ConfigError(
                f"{table}.cert_file: {self.certificate} with {self.key}: {reason.lower()}; name a"
                " certificate in PEM and its private key, which this user can read"
            ) from None
