"""Overread: an imaging server for second opinions.

The package holds the foundation (`overread.kit`) and the roof (`app`, `wiring`, `web`, `cli`, `worker`);
the rooms between them are the top-level packages `pacs`, `dicomweb`, `viewer_bridge`, `billing`, `cases`.
"""

__version__ = "0.1.0"
