import { describe, expect, test } from "vitest";
import { decodeText } from "../src/charset";
import { isoDate, NotTaken, personName, readHeader } from "../src/dicom";
import { jpegOf, render } from "../src/picture";
import { fileSource } from "../src/source";
import { concat, dicom, file, pixels, rows } from "./make";

const read = (bytes: Uint8Array<ArrayBuffer>) => readHeader(fileSource(file(bytes)));

describe("the header of an image", () => {
  test("gives what the page shows", async () => {
    expect(await read(dicom(rows()))).toEqual({
      transferSyntax: "1.2.840.10008.1.2.1",
      studyUid: "1.2.3",
      seriesUid: "1.2.3.1",
      sopInstanceUid: "1.2.3.4",
      patientId: "44-1",
      patientName: "JANE DOE",
      birthDate: "1970-05-03",
      studyDate: "2026-11-12",
      studyDescription: "Knee left",
      seriesDescription: "t2 sag",
      seriesNumber: 2,
      instanceNumber: 7,
      modality: "MR",
      bodyPart: "KNEE",
      frames: 1,
    });
  });

  test("is found behind a long private element, in a second and larger piece", async () => {
    const long = rows();
    long.splice(7, 0, [9, 0x1001, "OB", new Uint8Array(300_000)]);
    expect((await read(dicom(long))).patientName).toBe("JANE DOE");
  });

  test("is read without the pixels, however large they are", async () => {
    const asked: number[] = [];
    const whole = dicom(rows({ extra: pixels(1000, 1000, Array<number>(1_000_000).fill(3)) }));
    const source = {
      name: "IM1",
      size: whole.length,
      head: async (n: number) => (asked.push(n), whole.slice(0, n)),
      blob: async () => new Blob([whole]),
    };
    expect((await readHeader(source)).sopInstanceUid).toBe("1.2.3.4");
    expect(asked).toEqual([65536]);
  });

  test("is read from a deflated data set", async () => {
    expect((await read(dicom(rows(), "1.2.840.10008.1.2.1.99"))).studyDescription).toBe("Knee left");
  });

  test.each([
    ["an empty file", new Uint8Array(0), "The file is empty."],
    ["a text", new TextEncoder().encode("hello ".repeat(50)), "This is not a DICOM image."],
    ["a DICOMDIR", dicom([[4, 0x1130, "CS", "DISC"]], undefined, "1.2.840.10008.1.3.10"), "table of contents"],
    ["a file without UIDs", dicom([[8, 0x60, "CS", "MR"]]), "does not say which examination"],
    ["a file that was cut", dicom(rows()).slice(0, 400), "damaged or incomplete"],
  ])("refuses %s with a sentence", async (_, bytes, sentence) => {
    await expect(read(bytes as Uint8Array<ArrayBuffer>)).rejects.toThrow(sentence);
    await expect(read(bytes as Uint8Array<ArrayBuffer>)).rejects.toBeInstanceOf(NotTaken);
  });
});

describe("text", () => {
  test.each([
    ["ISO_IR 192", "Åkesson^Søren", new TextEncoder().encode("Åkesson^Søren")],
    ["ISO_IR 100", "Müller", Uint8Array.of(0x4d, 0xfc, 0x6c, 0x6c, 0x65, 0x72)],
    ["", "Müller", Uint8Array.of(0x4d, 0xfc, 0x6c, 0x6c, 0x65, 0x72)],
    ["ISO_IR 101", "Łukasz", Uint8Array.of(0xa3, 0x75, 0x6b, 0x61, 0x73, 0x7a)],
    ["ISO_IR 144", "Люк", Uint8Array.of(0xbb, 0xee, 0xda)],
    // PS3.5 H.3.1 and I.2: Japanese and Korean names with escapes
    ["\\ISO 2022 IR 87", "山田", Uint8Array.of(0x1b, 0x24, 0x42, 0x3b, 0x33, 0x45, 0x44, 0x1b, 0x28, 0x42)],
    ["\\ISO 2022 IR 149", "洪", Uint8Array.of(0x1b, 0x24, 0x29, 0x43, 0xfb, 0xf3)],
    ["GB18030", "王", Uint8Array.of(0xcd, 0xf5)],
  ])("in %s", (charset, text, bytes) => {
    expect(decodeText(bytes, charset)).toBe(text);
  });

  test("a person's name is written as people write it", () => {
    expect(personName("DOE^JANE^M^Dr^Jr")).toBe("Dr JANE M DOE Jr");
    expect(personName("=山田^太郎=")).toBe("太郎 山田");
    expect(personName("^^^^")).toBe("");
  });

  test("dates are ISO dates or nothing", () => {
    expect(isoDate("20261112")).toBe("2026-11-12");
    expect(isoDate("2026.11.12")).toBe("2026-11-12");
    expect(isoDate("12/11/26")).toBe("");
  });
});

describe("a picture", () => {
  const grey = (picture: ReturnType<typeof render>) => [...(picture?.rgba ?? [])].filter((_, i) => i % 4 === 0);

  test("spreads 16-bit values over the greys", () => {
    const picture = render(dicom(rows({ extra: pixels(2, 2, [0, 1000, 2000, 4000]) })), 144);
    expect(picture).toMatchObject({ width: 2, height: 2 });
    const levels = grey(picture);
    expect(levels).toEqual([...levels].sort((a, b) => a - b));
    expect(levels[0]).toBe(0);
    expect(levels[3]).toBe(255);
  });

  test("turns MONOCHROME1 round", () => {
    const levels = grey(render(dicom(rows({ extra: pixels(2, 1, [0, 1000], "MONOCHROME1") })), 144));
    expect(levels[0]).toBe(255);
  });

  test("is made smaller", () => {
    const picture = render(dicom(rows({ extra: pixels(200, 100, Array.from({ length: 20_000 }, (_, i) => i)) })), 50);
    expect(picture).toMatchObject({ width: 50, height: 25 });
  });

  test("is not made of pixels that are cut off, or compressed", () => {
    const whole = dicom(rows({ extra: pixels(20, 20, Array<number>(400).fill(1)) }));
    expect(render(whole, 50)).not.toBeNull();
    expect(render(whole.slice(0, -20), 50)).toBeNull();
    expect(render(dicom(rows({ extra: pixels(2, 1, [0, 1]) }), "1.2.840.10008.1.2.4.90"), 50)).toBeNull();
  });

  test("of JPEG baseline is the first fragment after the offset table", () => {
    const item = (data: Uint8Array) => concat(Uint8Array.of(0xfe, 0xff, 0x00, 0xe0, data.length, 0, 0, 0), data);
    const jpeg = Uint8Array.of(0xff, 0xd8, 0xff, 0xd9);
    const start = dicom(rows(), "1.2.840.10008.1.2.4.50");
    const tag = Uint8Array.of(0xe0, 0x7f, 0x10, 0x00, 0x4f, 0x42, 0, 0, 0xff, 0xff, 0xff, 0xff);
    const end = Uint8Array.of(0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0);
    expect(jpegOf(concat(start, tag, item(new Uint8Array(0)), item(jpeg), end))).toEqual(jpeg);
    const halves = concat(start, tag, item(new Uint8Array(0)), item(jpeg.slice(0, 2)), item(jpeg.slice(2)), end);
    expect(jpegOf(halves)).toEqual(jpeg);
    expect(jpegOf(dicom(rows({ extra: pixels(2, 1, [0, 1]) })))).toBeNull();
  });
});
