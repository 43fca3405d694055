"""Stands in for `pacs.deid.text_worker`: answers what the picture's first pixel asks for."""

from __future__ import annotations

import json
import os
import signal
import socket

from pacs.pixels import wire

ANSWERS: dict[int, object] = {
    1: [[1, 2, 3, 4], [1, 2, 3, 4], [10, 10, 500, 500]],
    2: [[-1, 0, 5, 5], [0, 0, 0, 1], [1, 2, 3], ["1", 2, 3, 4], [1.5, 2, 3, 4], [True, 0, 1, 1], None, [40, 0, 1, 1]],
    3: {"boxes": []},
    4: "[",
}

if __name__ == "__main__":
    with socket.socket(fileno=0) as sock:
        while True:
            try:
                _, levels = wire.receive(sock, 1 << 20)
            except wire.Broken:
                break
            if levels[0] == 9:
                os.kill(os.getpid(), signal.SIGSEGV)
            wire.send(sock, {}, b"[" if levels[0] == 4 else json.dumps(ANSWERS[levels[0]]).encode())
