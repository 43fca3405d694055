"""What is rewritten in the scripts of OHIF as published: every kind of object is drawn under our policy, and no button
does nothing.

Each passage must be found: a release of OHIF that no longer has it fails the build, and is to be looked at.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

# ndarray, through which dcmjs unpacks segmentations, makes its classes of strings; the page that holds the token lets
# no script do so ('unsafe-eval'). The same class for every type and number of dimensions, written out.
_NDARRAY = """\
function compileConstructor(dtype, dimension) {
  var generic = dtype === "generic", views = CACHED_CONSTRUCTORS[dtype];
  function read(view, at) { return generic ? view.data.get(at) : view.data[at]; }
  function given(i) { return typeof i === "number" && i >= 0; }
  function list(values) { return Array.prototype.slice.call(values, 0, dimension); }
  function View(data, shape, stride, offset) {
    this.data = data;
    if (dimension < 0) return;
    this.offset = offset | 0;
    if (dimension > 0) { this.shape = list(shape); this.stride = list(stride); }
  }
  var proto = View.prototype;
  proto.dtype = dtype;
  proto.dimension = dimension;
  if (dimension < 1) proto.shape = proto.stride = proto.order = [];
  else Object.defineProperty(proto, "order", { get: order });
  Object.defineProperty(proto, "size", { get: function () {
    return dimension < 0 ? 0 : this.shape.reduce(function (product, n) { return product * n; }, 1);
  } });
  proto.index = function () {
    if (dimension < 0) return -1;
    for (var at = this.offset, d = 0; d < dimension; ++d) at += this.stride[d] * arguments[d];
    return at;
  };
  if (dimension === 2) proto.index = function (i, j) { return this.offset + this.stride[0] * i + this.stride[1] * j; };
  proto.get = function (i, j) {
    if (dimension >= 0) return read(this, dimension === 2 ? this.index(i, j) : this.index.apply(this, arguments));
  };
  if (dimension === 0) proto.valueOf = proto.get;
  proto.set = function () {
    if (dimension < 0) return;
    var at = this.index.apply(this, arguments), value = arguments[dimension];
    return generic ? this.data.set(at, value) : (this.data[at] = value);
  };
  proto.hi = function () {
    var wanted = arguments;
    var shape = list(this.shape).map(function (n, d) { return given(wanted[d]) ? wanted[d] | 0 : n; });
    return new View(this.data, shape, this.stride, this.offset);
  };
  proto.lo = function () {
    var shape = list(this.shape), offset = this.offset;
    for (var d = 0; d < dimension; ++d) if (given(arguments[d])) {
      offset += this.stride[d] * (arguments[d] | 0);
      shape[d] -= arguments[d] | 0;
    }
    return new View(this.data, shape, this.stride, offset);
  };
  proto.step = function () {
    var shape = list(this.shape), stride = list(this.stride), offset = this.offset;
    for (var d = 0; d < dimension; ++d) if (typeof arguments[d] === "number") {
      var by = arguments[d] | 0;
      if (by < 0) offset += stride[d] * (shape[d] - 1);
      shape[d] = Math.ceil(shape[d] / Math.abs(by));
      stride[d] *= by;
    }
    return new View(this.data, shape, stride, offset);
  };
  proto.transpose = function () {
    for (var shape = [], stride = [], d = 0; d < dimension; ++d) {
      var from = arguments[d] === undefined ? d : arguments[d] | 0;
      shape.push(this.shape[from]);
      stride.push(this.stride[from]);
    }
    return new View(this.data, shape, stride, this.offset);
  };
  proto.pick = function () {
    if (dimension < 0) return null;
    if (dimension === 0) return views[0](this.data);
    for (var shape = [], stride = [], offset = this.offset, d = 0; d < dimension; ++d) {
      if (given(arguments[d])) offset = (offset + this.stride[d] * arguments[d]) | 0;
      else { shape.push(this.shape[d]); stride.push(this.stride[d]); }
    }
    return views[shape.length + 1](this.data, shape, stride, offset);
  };
  return function (data, shape, stride, offset) { return new View(data, shape, stride, offset); };
}

