// Old discs hold data sets without the preamble and file meta information of PS3.10 7.1. They are sent with one made here.

import { parseDicom } from "dicom-parser";
import { isPart10 } from "./dicom";
import type { Source } from "./source";
import { join } from "./zip";

const IMPLICIT_LITTLE = "1.2.840.10008.1.2";
const EXPLICIT_LITTLE = "1.2.840.10008.1.2.1";
/** Implementation Class UID (0002,0012) of this page: made from a UUID (PS3.5 B.2). */
const IMPLEMENTATION = "2.25.329214474311536010013498532990415596414";

const LOOK = 256 * 1024;

function element(group: number, number: number, vr: string, value: Uint8Array): Uint8Array {
  const long = vr === "OB";
  const data = value.length % 2 ? join([value, Uint8Array.of(0)]) : value;
  const head = new DataView(new ArrayBuffer(long ? 12 : 8));
  head.setUint16(0, group, true);
  head.setUint16(2, number, true);
  head.setUint8(4, vr.charCodeAt(0));
  head.setUint8(5, vr.charCodeAt(1));
  if (long) head.setUint32(8, data.length, true);
  else head.setUint16(6, data.length, true);
  return join([new Uint8Array(head.buffer), data]);
}

function preamble(): Uint8Array {
  return join([new Uint8Array(128), new TextEncoder().encode("DICM")]);
}

function fileMeta(sopClass: string, sopInstance: string, syntax: string): Uint8Array {
  const text = (value: string): Uint8Array => new TextEncoder().encode(value);
  const rest = join([
    element(2, 1, "OB", Uint8Array.of(0, 1)),
    element(2, 2, "UI", text(sopClass)),
    element(2, 3, "UI", text(sopInstance)),
    element(2, 0x10, "UI", text(syntax)),
    element(2, 0x12, "UI", text(IMPLEMENTATION)),
  ]);
  const length = new DataView(new ArrayBuffer(4));
  length.setUint32(0, rest.length, true);
  return join([element(2, 0, "UL", new Uint8Array(length.buffer)), rest]);
}

function prefixed(source: Source, prefix: Uint8Array<ArrayBuffer>): Source {
  return {
    name: source.name,
    size: source.size + prefix.length,
    head: async (bytes) => join([prefix, await source.head(Math.max(0, bytes - prefix.length))]).slice(0, bytes),
    blob: async () => new Blob([prefix, await source.blob()]),
  };
}

/** The source itself if it is a PS3.10 file or nothing of ours; a data set that lacks only the start gets one. */
export async function withPreamble(source: Source): Promise<Source> {
  const start = await source.head(132);
  if (isPart10(start) || start.length < 132) return source;
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength);
  const group = view.getUint16(0, true);
  if (group === 2 && view.getUint16(2, true) === 0) return prefixed(source, join([preamble()]));
  // A data set begins with group 0008 and an element number not far from 0.
  if (group !== 8 || view.getUint16(2, true) > 0x20) return source;
  const explicit = /^[A-Z]{2}$/.test(String.fromCharCode(view.getUint8(4), view.getUint8(5)));
  const syntax = explicit ? EXPLICIT_LITTLE : IMPLICIT_LITTLE;
  try {
    const set = parseDicom(await source.head(LOOK), { TransferSyntaxUID: syntax, untilTag: "x00080018" } as Parameters<typeof parseDicom>[1]);
    const sopClass = set.string("x00080016");
    const sopInstance = set.string("x00080018");
    if (!sopClass || !sopInstance) return source;
    return prefixed(source, join([preamble(), fileMeta(sopClass, sopInstance, syntax)]));
  } catch {
    return source; // Reading its header will say what is wrong.
  }
}
