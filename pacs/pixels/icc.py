"""Colour spaces of rendered pictures (PS3.18 8.3.5.1.5)."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import imagecodecs
import numpy as np
from PIL import Image
from pydicom import Dataset

from pacs.pixels import attributes, workers
from pacs.pixels.errors import CannotDecode
from pacs.pixels.layout import Layout

Choice = Literal["no", "yes", "srgb", "adobergb", "rommrgb", "displayp3"]

#: The largest profile of an image that is believed.
_MAX_PROFILE = 4 << 20

# ROMM RGB (ISO 22028-2): its white point, D50, its primaries and its gamma; the linear toe is left out.
_ROMM_WHITE, _ROMM_PRIMARIES, _ROMM_GAMMA = (0.3457, 0.3585), (0.7347, 0.2653, 0.1596, 0.8404, 0.0366, 0.0001), 1.8

# Display P3 (SMPTE EG 432-1): its white point, D65, its primaries, and sRGB's curve.
_P3_WHITE, _P3_PRIMARIES = (0.3127, 0.3290), (0.680, 0.320, 0.265, 0.690, 0.150, 0.060)


def convert(picture: Image.Image, ds: Dataset, choice: Choice) -> tuple[Image.Image, bytes | None]:
    """Give the picture in that colour space, and the profile to write with it; none for "no".

    "yes" keeps the image's own space where its header has a profile, else the picture counts as sRGB, as do the
    others before they are converted. A profile that can't be used counts as none.
    """
    if choice == "no":
        return picture, None
    colours = picture.convert("RGB")
    own = _own(ds) if picture.mode == "RGB" else None
    if choice == "yes":
        return colours, own or standard("srgb")
    wanted = standard(choice)
    if choice == "srgb" and own is None:
        return colours, wanted
    try:
        return _transformed(colours, own or standard("srgb"), wanted), wanted
    except CannotDecode:
        return _transformed(colours, standard("srgb"), wanted), wanted


@lru_cache
def standard(name: str) -> bytes:
    """Give the profile of sRGB, Adobe RGB (1998), ROMM RGB or Display P3."""
    if name == "displayp3":
        coded = np.linspace(0, 1, 1024)
        linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
        curve = np.rint(linear * 65535).astype(np.uint16)
        return imagecodecs.cms_profile("rgb", whitepoint=_P3_WHITE, primaries=_P3_PRIMARIES, transferfunction=curve)
    if name == "rommrgb":
        return imagecodecs.cms_profile("rgb", whitepoint=_ROMM_WHITE, primaries=_ROMM_PRIMARIES, gamma=_ROMM_GAMMA)
    return imagecodecs.cms_profile(name)


def _own(ds: Dataset) -> bytes | None:
    """Give ICC Profile, the image's or its first optical path's (PS3.3 C.11.15); None where there is none for RGB."""
    holders = [ds, *attributes.items(ds, "OpticalPathSequence")[:1]]
    for holder in holders:
        found = attributes.value(holder, "ICCProfile")
        # Offsets 16 and 36 of a profile's header (ISO 15076-1 7.2): its colour space and its signature.
        if isinstance(found, bytes) and 128 < len(found) <= _MAX_PROFILE:
            return found if found[16:20] == b"RGB " and found[36:40] == b"acsp" else None
    return None


def _transformed(picture: Image.Image, source: bytes, target: bytes) -> Image.Image:
    """Convert in the process that may die: a stranger's profile is read there, too."""
    form = Layout(picture.height, picture.width, 3, 8, 8, 7, False, False, False, "RGB")
    head = {"op": "recolour", "profiles": [len(source), len(target)]}
    body = workers.POOL.call(head, form, source + target + picture.tobytes(), exactly=form.count)
    return Image.fromarray(np.frombuffer(body, np.uint8).reshape(form.shape))