"""


@dataclass(frozen=True, slots=True)
class Patch:
    """A passage of the scripts: how to know a script that has it, the passage, and what takes its place."""

    mark: str
    passage: re.Pattern[str]
    instead: str


# The type of scaled pixels is chosen by their least and greatest value alone: a dose of 0 to 60 Gy of DoseGridScaling
# 0.001 is put into bytes, before it is scaled, and is black. Whatever is scaled by a fraction is a fraction.
_SCALED = """\
if (Object.values(scalingParameters).some(factor => typeof factor === 'number' && !Number.isInteger(factor))) {
        return Float32Array.from(imageFrame.pixelData);
    }
    return _getDefaultPixelDataArray(scaledValues.min, scaledValues.max, imageFrame);"""

_TYPED = """\
function setPixelDataType(imageFrame) {
    if (imageFrame.preScale?.scaled && imageFrame.pixelData instanceof Float32Array) {
        return;
    }"""

# A video is fetched with the bearer and shown from memory; the element was given a copy of the promise of its address.
# And its first frame was drawn as soon as its size was known: on a busy machine before there was one, and stayed black.
_VIDEO = """\
async setVideoURL(videoURL) {
        videoURL = await videoURL;
        return new Promise((resolve) => {
            this.videoElement.src = videoURL;
            this.videoElement.preload = 'auto';
            const loadedDataEventHandler = () => {
                this.videoWidth = this.videoElement.videoWidth;
                this.videoHeight = this.videoElement.videoHeight;
                this.videoElement.removeEventListener('loadeddata', loadedDataEventHandler);
                this.refreshRenderValues();
                resolve(true);
            };
            this.videoElement.addEventListener('loadeddata', loadedDataEventHandler);"""

_VIDEO_ADDRESS = """\
genericMetadataProvider.addRaw(imageId, {
      type: 'imageUrlModule',"""

# dcmjs gives the repeating groups of overlays (60xx, PS3.5 7.6) one name for all, under which the last plane stands for
# every other; the viewer looks for them by tag, and drew none.
_OVERLAYS = """\
var entry = /^60/.test(tag) ? undefined : DicomMetaDictionary.dictionary[punctuatedTag];
        var naturalName = tag;"""

# Overlay Origin is row, then column (PS3.3 Table C.9-2), and a plane reaches as far as it is large: a part of the image
# was drawn elsewhere, squeezed.
_ORIGIN = """\
            x = OverlayOrigin[1];
            y = OverlayOrigin[0];"""

PATCHES = (
    Patch(
        "function compileConstructor(",
        re.compile(r"function compileConstructor\(dtype, dimension\) \{.*?(?=function arrayDType\()", re.DOTALL),
        _NDARRAY,
    ),
    Patch(
        "return _getDefaultPixelDataArray(scaledValues",
        re.compile(r"return _getDefaultPixelDataArray\(scaledValues\.min, scaledValues\.max, imageFrame\);"),
        _SCALED,
    ),
    Patch(
        "function setPixelDataType(",
        re.compile(r"function setPixelDataType\(imageFrame\) \{"),
        _TYPED,
    ),
    Patch(
        "async setVideoURL(",
        re.compile(
            r"async setVideoURL\(videoURL\) \{.{1,700}?"
            r"addEventListener\('loadedmetadata', loadedMetadataEventHandler\);",
            re.DOTALL,
        ),
        _VIDEO,
    ),
    Patch(
        "type: 'imageUrlModule'",
        re.compile(r"genericMetadataProvider\.add\(imageId, \{\s*type: 'imageUrlModule',"),
        _VIDEO_ADDRESS,
    ),
    Patch(
        "var naturalName = tag;",
        re.compile(r"var entry = DicomMetaDictionary\.dictionary\[punctuatedTag\];\s*var naturalName = tag;"),
        _OVERLAYS,
    ),
    Patch(
        "x = OverlayOrigin[0];",
        re.compile(r" *x = OverlayOrigin\[0\];\s*y = OverlayOrigin\[1\];"),
        _ORIGIN,
    ),
    Patch(
        "overlayBottomRightWorldPos = ",
        re.compile(
            r"overlayBottomRightWorldPos = esm\.utilities\.imageToWorldCoords\(imageId, \[width, height\]\);",
        ),
        "overlayBottomRightWorldPos = esm.utilities.imageToWorldCoords(imageId, [x - 1 + width, y - 1 + height]);",
    ),
    # Nothing is saved from the viewer: a button that would, and did nothing, goes.
    Patch(
        "t('Create SR')",
        re.compile(
            r"/\*#__PURE__\*/react\.createElement\(ui_next_src/\* \.Button \*/\.\$nd, \{(?:(?!createElement).)*?"
            r"promptSaveReport(?:(?!createElement).)*?\}, /\*#__PURE__\*/react\.createElement\([^()]*\), "
            r"t\('Create SR'\)\), ",
            re.DOTALL,
        ),
        "",
    ),
    # It said "Something went wrongfalse."
    Patch(
        "${t('Something went wrong')}",
        re.compile(r"\$\{t\('Something went wrong'\)\}\$\{!isProduction && (` \$\{t\('in'\)\} \$\{context\}`)\}"),
        "${t('Something went wrong')}${isProduction ? '' : ` ${t('in')} ${context}`}",
    ),
)

_DIGEST = re.compile(r"\.([0-9a-f]{16})\.js$")


class Missing(Exception):
    """A passage that was to be rewritten is not there, or not as it was."""


def apply(folder: Path) -> None:
    """Rewrite the scripts of a folder in place, each under a new name. Raises Missing."""
    texts = {path: path.read_text() for path in [*sorted(folder.glob("*.js")), folder / "index.html"]}
    changed: set[Path] = set()
    for patch in PATCHES:
        having = [path for path, text in texts.items() if patch.mark in text]
        if not having:
            raise Missing(f"no script has {patch.mark!r}")
        for path in having:
            before = texts[path]
            if len(patch.passage.findall(before)) != before.count(patch.mark):
                raise Missing(f"{path.name} has {patch.mark!r}, but not as it was")
            texts[path] = patch.passage.sub(patch.instead.replace("\\", r"\\"), before)
        changed.update(having)
    names = _new_names(texts, changed)
    for path, text in texts.items():
        renamed, named = path.name, text
        for old, new in names.items():
            renamed, named = renamed.replace(old, new), named.replace(old, new)
        path.unlink()
        path.with_name(renamed).write_text(named)


def _new_names(texts: dict[Path, str], changed: set[Path]) -> dict[str, str]:
    """The digests in the names of what was changed, and of what names that, each with the one that takes its place.

    Browsers keep a script for ever by the digest in its name.
    """
    names: dict[str, str] = {}
    edition = repr(PATCHES)
    while changed:
        for path in changed:
            if (found := _DIGEST.search(path.name)) is not None:
                names[found[1]] = hashlib.sha256((edition + path.name).encode()).hexdigest()[:16]
        changed = {
            path
            for path, text in texts.items()
            if (found := _DIGEST.search(path.name)) and found[1] not in names and any(old in text for old in names)
        }
    return names
