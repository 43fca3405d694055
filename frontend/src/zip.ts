// Reading a ZIP by its central directory (APPNOTE.TXT 4.3), entry by entry: a ZIP of a CD may be larger than the memory.

import { Inflate } from "fflate";
import { breathe, type Skipped, type Source } from "./source";

const END = 0x06054b50;
const END64 = 0x06064b50;
const END64_LOCATOR = 0x07064b50;
const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;

const MAX_ENTRIES = 200_000;
/** An entry that unpacks to more than this is refused, whatever it says of itself. */
export const MAX_ENTRY_BYTES = 2 ** 32;
/** Packed bytes unpacked at a time: a bomb grows a thousandfold, so little at first, more when it proves harmless. */
const FIRST_CHUNK = 2 * 1024;
const CHUNK = 64 * 1024;
/** Longest time in ms without a pause. */
const SLICE = 12;

export class BadZip extends Error {}

async function view(file: Blob, start: number, end: number): Promise<DataView> {
  return new DataView(await file.slice(start, end).arrayBuffer());
}

function uint64(data: DataView, offset: number): number {
  return Number(data.getBigUint64(offset, true));
}

async function directory(file: Blob): Promise<{ start: number; size: number; count: number }> {
  // The end record is 22 bytes and a comment of at most 65,535 (4.3.16).
  const from = Math.max(0, file.size - 22 - 0xffff);
  const tail = await view(file, from, file.size);
  for (let at = tail.byteLength - 22; at >= 0; at -= 1) {
    if (tail.getUint32(at, true) !== END) continue;
    const count = tail.getUint16(at + 10, true);
    const size = tail.getUint32(at + 12, true);
    const start = tail.getUint32(at + 16, true);
    if (count !== 0xffff && size !== 0xffffffff && start !== 0xffffffff) return { start, size, count };
    if (at < 20 || tail.getUint32(at - 20, true) !== END64_LOCATOR) break;
    const end64 = uint64(tail, at - 20 + 8);
    const record = await view(file, end64, end64 + 56);
    if (record.byteLength < 56 || record.getUint32(0, true) !== END64) break;
    return { count: uint64(record, 32), size: uint64(record, 40), start: uint64(record, 48) };
  }
  throw new BadZip("no end of central directory");
}

/** The ZIP64 extra field (4.5.3) holds, in this order, only what did not fit into 32 bits. */
function wide(extra: DataView, fields: number[]): number[] {
  for (let at = 0; at + 4 <= extra.byteLength; ) {
    const size = extra.getUint16(at + 2, true);
    if (extra.getUint16(at, true) === 1) {
      let next = at + 4;
      return fields.map((value) => {
        if (value !== 0xffffffff || next + 8 > at + 4 + size) return value;
        next += 8;
        return uint64(extra, next - 8);
      });
    }
    at += 4 + size;
  }
  return fields;
}

interface Entry {
  name: string;
  method: number;
  packed: number;
  size: number;
  local: number;
}

async function dataStart(file: Blob, entry: Entry): Promise<number> {
  const local = await view(file, entry.local, entry.local + 30);
  if (local.byteLength < 30 || local.getUint32(0, true) !== LOCAL) throw new BadZip(`no local header for ${entry.name}`);
  return entry.local + 30 + local.getUint16(26, true) + local.getUint16(28, true);
}

/** Unpacks at most `limit` bytes of a deflated stream; a longer one is cut, a broken one throws. */
export async function inflate(packed: Blob, limit: number): Promise<Uint8Array<ArrayBuffer>[]> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let total = 0;
  let ended = false;
  const stream = new Inflate((data, final) => {
    ended ||= final;
    if (total >= limit) return;
    const part = data.slice(0, limit - total);
    parts.push(part);
    total += part.length;
  });
  let since = performance.now();
  for (let at = 0, size = FIRST_CHUNK; at < packed.size && total < limit && !ended; at += size) {
    if (at > 0) size = total > 100 * at ? FIRST_CHUNK : CHUNK;
    const piece = new Uint8Array(await packed.slice(at, at + size).arrayBuffer());
    stream.push(piece, at + size >= packed.size);
    if (performance.now() - since > SLICE) {
      await breathe();
      since = performance.now();
    }
  }
  return parts;
}

export function join(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function entrySource(file: Blob, zipName: string, entry: Entry): Source {
  const packed = async (): Promise<Blob> => {
    const start = await dataStart(file, entry);
    return file.slice(start, start + entry.packed);
  };
  const stored = entry.method === 0;
  return {
    name: `${zipName}/${entry.name}`,
    size: entry.size,
    head: async (bytes) => {
      const data = await packed();
      if (stored) return new Uint8Array(await data.slice(0, bytes).arrayBuffer());
      return join(await inflate(data, bytes));
    },
    blob: async () => {
      const data = await packed();
      if (stored) return data;
      const parts = await inflate(data, Math.min(entry.size, MAX_ENTRY_BYTES));
      return new Blob(parts);
    },
  };
}

/** Every file in the ZIP as a source; folders are left out. Throws BadZip where it is none or is cut off. */
export async function readZip(file: Blob, zipName: string): Promise<{ sources: Source[]; skipped: Skipped[] }> {
  const { start, size, count } = await directory(file);
  if (count > MAX_ENTRIES) throw new BadZip("too many entries");
  const data = await view(file, start, start + size);
  const sources: Source[] = [];
  const skipped: Skipped[] = [];
  let at = 0;
  for (let index = 0; index < count; index += 1) {
    if (at + 46 > data.byteLength || data.getUint32(at, true) !== ENTRY) throw new BadZip("broken central directory");
    const flags = data.getUint16(at + 8, true);
    const nameLength = data.getUint16(at + 28, true);
    const extraLength = data.getUint16(at + 30, true);
    const commentLength = data.getUint16(at + 32, true);
    const next = at + 46 + nameLength + extraLength + commentLength;
    if (next > data.byteLength) throw new BadZip("broken central directory");
    const bytes = new Uint8Array(data.buffer, at + 46, nameLength);
    const name = new TextDecoder(flags & 0x800 ? "utf-8" : "windows-1252").decode(bytes);
    const extra = new DataView(data.buffer, at + 46 + nameLength, extraLength);
    const [full = 0, packed = 0, local = 0] = wide(extra, [
      data.getUint32(at + 24, true),
      data.getUint32(at + 20, true),
      data.getUint32(at + 42, true),
    ]);
    const entry: Entry = { name, method: data.getUint16(at + 10, true), packed, size: full, local };
    at = next;
    if (name.endsWith("/")) continue;
    const shown = `${zipName}/${name}`;
    if (flags & 1) skipped.push({ name: shown, reason: "It is locked with a password. Unpack the ZIP first and choose the folder." });
    else if (entry.method !== 0 && entry.method !== 8)
      skipped.push({ name: shown, reason: "It is packed in a way that browsers can’t unpack. Unpack the ZIP first and choose the folder." });
    else if (entry.size > MAX_ENTRY_BYTES) skipped.push({ name: shown, reason: "It is too large." });
    else sources.push(entrySource(file, zipName, entry));
  }
  return { sources, skipped };
}
