"""TLS to somebody else's scheduler: the certificates, and whether the two sides accept each other, found out in seconds.

Dask itself goes on trying until its timeout where a scheduler refuses a certificate.
"""

from __future__ import annotations

import os
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.errors import AbortedError, SpecError

if TYPE_CHECKING:
    from distributed import Security

PREFIX = "tls://"
_ANSWER_SECONDS = 5.0


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


def try_handshake(address: str, security: Security) -> None:
    """AbortedError where scheduler and client do not accept each other's certificates, or nobody answers."""
    host, _, port = address.removeprefix(PREFIX).rpartition(":")
    context: ssl.SSLContext = security.get_connection_args("client")["ssl_context"]
    try:
        with (
            socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=host) as secured,
        ):
            # With TLS 1.3 a refused client hears of it only when it reads; one that is accepted is greeted by Dask.
            if not secured.recv(1):
                raise ConnectionResetError("it closes the connection at once")
    except ssl.SSLCertVerificationError as error:
        raise AbortedError(
            f"the certificate of the scheduler at {address} is not of the authority given ({error.verify_message}); "
            "--tls-ca names the file of the one that signed it"
        ) from error
    except TimeoutError as error:
        raise AbortedError(
            f"no scheduler answers by TLS at {address} within {_ANSWER_SECONDS:.0f} s; check the address and that it is one of TLS"
        ) from error
    except (ssl.SSLError, ConnectionResetError, BrokenPipeError) as error:
        words = getattr(error, "reason", None) or error.strerror or str(error)
        raise AbortedError(
            f"the scheduler at {address} refuses this client ({str(words).replace('_', ' ').lower()}); --tls-cert and "
            "--tls-key must be of the authority that it trusts, and the address one of TLS"
        ) from error
    except OSError as error:
        raise AbortedError(
            f"no scheduler answers at {address} ({error.strerror or os.strerror(error.errno or 0)}); check the address and "
            "that it is running"
        ) from error
