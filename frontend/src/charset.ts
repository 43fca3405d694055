// Text by Specific Character Set (0008,0005): PS3.3 C.12.1.1.2, PS3.5 6.1.

const LABELS: Readonly<Record<string, string>> = {
  "": "windows-1252", // ISO_IR 6; bytes beyond ASCII are in fact mostly Latin 1
  "6": "windows-1252",
  "13": "shift_jis",
  "58": "gb18030",
  "87": "iso-2022-jp",
  "100": "windows-1252",
  "101": "iso-8859-2",
  "109": "iso-8859-3",
  "110": "iso-8859-4",
  "126": "iso-8859-7",
  "127": "iso-8859-6",
  "138": "iso-8859-8",
  "144": "iso-8859-5",
  "148": "windows-1254",
  "149": "euc-kr",
  "159": "iso-2022-jp",
  "166": "windows-874",
  "192": "utf-8",
  "203": "iso-8859-15",
};

/** Decodes the bytes of a text element; what can't be decoded becomes U+FFFD. */
export function decodeText(bytes: Uint8Array, specificCharacterSet: string): string {
  const terms = specificCharacterSet.split("\\").map((term) => term.trim());
  // With code extensions (PS3.5 6.1.2.5) the set that is switched to is the one worth decoding by.
  const term = terms.find((t, i) => i > 0 && t !== "") ?? terms[0] ?? "";
  const number = /(\d+)$/.exec(term)?.[1] ?? "";
  const label = /^GB(K|18030)$/.test(term) ? "gb18030" : (LABELS[number] ?? "utf-8");
  let data = bytes;
  if (label !== "iso-2022-jp") data = withoutEscapes(bytes);
  return new TextDecoder(label).decode(data).replace(/[\0 ]+$/, "").trim();
}

/** ISO 2022 escapes name sets that these decoders know already (ESC $ ) C and the like). */
function withoutEscapes(bytes: Uint8Array): Uint8Array {
  if (!bytes.includes(0x1b)) return bytes;
  const out: number[] = [];
  for (let at = 0; at < bytes.length; at += 1) {
    if (bytes[at] !== 0x1b) {
      out.push(bytes[at] ?? 0);
      continue;
    }
    at += 1;
    while (at < bytes.length && (bytes[at] ?? 0) < 0x30) at += 1; // intermediate bytes, then one final byte
  }
  return Uint8Array.from(out);
}
