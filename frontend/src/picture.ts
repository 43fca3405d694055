// A small picture of an image, so that people recognise what they send. No diagnosis is made from it.

import type { DataSet } from "dicom-parser";
import { parseHeader } from "./dicom";
import type { Image } from "./group";
import { join } from "./zip";

const IMPLICIT_LITTLE = "1.2.840.10008.1.2";
const EXPLICIT_LITTLE = "1.2.840.10008.1.2.1";
const JPEG_BASELINE = "1.2.840.10008.1.2.4.50";
const DRAWABLE: ReadonlySet<string> = new Set([IMPLICIT_LITTLE, EXPLICIT_LITTLE, JPEG_BASELINE]);
const MAX_BYTES = 64 * 1024 * 1024;
/** Item (FFFE,E000), as the two little-endian words of its tag read. */
const ITEM = 0xe000fffe;
const MAX_SIDE = 16384;

export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly rgba: Uint8ClampedArray<ArrayBuffer>;
}

function text(set: DataSet, tag: string): string {
  return (set.string(tag) ?? "").trim();
}

function number(set: DataSet, tag: string): number {
  return Number.parseFloat(text(set, tag).split("\\")[0] ?? "");
}

/** The stored values of the middle frame as greys of 0..255, by the window in the header or by their own range. */
function grey(data: DataView, offset: number, count: number, bytes: 1 | 2, set: DataSet, step: (i: number) => number): Uint8Array {
  const signed = set.uint16("x00280103") === 1;
  const slope = number(set, "x00281053") || 1;
  const intercept = number(set, "x00281052") || 0;
  const value = (i: number): number => {
    const at = offset + i * bytes;
    const stored = bytes === 1 ? (signed ? data.getInt8(at) : data.getUint8(at)) : signed ? data.getInt16(at, true) : data.getUint16(at, true);
    return stored * slope + intercept;
  };
  let centre = number(set, "x00281050");
  let width = number(set, "x00281051");
  if (!(width >= 1) || Number.isNaN(centre)) {
    const sample: number[] = [];
    for (let i = 0; i < count; i += 1) sample.push(value(step(i)));
    sample.sort((a, b) => a - b);
    const low = sample[Math.floor(sample.length * 0.01)] ?? 0;
    const high = sample[Math.floor(sample.length * 0.99)] ?? 0;
    centre = (low + high) / 2;
    width = Math.max(1, high - low);
  }
  const inverted = text(set, "x00280004") === "MONOCHROME1";
  const out = new Uint8Array(count);
  for (let i = 0; i < count; i += 1) {
    const level = Math.max(0, Math.min(255, ((value(step(i)) - centre) / width + 0.5) * 255));
    out[i] = inverted ? 255 - level : level;
  }
  return out;
}

/** Renders the middle frame of a file, at most `side` pixels a side; null where this page can't (compressed, odd). */
export function render(bytes: Uint8Array, side: number): Picture | null {
  const set = parseHeader(bytes);
  const syntax = text(set, "x00020010");
  if (syntax !== IMPLICIT_LITTLE && syntax !== EXPLICIT_LITTLE) return null;
  const rows = set.uint16("x00280010") ?? 0;
  const columns = set.uint16("x00280011") ?? 0;
  const allocated = set.uint16("x00280100") ?? 0;
  const samples = set.uint16("x00280002") ?? 1;
  const pixels = set.elements["x7fe00010"];
  if (!pixels || rows < 1 || columns < 1 || rows > MAX_SIDE || columns > MAX_SIDE) return null;
  const photometric = text(set, "x00280004");
  const isGrey = samples === 1 && /^MONOCHROME[12]$/.test(photometric) && (allocated === 8 || allocated === 16);
  const isColour = samples === 3 && photometric === "RGB" && allocated === 8;
  if (!isGrey && !isColour) return null;
  const frameBytes = rows * columns * samples * (allocated / 8);
  const frames = Math.max(1, Number.parseInt(text(set, "x00280008"), 10) || 1);
  const offset = pixels.dataOffset + Math.floor(frames / 2) * frameBytes;
  if (offset + frameBytes > bytes.length) return null;
  const scale = Math.min(1, side / Math.max(rows, columns));
  const width = Math.max(1, Math.round(columns * scale));
  const height = Math.max(1, Math.round(rows * scale));
  const count = width * height;
  const step = (i: number): number => {
    const y = Math.min(rows - 1, Math.floor((Math.floor(i / width) + 0.5) / scale));
    const x = Math.min(columns - 1, Math.floor(((i % width) + 0.5) / scale));
    return y * columns + x;
  };
  const rgba = new Uint8ClampedArray(count * 4).fill(255);
  if (isGrey) {
    const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const levels = grey(data, offset, count, allocated === 8 ? 1 : 2, set, step);
    for (let i = 0; i < count; i += 1) rgba.fill(levels[i] ?? 0, i * 4, i * 4 + 3);
  } else {
    const planar = set.uint16("x00280006") === 1;
    for (let i = 0; i < count; i += 1) {
      for (let c = 0; c < 3; c += 1) {
        const at = planar ? c * rows * columns + step(i) : step(i) * 3 + c;
        rgba[i * 4 + c] = bytes[offset + at] ?? 0;
      }
    }
  }
  return { width, height, rgba };
}

/** The first frame of a JPEG baseline file (PS3.5 A.4), which the browser itself can decode; null for anything else. */
export function jpegOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> | null {
  const set = parseHeader(bytes);
  const pixels = set.elements["x7fe00010"];
  if (text(set, "x00020010") !== JPEG_BASELINE || !pixels) return null;
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const several = (Number.parseInt(text(set, "x00280008"), 10) || 1) > 1;
  const fragments: Uint8Array[] = [];
  for (let at = pixels.dataOffset; at + 8 <= bytes.length && data.getUint32(at, true) === ITEM; ) {
    const end = at + 8 + data.getUint32(at + 4, true);
    if (end > bytes.length) return null;
    fragments.push(bytes.subarray(at + 8, end));
    at = end;
  }
  // The first item is the offset table. A single frame may be cut into fragments; of many, one fragment a frame is usual.
  const frame = fragments.slice(1, several ? 2 : undefined);
  return frame.length > 0 ? join(frame) : null;
}

/** Draws the image onto the canvas; false where no picture can be made. */
export async function draw({ source, header }: Image, canvas: HTMLCanvasElement, side: number): Promise<boolean> {
  const context = canvas.getContext("2d");
  if (!context || source.size > MAX_BYTES || !DRAWABLE.has(header.transferSyntax)) return false;
  try {
    const bytes = await source.head(source.size);
    const picture = render(bytes, side);
    if (picture) {
      canvas.width = picture.width;
      canvas.height = picture.height;
      context.putImageData(new ImageData(picture.rgba, picture.width, picture.height), 0, 0);
      return true;
    }
    const jpeg = jpegOf(bytes);
    if (!jpeg) return false;
    const bitmap = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
    const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
    canvas.width = Math.max(1, Math.round(bitmap.width * scale));
    canvas.height = Math.max(1, Math.round(bitmap.height * scale));
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    bitmap.close();
    return true;
  } catch {
    return false; // A picture is a help, never a reason to refuse a file.
  }
}
