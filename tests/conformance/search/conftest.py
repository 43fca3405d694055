"""The fixtures of the DICOMweb tests: a root over an empty archive, and somebody to ask it."""

from __future__ import annotations

from tests.dicomweb.conftest import bearer, client

__all__ = ["bearer", "client"]
