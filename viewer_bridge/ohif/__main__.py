"""`python -m viewer_bridge.ohif`: fetch and prepare the hosted viewer where it is not there yet."""

from __future__ import annotations

from viewer_bridge.ohif.build import build

if __name__ == "__main__":
    build()
