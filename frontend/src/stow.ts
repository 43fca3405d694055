// STOW-RS (PS3.18 10.5) and the little of QIDO-RS (10.6) that resuming needs.

export interface Outcome {
  /** SOP Instance UIDs that the archive holds. */
  readonly stored: ReadonlySet<string>;
  /** SOP Instance UID -> why not, in plain words. */
  readonly failed: ReadonlyMap<string, string>;
}

type Attribute = { Value?: unknown[] };
type Item = Record<string, Attribute | undefined>;

/** The body of a Store Instances request: one part an instance (PS3.18 8.6.1.2). */
export function multipart(parts: readonly Blob[], boundary: string): { body: Blob; contentType: string } {
  const pieces: BlobPart[] = [];
  for (const part of parts) {
    pieces.push(`--${boundary}\r\nContent-Type: application/dicom\r\n\r\n`, part, "\r\n");
  }
  pieces.push(`--${boundary}--\r\n`);
  const contentType = `multipart/related; type="application/dicom"; boundary=${boundary}`;
  return { body: new Blob(pieces), contentType };
}

export function newBoundary(): string {
  return `overread-${[...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("")}`;
}

/** A Failure Reason (0008,1197) in plain words: PS3.18 table I.2-2, PS3.4 table B.2-1 and PS3.7 annex C. */
export function failureText(reason: number): string {
  if (reason >= 0xa700 && reason <= 0xa7ff) return "There is no more room for this image: it is too large, your request holds as much as it may, or our storage is full.";
  if (reason >= 0xa900 && reason <= 0xa9ff) return "The file’s content does not fit the kind of image that it says it is.";
  if (reason >= 0xc000 && reason <= 0xcfff) return "The file is damaged: we can’t read it.";
  if (reason === 0x0110) return "We could not process this file.";
  if (reason === 0x0111) return "Another image with the same number is already here, with different content.";
  if (reason === 0x0117) return "The file’s own number is not a valid one.";
  if (reason === 0x0122) return "We don’t take this kind of DICOM file.";
  if (reason === 0x0124) return "You may not add images to this case any more.";
  return `We could not store this file (code ${reason.toString(16).toUpperCase().padStart(4, "0")}).`;
}

function items(value: unknown): Item[] {
  const list = (value as Attribute | undefined)?.Value;
  return Array.isArray(list) ? list.filter((item): item is Item => typeof item === "object" && item !== null) : [];
}

function first(item: Item, tag: string): unknown {
  return item[tag]?.Value?.[0];
}

/** Reads a Store Instances response (PS3.18 table I.2-1). Null where the text is no such thing. */
export function parseStowResponse(body: string): Outcome | null {
  let data: unknown;
  try {
    data = JSON.parse(body);
  } catch {
    return null;
  }
  const set = (Array.isArray(data) ? data[0] : data) as Item | null;
  if (typeof set !== "object" || set === null || (!("00081198" in set) && !("00081199" in set))) return null;
  const stored = new Set<string>();
  const failed = new Map<string, string>();
  for (const item of items(set["00081199"])) {
    const uid = first(item, "00081155");
    if (typeof uid === "string") stored.add(uid);
  }
  for (const item of items(set["00081198"])) {
    const uid = first(item, "00081155");
    const reason = first(item, "00081197");
    failed.set(typeof uid === "string" ? uid : "", failureText(typeof reason === "number" ? reason : 0));
  }
  // What was refused before it could be read has no number (Other Failures Sequence, PS3.18 table 10.5.3-1).
  const other = items(set["0008119A"])[0];
  const why = other && first(other, "00081197");
  if (other && !failed.has("")) failed.set("", failureText(typeof why === "number" ? why : 0));
  return { stored, failed };
}

const PAGE = 1000;

/** The SOP Instance UIDs of a study that the archive holds already. Throws where it can't be asked. */
export async function storedInstances(root: string, studyUid: string, get: typeof fetch = fetch): Promise<Set<string>> {
  const found = new Set<string>();
  for (;;) {
    const url = `${root}/studies/${encodeURIComponent(studyUid)}/instances?includefield=00080018&limit=${PAGE}&offset=${found.size}`;
    const answer = await get(url, { headers: { Accept: "application/dicom+json" }, credentials: "same-origin" });
    // Nothing there is 204 or 404, depending on whether the study is known.
    if (answer.status === 204 || answer.status === 404) return found;
    if (!answer.ok) throw new Error(`QIDO answered ${answer.status}`);
    const before = found.size;
    const list = (await answer.json()) as Item[];
    for (const item of list) {
      const uid = first(item, "00080018");
      if (typeof uid === "string") found.add(uid);
    }
    // An archive may give fewer a page than asked for (PS3.18 8.3.4.3): only a page without news is the last.
    if (list.length === 0 || found.size === before) return found;
  }
}
