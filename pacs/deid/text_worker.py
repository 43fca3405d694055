"""The process that looks for lines of text: `python -m pacs.deid.text_worker`, started by `pacs.deid.suggest_text`.

It is confined like the decoding worker (docs/decisions/0019). Its library is an extra: `overread[text]`.
"""

from __future__ import annotations

import importlib
import json
import socket
from typing import Any

import numpy as np

from pacs.pixels.confine import confine
from pacs.pixels.layout import Layout
from pacs.pixels.worker import limit, serve

#: The address space: the model and its working memory; most of it is never touched.
_MAX_MEMORY = 3 << 30
#: Letters end a little outside of what the model finds, in pixels.
_MARGIN = 2


def main() -> None:
    """Serve the socket that is file 0."""
    limit(_MAX_MEMORY)
    engine = importlib.import_module("rapidocr").RapidOCR(  # an extra, here alone
        params={"Global.log_level": "critical", "EngineConfig.onnxruntime.intra_op_num_threads": 1}
    )

    def lines(_head: dict[str, Any], form: Layout, levels: bytes) -> bytes:
        """Answer {"op": "lines"}: left, top, width, height of lines in display levels, as JSON."""
        picture = np.frombuffer(levels, np.uint8).reshape(form.shape)
        colour = np.dstack([picture] * 3) if picture.ndim == 2 else np.ascontiguousarray(picture[..., ::-1])
        found = engine(colour, use_det=True, use_cls=False, use_rec=False).boxes
        corners = np.asarray([] if found is None else found, np.float64).reshape(-1, 4, 2)
        boxes = []
        for one in corners:
            left, top = (max(0, int(low) - _MARGIN) for low in one.min(axis=0))
            right, bottom = (int(high) + 1 + _MARGIN for high in one.max(axis=0))
            boxes.append([left, top, right - left, bottom - top])
        return json.dumps(boxes).encode()

    # What is loaded late would be loaded in vain: from here on no file can be opened.
    lines({}, Layout(64, 64, 1, 8, 8, 7, False, False, False, "MONOCHROME2"), bytes(64 * 64))
    confine()
    with socket.socket(fileno=0) as sock:
        serve(sock, {"lines": lines})


if __name__ == "__main__":
    main()
