"""Which transfer syntax and media type answers what Accept: a table for frames, one for files (PS3.18 8.7)."""

from __future__ import annotations

import pytest

from dicomweb.media import accepted
from dicomweb.syntaxes import instance_syntax, pixel_answers, pixel_offers

IMPLICIT, EXPLICIT, DEFLATED, BIG = (
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.2",
)
J = "1.2.840.10008.1.2.4."
BASELINE, LOSSLESS, JLS, J2K, J2K_LOSSY, HTJ2K, JXL = (J + n for n in ("50", "70", "80", "90", "91", "201", "110"))
RLE, MPEG2, H264, HEVC = "1.2.840.10008.1.2.5", J + "100", J + "102", J + "107"
OCTETS = "application/octet-stream"
ALL = frozenset((EXPLICIT, JLS, J2K, HTJ2K, LOSSLESS, BASELINE, RLE))
NONE = frozenset[str]()


def multi(kind: str, syntax: str | None = None) -> str:
    return f'multipart/related; type="{kind}"' + (f"; transfer-syntax={syntax}" if syntax else "")


def asked(header: str, stored: str, targets: frozenset[str], *, single: bool = True) -> tuple[str, str, bool] | None:
    answer = next(pixel_answers(accepted(header, None), stored, lambda: targets, lambda _: single), None)
    return (answer.type, answer.syntax, answer.multipart) if answer else None


@pytest.mark.parametrize(
    ("header", "stored", "targets", "type", "syntax", "multipart"),
    [
        # Native pixels are Explicit VR Little Endian, however the file has them.
        *(
            (multi(OCTETS, asked_for), stored, ALL, OCTETS, EXPLICIT, True)
            for stored in (IMPLICIT, EXPLICIT, DEFLATED, BIG)
            for asked_for in (None, "*", EXPLICIT, IMPLICIT)
        ),
        *((header, EXPLICIT, ALL, OCTETS, EXPLICIT, True) for header in ("*/*", "", "multipart/related")),
        ("application/*", EXPLICIT, ALL, OCTETS, EXPLICIT, False),
        (OCTETS, EXPLICIT, NONE, OCTETS, EXPLICIT, False),
        # What is stored, where anything will do.
        *((multi(OCTETS, "*"), stored, ALL, OCTETS, stored, True) for stored in (JLS, J2K, RLE, BASELINE, H264)),
        *(("*/*", stored, ALL, OCTETS, stored, True) for stored in (JLS, J2K, RLE, BASELINE)),
        *((multi("*/*", "*"), stored, ALL, OCTETS, stored, True) for stored in (JLS, J2K)),
        # The default of octet-stream is Explicit VR Little Endian, unless only a lossy form is there (8.7.3).
        *((multi(OCTETS), stored, ALL, OCTETS, EXPLICIT, True) for stored in (JLS, J2K, RLE, HTJ2K, LOSSLESS, JXL)),
        *((multi(OCTETS), stored, ALL, OCTETS, stored, True) for stored in (BASELINE, J2K_LOSSY, MPEG2, H264, HEVC)),
        (multi(OCTETS), JLS, NONE, OCTETS, JLS, True),
        (OCTETS, JLS, ALL, OCTETS, EXPLICIT, False),
        (f"{OCTETS}; transfer-syntax=*", JLS, ALL, OCTETS, JLS, False),
        (f"{OCTETS}; transfer-syntax={EXPLICIT}", BASELINE, ALL, OCTETS, EXPLICIT, False),
        # An image type is what is stored where that is one, else its default syntax (Table 8.7.3-5).
        ("image/jls", JLS, ALL, "image/jls", JLS, False),
        (multi("image/jls"), J2K, ALL, "image/jls", JLS, True),
        (multi("image/jpeg"), BASELINE, NONE, "image/jpeg", BASELINE, True),
        ("image/jpeg", EXPLICIT, ALL, "image/jpeg", LOSSLESS, False),
        ("image/jp2", J2K_LOSSY, ALL, "image/jp2", J2K_LOSSY, False),
        ("image/jphc", EXPLICIT, ALL, "image/jphc", HTJ2K, False),
        ("image/jph", HTJ2K, NONE, "image/jph", HTJ2K, False),
        ("image/jxl", JXL, NONE, "image/jxl", JXL, False),
        ("image/dicom-rle", RLE, NONE, "image/dicom-rle", RLE, False),
        ("image/*", J2K, NONE, "image/jp2", J2K, False),
        (f"image/jpeg; transfer-syntax={BASELINE}", EXPLICIT, ALL, "image/jpeg", BASELINE, False),
        ("video/mpeg", MPEG2, NONE, "video/mpeg", MPEG2, False),
        ("video/mpeg2", MPEG2, NONE, "video/mpeg2", MPEG2, False),
        (multi("video/mpeg2", MPEG2), MPEG2, NONE, "video/mpeg2", MPEG2, True),
        ("video/mp4", H264, NONE, "video/mp4", H264, False),
        ("video/*", HEVC, NONE, "video/h265", HEVC, False),
        # Qualities order, what can't be had is passed over, 0 excludes.
        (f"image/jp2;q=0.2, {multi('image/jls')};q=0.9", JLS, ALL, "image/jls", JLS, True),
        (f"image/jxl, {OCTETS};q=0.1", EXPLICIT, ALL, OCTETS, EXPLICIT, False),
        (f"{multi(OCTETS, J + '57')}, {multi(OCTETS, '*')};q=0.5", JLS, ALL, OCTETS, JLS, True),
        ("image/jls;q=0, image/*", J2K, ALL, "image/jp2", J2K, False),
        # Of equal weights that which is stored, wherever it stands.
        (f"{multi('image/jls')}, {multi('image/jp2')}, {multi(OCTETS)}", J2K, ALL, "image/jp2", J2K, True),
        (f"{multi('image/jls')}, {multi('image/jp2')}, {multi(OCTETS)}", EXPLICIT, ALL, OCTETS, EXPLICIT, True),
        (f"{multi(OCTETS, JLS)}, {multi(OCTETS, HTJ2K)}", HTJ2K, ALL, OCTETS, HTJ2K, True),
        (f"{multi('image/jls')}, {multi('image/jp2')};q=0.9", J2K, ALL, "image/jls", JLS, True),
        (f"{multi('image/jls')}, {multi('image/jp2')}", HTJ2K, ALL, "image/jls", JLS, True),
        # Any picture: what loses nothing first, and not what is excluded.
        ("image/*", EXPLICIT, ALL, "image/jpeg", LOSSLESS, False),
        (multi("image/*"), DEFLATED, ALL, "image/jpeg", LOSSLESS, True),
        ("image/*", EXPLICIT, frozenset((BASELINE, J2K)), "image/jp2", J2K, False),
        ("image/*", EXPLICIT, frozenset((BASELINE, J2K_LOSSY)), "image/jpeg", BASELINE, False),
        ("image/jpeg;q=0, image/*", EXPLICIT, ALL, "image/dicom-rle", RLE, False),
        ("image/jls;q=0, image/*", JLS, ALL, "image/jpeg", LOSSLESS, False),
        (f"{multi('image/*')};q=0.9, {multi(OCTETS)};q=0.1", EXPLICIT, ALL, "image/jpeg", LOSSLESS, True),
        (f"{multi('image/*')};q=0.1, {multi(OCTETS)};q=0.9", EXPLICIT, ALL, OCTETS, EXPLICIT, True),
        (f"image/*; transfer-syntax={JLS}", EXPLICIT, ALL, "image/jls", JLS, False),
    ],
)
def test_frames(header: str, stored: str, targets: frozenset[str], type: str, syntax: str, multipart: bool) -> None:  # noqa: A002
    assert asked(header, stored, targets) == (type, syntax, multipart)


