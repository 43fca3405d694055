"""File meta information that contradicts its data set, put right (PS3.10 7.1).

Media Storage SOP Class and Instance UID repeat what the data set says of itself. Tools that give an object another
identity often forget them, and files without a preamble have none: the data set is the object, so its word counts.
"""

from __future__ import annotations

from pacs.dicom.part10 import FileMeta, valid_uid, write_meta


def put_right(meta: FileMeta, sop_class: str, sop_uid: str) -> bytes | None:
    """Preamble and file meta information to be put before the data set instead; None where there is nothing to mend.

    The UIDs are the data set's. The same input gives the same bytes. What a file without a Transfer Syntax UID was
    found to be written in is named.
    """
    told = (meta.sop_class_uid, meta.sop_instance_uid) == (sop_class, sop_uid)
    if told and meta.has_preamble and meta.names_transfer_syntax:
        return None
    if not valid_uid(meta.transfer_syntax):
        return None  # nothing of it can be kept
    return write_meta(sop_class, sop_uid, meta.transfer_syntax, source_ae=meta.source_ae or None)
