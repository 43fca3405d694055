"""Comments in which encoders speak of themselves: a name and a version, nothing that somebody typed."""

from __future__ import annotations

import re

_VERSION = rb"\d{1,2}(?:\.\d{1,4}){1,3}\.?"
_NUMBER = rb"-?\d{1,3}\.\d, {1,3}\d\.\de[+-]\d\d"

_known = re.compile(
    rb"(?:Kakadu-v?" + _VERSION + rb"[a-z]?"
    rb"|Kdu-Layer-Info: log_2\{Delta-D\([A-Za-z-]{3,20}\)/Delta-L\(bytes\)\}, L\(bytes\)\s(?:" + _NUMBER + rb"\s?)*"
    rb"|Created by (?:GDCM/)?OpenJPEG version " + _VERSION + rb"|Created by Grok {1,5}version " + _VERSION + rb""
    rb"|Creator: JasPer Version " + _VERSION + rb"|LEAD Technologies Inc\. V" + _VERSION + rb""
    rb"|OpenJPH Ver " + _VERSION + rb"|HM )[\0\s]*"
).fullmatch


def harmless(comment: bytes) -> bool:
    """Tell whether a comment says nothing, or only which encoder wrote it."""
    return not comment.strip(b"\0 ") or _known(comment) is not None
