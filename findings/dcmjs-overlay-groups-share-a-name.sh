#!/usr/bin/env bash
# dcmjs 0.52.2: of several overlay planes of an image one is left, and the viewer that looks for them by tag finds none.
#
# Overlays stand in repeating groups (6000, 6002, ... 601E; PS3.5 7.6): an image may have sixteen, told apart by their
# group alone. naturalizeDataset gives an element of each the same name (60003000 and 60023000 are both OverlayData), so
# that the last plane takes the place of the others, its rows and origin too, and the tags are gone (0.41.0 kept them,
# "60003000" and so on). OHIF 3.13.2, built with a later one, reads overlays by tag, and draws none.
# Seen with Node.js 20 on Linux. Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund dcmjs@0.52.2 >/dev/null
cat >look.cjs <<'SCRIPT'
const { DicomMetaDictionary } = require("dcmjs").data;
const us = value => ({ vr: "US", Value: [value] });
const planes = {
  60000010: us(512), 60000011: us(512), 60003000: { vr: "OW", BulkDataURI: "first" },
  60020010: us(64), 60020011: us(64), 60023000: { vr: "OW", BulkDataURI: "second" },
};
const found = DicomMetaDictionary.naturalizeDataset(planes);
console.log(JSON.stringify(found));
const lost = found.OverlayData && found.OverlayData.BulkDataURI === "second" && found.OverlayRows === 64
  && found["60003000"] === undefined && found["60023000"] === undefined;
if (!lost) { console.error("changed: the planes are told apart"); process.exit(1); }
SCRIPT
node look.cjs
