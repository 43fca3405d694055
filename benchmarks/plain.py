"""The second peer: pynetdicom's receiver as its documentation has it, writing each data set to a file, nothing more.

usage: python -m benchmarks.plain PORT FOLDER
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt


def main() -> None:
    """Receive until SIGTERM."""
    port, folder = int(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)

    def store(event: Any) -> int:
        (folder / event.request.AffectedSOPInstanceUID).write_bytes(event.encoded_dataset())
        return 0x0000

    ae = AE(ae_title="PLAIN")
    ae.maximum_pdu_size = 0
    for context in AllStoragePresentationContexts:
        ae.add_supported_context(str(context.abstract_syntax), ALL_TRANSFER_SYNTAXES)
    ae.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    print("ready", flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