@pytest.mark.parametrize(
    ("header", "stored", "targets"),
    [
        ("text/html", EXPLICIT, ALL),
        ("image/png", JLS, ALL),
        ("image/jls", EXPLICIT, NONE),
        (f"{OCTETS};q=0", EXPLICIT, ALL),
        (multi(OCTETS, J + "57"), JLS, ALL),
        (multi("image/jp2", JLS), JLS, ALL),
        (multi(OCTETS, BIG), BIG, ALL),
        ("video/mp4", MPEG2, ALL),
        (multi(OCTETS, "nonsense"), EXPLICIT, ALL),
        ("application/dicom", EXPLICIT, ALL),
    ],
)
def test_frames_that_cannot_be_had(header: str, stored: str, targets: frozenset[str]) -> None:
    assert asked(header, stored, targets) is None
    assert any(stored in str(offer) or EXPLICIT in str(offer) for offer in pixel_offers(stored, lambda: targets, True))


def test_several_frames_need_multipart() -> None:
    assert asked(OCTETS, EXPLICIT, ALL, single=False) is None
    assert asked(multi(OCTETS), EXPLICIT, ALL, single=False) == (OCTETS, EXPLICIT, True)


@pytest.mark.parametrize(
    ("header", "stored", "targets", "given"),
    [
        *((f"application/dicom; transfer-syntax={s}", s, NONE, s) for s in (IMPLICIT, EXPLICIT, BIG, JLS, H264)),
        *(("application/dicom; transfer-syntax=*", s, ALL, s) for s in (IMPLICIT, EXPLICIT, BIG, JLS, H264)),
        *(("*/*", s, ALL, s) for s in (IMPLICIT, EXPLICIT, JLS)),
        *(("application/dicom", s, ALL, EXPLICIT) for s in (IMPLICIT, EXPLICIT, DEFLATED, BIG, JLS, J2K, RLE)),
        *(("application/dicom", s, ALL, s) for s in (BASELINE, J2K_LOSSY, H264)),
        ("application/dicom", JXL, NONE, JXL),
        (f"application/dicom; transfer-syntax={EXPLICIT}", BASELINE, ALL, EXPLICIT),
        (f"application/dicom; transfer-syntax={JLS}", EXPLICIT, ALL, JLS),
        (f"application/dicom; transfer-syntax={JXL}", EXPLICIT, ALL, None),
        ("application/zip", IMPLICIT, ALL, IMPLICIT),
    ],
)
def test_instances(header: str, stored: str, targets: frozenset[str], given: str | None) -> None:
    assert instance_syntax(accepted(header, None)[0], stored, lambda: targets) == given
