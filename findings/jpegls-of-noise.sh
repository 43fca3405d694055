#!/usr/bin/env bash
# imagecodecs 2026.3.6: jpegls_encode has no room for pixels that JPEG-LS can't make smaller.
#
# Lossless JPEG-LS of noise is a few percent larger than the samples (ITU-T T.87 has no escape to raw samples). The
# buffer that jpegls_encode makes by itself does not hold that: valid 16-bit images of 1024 x 1024 raise JpeglsError.
# Smaller ones fit. With `out=` (a size in bytes) the same call succeeds, and what it gives decodes to the same samples.
# Seen with numpy 2.3.5 on Linux. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check imagecodecs==2026.3.6 numpy==2.3.5
"$folder/venv/bin/python" - <<'PYTHON'
import imagecodecs
import numpy as np


def noise(side: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 65536, (side, side), dtype=np.uint16)


small, large = noise(64), noise(1024)
assert (imagecodecs.jpegls_decode(imagecodecs.jpegls_encode(small)) == small).all()
try:
    imagecodecs.jpegls_encode(large)
except imagecodecs.JpeglsError as error:
    print(f"1024 x 1024 of noise, {large.nbytes} bytes: {error}")
else:
    raise SystemExit("changed: noise of 1024 x 1024 is encoded without `out`")
encoded = imagecodecs.jpegls_encode(large, out=2 * large.nbytes)
assert (imagecodecs.jpegls_decode(encoded) == large).all()
print(f"with room it is {len(encoded)} bytes, {100 * len(encoded) / large.nbytes - 100:.1f} % more than the samples")
PYTHON
