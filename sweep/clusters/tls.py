"""TLS to somebody else's scheduler: which certificates, and what is missing of them."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.errors import SpecError

if TYPE_CHECKING:
    from distributed import Security

PREFIX = "tls://"


@dataclass(frozen=True)
class Certificates:
    """PEM files: the authority that both sides trust, the client's certificate and its key (may be in the same file).

    What is None is taken from Dask's own configuration (distributed.comm.tls).
    """

    authority: str | None = None
    certificate: str | None = None
    key: str | None = None

    def check(self, address: str) -> None:
        """SpecError where a file is not there, or the address is not one of TLS."""
        named = {"--tls-ca": self.authority, "--tls-cert": self.certificate, "--tls-key": self.key}
        given = {option: path for option, path in named.items() if path is not None}
        if given and not address.startswith(PREFIX):
            raise SpecError(
                f"{', '.join(given)} need a scheduler's address that begins with tls://; given was {address}"
            )
        for option, path in given.items():
            if not Path(path).is_file():
                raise SpecError(f"{option} {path}: no such file")

    def security(self, address: str) -> Security:
        """What Dask's client is given; SpecError where something is missing or not a certificate."""
        from distributed import Security

        words = {
            "tls_ca_file": self.authority,
            "tls_client_cert": self.certificate,
            "tls_client_key": self.key,
        }
        found = Security(require_encryption=True, **{name: path for name, path in words.items() if path is not None})
        missing = [
            option
            for option, value in (("--tls-ca", found.tls_ca_file), ("--tls-cert", found.tls_client_cert))
            if value is None
        ]
        if missing:
            raise SpecError(
                f"{address} needs {' and '.join(missing)} (and --tls-key, where the key is in a file of its own), or "
                "distributed.comm.tls in Dask's configuration"
            )
        try:
            found.get_connection_args("client")
        except (OSError, ssl.SSLError) as error:  # not PEM, the key of another certificate
            raise SpecError(
                f"certificates for {address}: {error}; the files are to be PEM, the key that of the certificate"
            ) from error
        return found


NONE_GIVEN = Certificates()
