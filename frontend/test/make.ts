// DICOM files and ZIPs made in the test, byte by byte.

import { deflateRawSync } from "node:zlib";

export type Value = string | Uint8Array | number;
type Row = readonly [group: number, element: number, vr: string, value: Value];

export const EXPLICIT = "1.2.840.10008.1.2.1";
export const MR = "1.2.840.10008.5.1.4.1.1.4";

function bytesOf(value: Value): Uint8Array {
  if (typeof value === "number") return new Uint8Array(new Uint16Array([value]).buffer);
  const raw = typeof value === "string" ? new TextEncoder().encode(value) : value;
  if (raw.length % 2 === 0) return raw;
  return Uint8Array.from([...raw, typeof value === "string" ? 0x20 : 0]);
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function element([group, number, vr, value]: Row): Uint8Array {
  const data = bytesOf(value);
  const long = ["OB", "OW", "UN", "UT", "SQ"].includes(vr);
  const head = new DataView(new ArrayBuffer(long ? 12 : 8));
  head.setUint16(0, group, true);
  head.setUint16(2, number, true);
  head.setUint8(4, vr.charCodeAt(0));
  head.setUint8(5, vr.charCodeAt(1));
  if (long) head.setUint32(8, data.length, true);
  else head.setUint16(6, data.length, true);
  return concat(new Uint8Array(head.buffer), data);
}

export function dicom(rows: readonly Row[], syntax = EXPLICIT, sopClass = MR): Uint8Array<ArrayBuffer> {
  const meta = concat(element([2, 2, "UI", sopClass]), element([2, 3, "UI", "1.2.3.4"]), element([2, 0x10, "UI", syntax]));
  const length = new Uint8Array(new Uint32Array([meta.length]).buffer);
  let data = concat(...rows.map(element));
  if (syntax.endsWith(".99")) data = new Uint8Array(deflateRawSync(data));
  return concat(new Uint8Array(128), new TextEncoder().encode("DICM"), element([2, 0, "UL", length]), meta, data);
}

export interface Say {
  sop?: string;
  series?: string;
  study?: string;
  name?: Value;
  birth?: string;
  date?: string;
  charset?: string;
  instance?: string;
  extra?: readonly Row[];
}

/** The header of one MR image, in ascending order of tags. */
export function rows(say: Say = {}): Row[] {
  return [
    [8, 5, "CS", say.charset ?? "ISO_IR 192"],
    [8, 0x16, "UI", MR],
    [8, 0x18, "UI", say.sop ?? "1.2.3.4"],
    [8, 0x20, "DA", say.date ?? "20261112"],
    [8, 0x60, "CS", "MR"],
    [8, 0x1030, "LO", "Knee left"],
    [8, 0x103e, "LO", "t2 sag"],
    [0x10, 0x10, "PN", say.name ?? "DOE^JANE"],
    [0x10, 0x20, "LO", "44-1"],
    [0x10, 0x30, "DA", say.birth ?? "19700503"],
    [0x18, 0x15, "CS", "KNEE"],
    [0x20, 0xd, "UI", say.study ?? "1.2.3"],
    [0x20, 0xe, "UI", say.series ?? "1.2.3.1"],
    [0x20, 0x11, "IS", "2"],
    [0x20, 0x13, "IS", say.instance ?? "7"],
    ...(say.extra ?? []),
  ];
}

/** Grey pixels: `columns` x `rows` of 16 bits. */
export function pixels(columns: number, height: number, values: readonly number[], photometric = "MONOCHROME2"): Row[] {
  return [
    [0x28, 2, "US", 1],
    [0x28, 4, "CS", photometric],
    [0x28, 0x10, "US", height],
    [0x28, 0x11, "US", columns],
    [0x28, 0x100, "US", 16],
    [0x28, 0x103, "US", 0],
    [0x7fe0, 0x10, "OW", new Uint8Array(new Uint16Array(values).buffer)],
  ];
}

export interface Entry {
  name: string;
  data: Uint8Array;
  deflate?: boolean;
  flags?: number;
  claimedSize?: number;
}

/** A ZIP; checksums are left at 0, as the reader does not use them. */
export function zip(entries: readonly Entry[], comment = ""): Uint8Array<ArrayBuffer> {
  const locals: Uint8Array[] = [];
  const central: Uint8Array[] = [];
  let at = 0;
  for (const entry of entries) {
    const name = new TextEncoder().encode(entry.name);
    const packed = entry.deflate ? new Uint8Array(deflateRawSync(entry.data)) : entry.data;
    const fields = (view: DataView, from: number): void => {
      view.setUint16(from, entry.flags ?? 0x800, true);
      view.setUint16(from + 2, entry.deflate ? 8 : 0, true);
      view.setUint32(from + 12, packed.length, true);
      view.setUint32(from + 16, entry.claimedSize ?? entry.data.length, true);
      view.setUint16(from + 20, name.length, true);
    };
    const local = new DataView(new ArrayBuffer(30));
    local.setUint32(0, 0x04034b50, true);
    fields(local, 6);
    const head = new DataView(new ArrayBuffer(46));
    head.setUint32(0, 0x02014b50, true);
    fields(head, 8);
    head.setUint32(42, at, true);
    central.push(new Uint8Array(head.buffer), name);
    locals.push(new Uint8Array(local.buffer), name, packed);
    at += 30 + name.length + packed.length;
  }
  const directory = concat(...central);
  const note = new TextEncoder().encode(comment);
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(10, entries.length, true);
  end.setUint32(12, directory.length, true);
  end.setUint32(16, at, true);
  end.setUint16(20, note.length, true);
  return concat(...locals, directory, new Uint8Array(end.buffer), note);
}

export function file(bytes: Uint8Array<ArrayBuffer>, name = "IM1"): File {
  return new File([bytes], name);
}
