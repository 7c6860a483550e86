"""Whether a Dask scheduler is at an address and takes us, found out in seconds: it speaks first.

Dask itself goes on trying until its timeout, whatever the reason.
"""

from __future__ import annotations

import os
import socket
import ssl
from typing import TYPE_CHECKING

from sweep.errors import AbortedError, SpecError

if TYPE_CHECKING:
    from distributed import Security

_CONNECT_SECONDS = 5.0
_GREET_SECONDS = 15.0
"""A scheduler that has much to do may take so long."""


def host_and_port(address: str, where: str) -> tuple[str, int]:
    """The two parts of an address like tcp://host:8786; SpecError says that one that is not like it is from `where`."""
    _, _, rest = address.partition("://")
    host, _, port = rest.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    known = port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536
    if not known or not bare or ("/" in bare) or (":" in bare and bare == host):
        raise SpecError(
            f"{where}: the address of a scheduler is tcp:// or tls://, a host, a colon and a port, like tcp://node7:8786; "
            f"given was {address!r}; the scheduler prints its own as it starts"
        )
    return bare, int(port)


def greet(address: str, security: Security | None = None) -> None:
    """AbortedError where nobody answers at an address, or what does is no scheduler that takes this client."""
    host, port = host_and_port(address, "--cluster")
    context: ssl.SSLContext | None = security.get_connection_args("client")["ssl_context"] if security else None
    try:
        with socket.create_connection((host, port), timeout=_CONNECT_SECONDS) as plain:
            plain.settimeout(_GREET_SECONDS)
            if context is None:
                heard = plain.recv(1)
            else:
                with context.wrap_socket(plain, server_hostname=host) as secured:
                    # With TLS 1.3 a refused client hears of it only when it reads.
                    heard = secured.recv(1)
            if not heard:
                raise ConnectionResetError("it closes the connection at once")
    except ssl.SSLCertVerificationError as error:
        raise AbortedError(
            f"the certificate of the scheduler at {address} is not of the authority given ({error.verify_message}); "
            "--tls-ca names the file of the one that signed it"
        ) from error
    except TimeoutError as error:
        manner, other = (
            ("by TLS", "one of TLS") if context else ("as a scheduler does", "a scheduler, and not one of TLS")
        )
        raise AbortedError(
            f"nobody answers {manner} at {address} within {_GREET_SECONDS:.0f} s; check the address and that it is {other}"
        ) from error
    except (ssl.SSLError, ConnectionResetError, BrokenPipeError) as error:
        words = str(getattr(error, "reason", None) or error.strerror or error).replace("_", " ").lower()
        if context is None:
            raise AbortedError(
                f"what answers at {address} is no Dask scheduler, or one of TLS ({words}); check the address"
            ) from error
        raise AbortedError(
            f"the scheduler at {address} refuses this client ({words}); --tls-cert and --tls-key must be of the authority "
            "that it trusts, and the address one of TLS"
        ) from error
    except (OSError, UnicodeError) as error:  # an odd host name is a UnicodeError
        words = (error.strerror or os.strerror(error.errno or 0)) if isinstance(error, OSError) else "no name of a host"
        raise AbortedError(
            f"no scheduler answers at {address} ({words}); check the address and that it is running"
        ) from error
