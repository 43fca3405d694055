import { expect, test } from "vitest";
import { readHeader } from "../src/dicom";
import { withPreamble } from "../src/raw";
import { fileSource } from "../src/source";
import { dicom, file, rows } from "./make";

const whole = dicom(rows());
const metaLength = 12 + new DataView(whole.buffer).getUint32(140, true);

test("a data set without preamble and meta gets both, and is sent with them", async () => {
  const source = await withPreamble(fileSource(file(whole.slice(132 + metaLength), "OLD")));
  const header = await readHeader(source);
  expect(header).toMatchObject({ sopInstanceUid: "1.2.3.4", patientName: "JANE DOE", transferSyntax: "1.2.840.10008.1.2.1" });
  const sent = new Uint8Array(await (await source.blob()).arrayBuffer());
  expect(sent.length).toBe(source.size);
  expect(sent.slice(-(whole.length - 132 - metaLength))).toEqual(whole.slice(132 + metaLength));
  expect(await source.head(200)).toEqual(sent.slice(0, 200));
});

test("a file that lacks only the preamble gets only that", async () => {
  const source = await withPreamble(fileSource(file(whole.slice(132), "OLD")));
  expect(new Uint8Array(await (await source.blob()).arrayBuffer())).toEqual(whole);
});

test.each([
  ["a whole file", whole],
  ["a text", new TextEncoder().encode("x".repeat(500))],
  ["a short file", Uint8Array.of(8, 0, 5, 0)],
  ["noise that begins like a data set", Uint8Array.from({ length: 300 }, (_, i) => (i === 0 ? 8 : i < 4 ? 0 : 0xff))],
])("%s stays as it is", async (_, bytes) => {
  const source = fileSource(file(bytes as Uint8Array<ArrayBuffer>));
  expect(await withPreamble(source)).toBe(source);
});
