"""The requestor that the tests are made with takes its own answers, however late its threads run on."""

from __future__ import annotations

import time
from typing import Any

import pytest
from pynetdicom import AE
from pynetdicom.dimse import DIMSEServiceProvider

from tests.fakes.reactor import Checkpoint

VERIFICATION = "1.2.840.10008.1.1"


def test_no_answer_is_taken_by_a_reactor_that_was_held_up(monkeypatch: pytest.MonkeyPatch) -> None:
    passes, sends = Checkpoint.wait, DIMSEServiceProvider.send_msg

    def late(self: Checkpoint, timeout: float | None = None) -> bool:
        passed = passes(self, timeout)
        time.sleep(0.2)
        return passed

    def slow(self: DIMSEServiceProvider, *message: Any) -> None:
        sends(self, *message)
        time.sleep(0.5)

    provider = AE()
    provider.add_supported_context(VERIFICATION)
    server = provider.start_server(("127.0.0.1", 0), block=False)
    assert server is not None
    ae = AE()
    ae.dimse_timeout = 20
    ae.add_requested_context(VERIFICATION)
    try:
        assoc = ae.associate(*server.server_address[:2])
        monkeypatch.setattr(Checkpoint, "wait", late)
        monkeypatch.setattr(DIMSEServiceProvider, "send_msg", slow)
        for _ in range(3):
            time.sleep(0.3)
            assert assoc.send_c_echo().Status == 0
        assoc.release()
    finally:
        server.shutdown()
