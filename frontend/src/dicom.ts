// Reading the header of a DICOM file (PS3.10) as far as the page needs it.

import { parseDicom, type DataSet } from "dicom-parser";
import { Inflate } from "fflate";
import { decodeText } from "./charset";
import type { Source } from "./source";
import { join } from "./zip";

const MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"; // a DICOMDIR, PS3.10 8
const PIXEL_DATA = "x7fe00010";

/** Headers are read in growing pieces: nearly all fit the first. */
const PIECES = [64 * 1024, 1024 * 1024, 16 * 1024 * 1024, 64 * 1024 * 1024];

const MAX_INFLATED = 4 * 1024 * 1024;
const INFLATE_PIECE = 2048;

export interface Header {
  readonly transferSyntax: string;
  readonly studyUid: string;
  readonly seriesUid: string;
  readonly sopInstanceUid: string;
  readonly patientId: string;
  /** For people: "Jane Doe". */
  readonly patientName: string;
  /** ISO 8601 date, or "". */
  readonly birthDate: string;
  readonly studyDate: string;
  readonly studyDescription: string;
  readonly seriesDescription: string;
  readonly seriesNumber: number;
  readonly instanceNumber: number;
  readonly modality: string;
  readonly bodyPart: string;
  readonly frames: number;
}

/** Says in a sentence why a file is not taken. */
export class NotTaken extends Error {}

/** "DOE^JANE^M^^DR=..." as people write it (PS3.5 6.2.1): the first group that holds anything. */
export function personName(value: string): string {
  const group = value.split("=").find((g) => g.replace(/\^/g, "").trim() !== "") ?? "";
  const [family = "", given = "", middle = "", prefix = "", suffix = ""] = group.split("^").map((part) => part.trim());
  return [prefix, given, middle, family, suffix].filter((part) => part !== "").join(" ");
}

/** "19700503" or the old "1970.05.03" as "1970-05-03"; "" for anything else. */
export function isoDate(value: string): string {
  const match = /^(\d{4})\.?(\d{2})\.?(\d{2})$/.exec(value.trim());
  return match ? `${match[1]}-${match[2]}-${match[3]}` : "";
}

/** Unpacks what a deflated data set (PS3.5 A.5) has to give of its first bytes; a cut end is no error here. */
function inflateStart(bytes: Uint8Array, position: number): Uint8Array {
  const parts: Uint8Array[] = [bytes.subarray(0, position)];
  let total = 0;
  const stream = new Inflate((data) => {
    parts.push(data);
    total += data.length;
  });
  // Small pieces: a bomb grows a thousandfold, and must not hold the page up.
  for (let at = position; at < bytes.length && total < MAX_INFLATED; at += INFLATE_PIECE) {
    stream.push(bytes.subarray(at, at + INFLATE_PIECE), false);
  }
  return join(parts);
}

/** Parses up to the pixel data; throws where the bytes end before. `bytes` must begin with the preamble. */
export function parseHeader(bytes: Uint8Array): DataSet {
  return parseDicom(bytes, {
    untilTag: PIXEL_DATA,
    inflater: (array: Uint8Array, position: number) => inflateStart(array, position),
  } as Parameters<typeof parseDicom>[1]);
}

export function isPart10(bytes: Uint8Array): boolean {
  return bytes.length >= 132 && bytes[128] === 0x44 && bytes[129] === 0x49 && bytes[130] === 0x43 && bytes[131] === 0x4d;
}

export function describe(set: DataSet): Header {
  const charset = set.string("x00080005") ?? "";
  const text = (tag: string): string => {
    const element = set.elements[tag];
    if (!element || element.length <= 0) return "";
    return decodeText(Uint8Array.from(set.byteArray.subarray(element.dataOffset, element.dataOffset + element.length)), charset);
  };
  const plain = (tag: string): string => (set.string(tag) ?? "").replace(/\0/g, "").trim();
  const number = (tag: string): number => Number.parseInt(plain(tag), 10) || 0;
  return {
    transferSyntax: plain("x00020010"),
    studyUid: plain("x0020000d"),
    seriesUid: plain("x0020000e"),
    sopInstanceUid: plain("x00080018"),
    patientId: text("x00100020"),
    patientName: personName(text("x00100010")),
    birthDate: isoDate(plain("x00100030")),
    studyDate: isoDate(plain("x00080020")),
    studyDescription: text("x00081030"),
    seriesDescription: text("x0008103e"),
    seriesNumber: number("x00200011"),
    instanceNumber: number("x00200013"),
    modality: plain("x00080060"),
    bodyPart: plain("x00180015"),
    frames: Math.max(1, number("x00280008")),
  };
}

/** Reads one file's header. Throws NotTaken, with a sentence for the person, where it is none of ours. */
export async function readHeader(source: Source): Promise<Header> {
  if (source.size === 0) throw new NotTaken("The file is empty.");
  let failure: unknown;
  for (const size of PIECES) {
    const bytes = await source.head(size);
    if (!isPart10(bytes)) throw new NotTaken("This is not a DICOM image.");
    let header: Header;
    let set: DataSet;
    try {
      set = parseHeader(bytes);
      header = describe(set);
    } catch (error) {
      failure = error;
      if (bytes.length < size || bytes.length >= source.size) break;
      continue;
    }
    // A cut header may also end between two elements, without an error: more bytes may hold more.
    const whole = bytes.length >= source.size || set.elements[PIXEL_DATA] !== undefined;
    const named = header.studyUid !== "" && header.seriesUid !== "" && header.sopInstanceUid !== "";
    if ((set.string("x00020002") ?? "") === MEDIA_DIRECTORY) throw new NotTaken("This is the disc’s table of contents. It is not needed.");
    if (named) return header;
    if (whole) throw new NotTaken("The file does not say which examination it belongs to.");
  }
  throw new NotTaken(failure === undefined ? "Its header is too long to read here." : "The file is damaged or incomplete.");
}
