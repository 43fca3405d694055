"""What is rewritten in the viewer's scripts: all of it or nothing, and the same in other words."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from viewer_bridge.ohif import patches

BUNDLE, OTHER = "7.bundle.0123456789abcdef.js", "8.bundle.fedcba9876543210.js"
PASSAGES = """
function compileConstructor(dtype, dimension) { return new Function("generated")() }
function arrayDType(data) {}
return _getDefaultPixelDataArray(scaledValues.min, scaledValues.max, imageFrame);
function setPixelDataType(imageFrame) {
async setVideoURL(videoURL) {
  return new Promise((resolve) => {
    this.videoElement.addEventListener('loadedmetadata', loadedMetadataEventHandler);
genericMetadataProvider.add(imageId, {
      type: 'imageUrlModule',
}, /*#__PURE__*/react.createElement(ui_next_src/* .Button */.$nd, { size: "sm", onClick: e => {
  commandsManager.run('promptSaveReport', { StudyInstanceUID });
} }, /*#__PURE__*/react.createElement(ui_next_src/* .Icons.Add */.FI1.Add, null), t('Create SR')), more);
var entry = DicomMetaDictionary.dictionary[punctuatedTag];
  var naturalName = tag;
            x = OverlayOrigin[0];
            y = OverlayOrigin[1];
const overlayBottomRightWorldPos = esm.utilities.imageToWorldCoords(imageId, [width, height]);
const title = `${t('Something went wrong')}${!isProduction && ` ${t('in')} ${context}`}.`;
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / BUNDLE).write_text(PASSAGES)
    (tmp_path / OTHER).write_text("load('0123456789abcdef')")
    (tmp_path / "index.html").write_text(f'<script src="/{OTHER}"></script>')
    return tmp_path


def test_what_is_rewritten_has_a_new_name_and_so_has_what_names_it(folder: Path) -> None:
    patches.apply(folder)
    scripts = {path.name: path.read_text() for path in folder.iterdir()}
    assert len(scripts) == 3
    assert BUNDLE not in scripts
    assert OTHER not in scripts
    texts = "".join(scripts.values())
    assert "new Function" not in texts
    assert "0123456789abcdef" not in texts
    (page,) = (text for name, text in scripts.items() if name == "index.html")
    assert page.split('"/')[1].split('"')[0] in scripts


@pytest.mark.parametrize("patch", patches.PATCHES, ids=lambda patch: patch.mark)
def test_a_passage_that_is_gone_or_not_as_it_was_fails_the_build(folder: Path, patch: patches.Patch) -> None:
    bundle = folder / BUNDLE
    whole = bundle.read_text()
    for other, said in (("", "no script has"), (patch.mark + " {", "not as it was")):
        start, end = next(patch.passage.finditer(whole)).span()
        bundle.write_text(whole[:start] + other + whole[end:])
        with pytest.raises(patches.Missing, match=said):
            patches.apply(folder)


ASK = """
const CACHED_CONSTRUCTORS = { uint8: [], generic: [] };
const order = function () {
  return this.stride.map((s, i) => [Math.abs(s), i]).sort((a, b) => a[0] - b[0]).map(p => p[1]);
};
%s
for (const type in CACHED_CONSTRUCTORS)
  for (let d = -1; d < 4; ++d) CACHED_CONSTRUCTORS[type].push(compileConstructor(type, d));
const bytes = Uint8Array.from({ length: 24 }, (_, i) => i);
const list = { get: i => bytes[i], set: (i, v) => (bytes[i] = v) };
function all(a) {
  const out = [], walk = (...at) => at.length === a.dimension ? out.push(a.get(...at))
    : Array.from({ length: a.shape[at.length] }, (_, i) => walk(...at, i));
  walk();
  return { shape: a.shape, values: out, size: a.size, order: a.order };
}
const answers = ['uint8', 'generic'].map(type => {
  const a = CACHED_CONSTRUCTORS[type][4](type === 'uint8' ? bytes : list, [2, 3, 4], [12, 4, 1], 0);
  return [a, a.hi(2, 2), a.lo(1, undefined, 2), a.step(1, -1, 2), a.step(-1, 2, -3), a.transpose(2, 0, 1), a.pick(1),
    a.pick(null, 2), a.pick(-1, 1, 3), a.pick(1, 2, 3), a.lo(1).hi(1, 2).transpose(1, 0, 2).step(-1)].map(all);
});
const a = CACHED_CONSTRUCTORS.uint8[3](bytes, [4, 6], [6, 1], 0);
a.set(2, 3, 200);
const nil = CACHED_CONSTRUCTORS.uint8[0](bytes);
process.stdout.write(JSON.stringify([answers, [bytes[15], a.index(2, 3), a.dtype, nil.size, nil.index(), nil.pick()]]));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="no node, with which the viewer is built")
def test_the_written_out_views_are_numpy_s() -> None:
    run = subprocess.run(["node", "-e", ASK % patches._NDARRAY], capture_output=True, text=True, check=True)
    (answers, rest) = json.loads(run.stdout)
    a = np.arange(24).reshape(2, 3, 4)
    expected = [
        a, a[:2, :2], a[1:, :, 2:], a[:, ::-1, ::2], a[::-1, ::2, ::-3], a.transpose(2, 0, 1), a[1], a[:, 2],
        a[:, 1, 3], a[1, 2, 3], a[1:][:1, :2].transpose(1, 0, 2)[::-1],
    ]  # fmt: skip
    for answered in answers:
        for got, want in zip(answered, expected, strict=True):
            assert got["shape"] == list(want.shape)
            assert got["values"] == want.ravel().tolist()
            assert got["size"] == want.size
    assert answers[0][0]["order"] == [2, 1, 0]
    assert rest == [200, 15, "uint8", 0, -1, None]
