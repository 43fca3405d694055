"""Senders that go on until told to stop, and the ledger of what they were promised."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from dataclasses import dataclass, field

from benchmarks import cstore, part10, series, stow
from benchmarks.cstore import Association

_SIZE = 64
_SEED = "faults"


class Pictures:
    """Any number of distinct small CT slices, made by exchanging the UIDs of one."""

    def __init__(self) -> None:
        ((_, self._data),) = series.slices(1, _SIZE, _SEED)

    def make(self, study: int, number: int) -> part10.Instance:
        """Slice `number` of a study; always the same bytes."""
        return part10.parse(series.renamed(self._data, _SEED, 0, f"{_SEED} {study}", number))


def study_uid(study: int) -> str:
    return series.uid("study", f"{_SEED} {study}")


@dataclass
class Ledger:
    """What was sent and what was acknowledged, by SOP Instance UID."""

    pictures: Pictures = field(default_factory=Pictures)
    sent: dict[str, tuple[int, int, str]] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    answers: Counter[int] = field(default_factory=Counter)
    studies: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def new_study(self) -> int:
        with self._lock:
            self.studies += 1
            return self.studies

    def sending(self, study: int, number: int, via: str) -> part10.Instance:
        instance = self.pictures.make(study, number)
        with self._lock:
            self.sent[instance.sop_uid] = (study, number, via)
        return instance

    def answered(self, status: int, stored: set[str]) -> None:
        with self._lock:
            self.answers[status] += 1
            self.acknowledged |= stored


class Sender(threading.Thread):
    """Sends one study, batch after batch; a batch without an answer is sent again. `stop` ends it."""

    def __init__(self, ledger: Ledger, via: str, batch: int) -> None:
        super().__init__(daemon=True)
        self._ledger = ledger
        self._via = via
        self._batch = batch
        self._stopping = threading.Event()
        self.study = ledger.new_study()

    def run(self) -> None:
        number = 0
        while not self._stopping.is_set():
            instances = [self._ledger.sending(self.study, number + i, self._via) for i in range(self._batch)]
            while not self._stopping.is_set():
                try:
                    if self._send(instances):
                        number += self._batch
                        break
                except (OSError, http.client.HTTPException, cstore.Refused):
                    self._disconnect()
                self._stopping.wait(0.05)
        self._disconnect()

    def stop(self) -> None:
        self._stopping.set()

    def _send(self, instances: list[part10.Instance]) -> bool:
        """Send a batch, and enter the answer in the ledger; False where it has to be sent again."""
        raise NotImplementedError

    def _disconnect(self) -> None:
        raise NotImplementedError


class StowSender(Sender):
    """By STOW-RS, five instances a request."""

    def __init__(self, ledger: Ledger, url: str, token: str) -> None:
        super().__init__(ledger, "stow", 5)
        self._where = f"{url}/dicomweb"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._client: stow.Client | None = None

    def _send(self, instances: list[part10.Instance]) -> bool:
        if self._client is None:
            self._client = stow.Client(self._where, self._headers, timeout=20)
        status, answer = self._client.post(stow.body([bytes(instance.data) for instance in instances]))
        held = stow.stored(answer) if status in (200, 202) else set()
        self._ledger.answered(status, held)
        return held == {instance.sop_uid for instance in instances}

    def _disconnect(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = None


class StoreSender(Sender):
    """By C-STORE, one association until it breaks."""

    def __init__(self, ledger: Ledger, port: int, calling: str) -> None:
        super().__init__(ledger, "dimse", 1)
        self._address = ("127.0.0.1", port)
        self._calling = calling
        self._association: Association | None = None

    def _send(self, instances: list[part10.Instance]) -> bool:
        (instance,) = instances
        if self._association is None:
            contexts = [(instance.sop_class, instance.syntax)]
            self._association = Association(self._address, "OVERREAD", self._calling, contexts, timeout=20)
        status = self._association.store(instance)
        self._ledger.answered(status, {instance.sop_uid} if status == 0 else set())
        return status == 0

    def _disconnect(self) -> None:
        if self._association is not None:
            self._association.abort()
        self._association = None
