"""Damaged, hostile and oversized images: an error with a sentence, and the next request is served."""

from __future__ import annotations

import os
import signal
from typing import Any

import imagecodecs
import numpy as np
import pytest
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID
from starlette.testclient import TestClient

from pacs.pixels import decode, workers
from pacs.pixels.workers import Pool
from tests.conformance.rendered_objects import image, levels, ramp, shown, store
from tests.dicomweb import conftest as web

bearer, client = web.bearer, web.client

J2K, JPEG, LS, RLE = (f"1.2.840.10008.1.2.{end}" for end in ("4.90", "4.50", "4.80", "5"))
PNG = {"Accept": "image/png"}


def compressed(syntax: str, frame: bytes, rows: int = 64, columns: int = 64, **values: Any) -> Dataset:
    ds = image(np.zeros((2, 2), np.uint8), Rows=rows, Columns=columns, **values)
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    ds.PixelData = encapsulate([frame])
    ds["PixelData"].is_undefined_length = True
    return ds


def grey() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return (ramp() >> 4).astype(np.uint8)


FRAMES = {
    J2K: bytes(imagecodecs.jpeg2k_encode(grey(), codecformat="j2k", level=0)),
    JPEG: bytes(imagecodecs.jpeg8_encode(grey())),
    LS: bytes(imagecodecs.jpegls_encode(grey())),
}


@pytest.mark.parametrize("syntax", sorted(FRAMES))
@pytest.mark.parametrize("damage", ["cut", "garbage", "empty", "other size", "noise"])
def test_damaged_codestreams(client: TestClient, syntax: str, damage: str) -> None:
    frame = FRAMES[syntax]
    frame = {
        "cut": frame[: len(frame) // 3],
        "garbage": bytes(500),
        "empty": bytes(2),
        "other size": frame,
        "noise": frame[:120] + bytes(b ^ 0x5A for b in frame[120:]),
    }[damage]
    where = store(client, compressed(syntax, frame, rows=65 if damage == "other size" else 64))
    response = client.get(f"{where}/rendered")
    # A codec may show what it could make of a stream that was cut off or is noise; whatever else is refused.
    assert response.status_code in ((200, 422) if damage in ("cut", "noise") else (422,)), response.text
    if response.status_code == 422:
        assert response.json()["detail"].startswith(("This image can't be shown", "The encapsulated"))
    good = store(client, compressed(syntax, FRAMES[syntax]))
    assert shown(client.get(f"{good}/rendered")).size == (64, 64)


@pytest.mark.parametrize(
    "values",
    [
        {"Rows": 65535, "Columns": 65535},
        {"Rows": 0},
        {"BitsAllocated": 3},
        {"NumberOfFrames": 2**31 - 1},
        {"BitsStored": 17},
        {"SamplesPerPixel": 9},
        {"PhotometricInterpretation": "WHATEVER"},
        {"PhotometricInterpretation": "PALETTE COLOR"},
        {"Columns": 65535, "Rows": 1},
    ],
    ids=str,
)
def test_headers_that_lie(client: TestClient, values: dict[str, Any]) -> None:
    where = store(client, image(ramp(), **values))
    for resource in ("rendered", "thumbnail", "frames/1/rendered"):
        response = client.get(f"{where}/{resource}")
        assert response.status_code in (400, 404, 422), response.text
        assert response.json()["detail"].endswith(".")
    assert shown(client.get(f"{store(client, image(ramp()))}/rendered")).size == (64, 64)


def test_a_decompression_bomb_is_refused_before_it_is_decoded(client: TestClient) -> None:
    small = imagecodecs.jpeg2k_encode(np.zeros((64, 64), np.uint8), codecformat="j2k", level=0)
    bomb = bytearray(small)
    siz = bomb.index(b"\xff\x51")
    for place in (6, 10, 22, 26):  # Xsiz, Ysiz, XTsiz, YTsiz (ISO/IEC 15444-1 A.5.1)
        bomb[siz + place : siz + place + 4] = (65000).to_bytes(4, "big")
    lying = compressed(J2K, bytes(bomb))
    agreeing = compressed(J2K, bytes(bomb), rows=65000, columns=65000)
    for ds, why in ((lying, "another size"), (agreeing, "larger than")):
        response = client.get(f"{store(client, ds)}/rendered")
        assert response.status_code == 422
        assert why in response.json()["detail"]


def test_a_segment_that_unpacks_to_far_too_much_is_cut(client: TestClient) -> None:
    header = np.zeros(16, "<u4")
    header[:2] = 1, 64
    bomb = header.tobytes() + b"\x81\x00" * 2_000_000
    response = client.get(f"{store(client, compressed(RLE, bomb))}/rendered", headers=PNG)
    assert response.status_code in (200, 422)
    if response.status_code == 200:
        assert levels(response).max() == 0


def test_the_decoding_process_may_be_killed_at_any_time(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "FRAMES", type(decode.FRAMES)(0))
    where = store(client, compressed(J2K, FRAMES[J2K]))
    for quality in range(50, 56):
        assert shown(client.get(f"{where}/rendered", params={"quality": quality})).size == (64, 64)
        for pid in workers.POOL.pids():
            os.kill(pid, signal.SIGKILL)


def test_a_codec_that_crashes_takes_nothing_else_down(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = Pool(module="tests.pacs.pixels.bad_worker")
    call = bad.call
    monkeypatch.setattr(decode, "FRAMES", type(decode.FRAMES)(0))
    monkeypatch.setattr(bad, "call", lambda head, *rest, **more: call({**head, "op": "segfault"}, *rest, **more))
    where = store(client, compressed(J2K, FRAMES[J2K]))
    with monkeypatch.context() as crashing:
        crashing.setattr(workers, "POOL", bad)
        response = client.get(f"{where}/rendered", params={"quality": "31"})
        assert response.status_code == 422
        assert "can't be shown" in response.json()["detail"]
    assert shown(client.get(f"{where}/rendered", params={"quality": "31"})).size == (64, 64)


def test_an_animation_has_an_end(client: TestClient) -> None:
    frames = np.zeros((40, 8, 8), np.uint8)
    where = store(client, image(frames, "1.2.840.10008.5.1.4.1.1.3.1", "US"))
    response = client.get(f"{where}/rendered", params={"viewport": "16000,16000"}, headers={"Accept": "image/gif"})
    assert response.status_code == 400
    assert "smaller viewport" in response.json()["detail"]
    assert client.get(f"{where}/rendered", headers={"Accept": "image/gif"}).status_code == 200
