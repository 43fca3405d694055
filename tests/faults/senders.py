"""Senders that go on until told to stop, and the ledger of what they were promised."""

from __future__ import annotations

import http.client
import struct
import threading
from collections import Counter
from dataclasses import dataclass, field

from benchmarks import cstore, part10, series, stow
from benchmarks.cstore import Association

SIZE = 64
_TEMPLATE_SEED = "faults"
_BASE = 10**34


def numbered_uid(kind: int, number: int, within: int = 0) -> str:
    """UIDs that are all of one length, so that one may stand in another's place in a file (41 characters)."""
    return f"2.25.1{_BASE * kind + within * 10**12 + number:035d}"


class Pictures:
    """Any number of distinct small CT slices, made by exchanging the UIDs of one."""

    def __init__(self) -> None:
        names = ("study", "series", "instance")
        uids = [series.uid(name, _TEMPLATE_SEED, *([0] if name == "instance" else [])) for name in names]
        ((_, data),) = series.slices(1, SIZE, _TEMPLATE_SEED)
        for kind, uid in enumerate(uids, 1):
            data = _exchange(data, uid, numbered_uid(kind, 0))
        # The patient's identity stays: it is the same in all studies.
        self._data = data

    def make(self, study: int, number: int) -> part10.Instance:
        """Slice `number` of a study; always the same bytes."""
        data = self._data
        for kind, uid in ((1, study_uid(study)), (2, numbered_uid(2, study)), (3, numbered_uid(3, number, study))):
            data = data.replace(numbered_uid(kind, 0).encode(), uid.encode())
        return part10.parse(data)


def study_uid(study: int) -> str:
    return numbered_uid(1, study)


def _exchange(data: bytes, old: str, new: str) -> bytes:
    """Put a longer or shorter UID in the place of one, with its length and padding (explicit VR)."""

    def element(uid: str) -> bytes:
        value = uid.encode() + b"\0" * (len(uid) & 1)
        return b"UI" + struct.pack("<H", len(value)) + value

    assert element(old) in data
    meta_old, meta_new = len(element(old)), len(element(new))
    grown = data.replace(element(old), element(new))
    parsed_meta = struct.unpack_from("<I", grown, 140)[0]
    in_meta = data[: 144 + parsed_meta].count(element(old))
    return grown[:140] + struct.pack("<I", parsed_meta + in_meta * (meta_new - meta_old)) + grown[144:]


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
        status, answer = self._client.post(stow.body([instance.data for instance in instances]))
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
