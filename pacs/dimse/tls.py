"""TLS for DIMSE: the BCP 195 profiles (PS3.15 B.9, B.10)."""

from __future__ import annotations

import ssl

from overread.kit.errors import OverreadError
from overread.kit.settings import Settings


def context(settings: Settings) -> ssl.SSLContext | None:
    """The server's side of TLS, or None where no certificate is set. Raises OverreadError for files that don't do.

    With a client CA, a peer without a certificate of it is refused in the handshake.
    """
    if settings.dimse_tls_certificate is None:
        if settings.dimse_tls_key is not None or settings.dimse_tls_client_ca is not None:
            raise OverreadError("dimse_tls_key and dimse_tls_client_ca need dimse_tls_certificate")
        return None
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # BCP 195 (RFC 9325): TLS 1.2 and 1.3 only, forward secrecy and authenticated encryption, no compression.
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
    made.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    try:
        made.load_cert_chain(settings.dimse_tls_certificate, settings.dimse_tls_key)
        if settings.dimse_tls_client_ca is not None:
            made.load_verify_locations(settings.dimse_tls_client_ca)
            made.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise OverreadError(f"the DICOM listener's certificate, key or client CA can't be used: {error}") from error
    return made
