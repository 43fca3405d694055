"""What a peer may take of this server: sizes, counts and times, from the settings."""

from __future__ import annotations

from dataclasses import dataclass

from overread.kit.settings import Settings

#: Largest A-ASSOCIATE-RQ. 128 presentation contexts (PS3.8 9.3.2.2), each with all 45 transfer syntaxes, take 150 KB.
REQUEST_BYTES = 256 << 10
#: Items and sub-items in it: those 128 contexts have 6,000.
REQUEST_ITEMS = 8192
#: Largest command set (PS3.7 6.3.1): a C-STORE-RQ has 200 bytes, an N-GET-RQ with a long attribute list some thousands.
COMMAND_BYTES = 64 << 10
#: Largest data set that is kept in memory: a query's identifier, a report's event. Instances are streamed.
IDENTIFIER_BYTES = 4 << 20
#: Connections that have not asked for an association yet; a further one takes the place of the oldest.
PENDING_CONNECTIONS = 1024
#: Fragments without a byte in one message. One may end a data set; more than a few are meant to keep us busy.
EMPTY_FRAGMENTS = 64


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one listening process; the times are seconds."""

    #: Bytes of a P-DATA-TF PDU behind its header, announced to the peer (PS3.8 D.1).
    pdu_bytes: int = 1 << 20
    #: Associations of all peers together, and of one.
    associations: int = 128
    per_peer: int = 16
    #: From the connection to its whole A-ASSOCIATE-RQ (the ARTIM timer, PS3.8 9.1.5), TLS handshake included.
    first: float = 15
    #: Without a byte: between messages, or in the middle of one.
    idle: float = 60
    #: One whole message, from its first byte to its last.
    transfer: float = 3600
    #: Associations that are asked for at once on behalf of all peers together, and of one (C-MOVE).
    outgoing: int = 16
    outgoing_per_peer: int = 4

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """The limits that the settings ask for."""
        return cls(
            pdu_bytes=settings.dimse_max_pdu_bytes,
            associations=settings.dimse_max_associations,
            per_peer=settings.dimse_max_per_peer,
            first=settings.dimse_artim_seconds,
            idle=settings.dimse_idle_seconds,
            transfer=settings.dimse_transfer_seconds,
            outgoing=settings.dimse_max_moves,
            outgoing_per_peer=settings.dimse_max_moves_per_peer,
        )
