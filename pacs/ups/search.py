"""Search of the worklist (PS3.18 11.9; PS3.4 CC.2.8)."""

from __future__ import annotations

from sqlalchemy import ColumnElement, type_coerce
from sqlalchemy.dialects.postgresql import JSONB

from pacs.index import datasets
from pacs.index.datasets import Keys
from pacs.ups.attributes import SOP_INSTANCE, STATE
from pacs.ups.models import Workitem

_ATTRIBUTES = type_coerce(Workitem.attributes, JSONB)
_COLUMNS = {STATE: Workitem.state, SOP_INSTANCE: Workitem.uid}


def matches(keys: Keys) -> list[ColumnElement[bool]]:
    """The conditions on a work item. Raises BadInput."""
    return datasets.matches(keys, _ATTRIBUTES, _COLUMNS)
