import { describe, expect, test } from "vitest";
import { gather } from "../src/gather";
import { BadZip, readZip } from "../src/zip";
import { dicom, file, rows, zip } from "./make";

const image = dicom(rows());
const bytes = async (blob: Blob) => new Uint8Array(await blob.arrayBuffer());

describe("a ZIP", () => {
  test.each([false, true])("gives its files whole and in part (deflated: %s)", async (deflate) => {
    const data = zip([{ name: "CD/", data: new Uint8Array(0) }, { name: "CD/IM1", data: image, deflate }], "made by a hospital");
    const { sources, skipped } = await readZip(new Blob([data]), "cd.zip");
    expect(skipped).toEqual([]);
    expect(sources.map((source) => source.name)).toEqual(["cd.zip/CD/IM1"]);
    expect(await bytes(await sources[0]!.blob())).toEqual(image);
    expect(await sources[0]!.head(132)).toEqual(image.slice(0, 132));
  });

  test("says why an entry is left out", async () => {
    const data = zip([
      { name: "locked", data: image, flags: 0x801 },
      { name: "good", data: image },
    ]);
    const { sources, skipped } = await readZip(new Blob([data]), "cd.zip");
    expect(sources).toHaveLength(1);
    expect(skipped[0]?.reason).toContain("password");
  });

  test("that lies about an entry's size never unpacks more than it said", async () => {
    const data = zip([{ name: "bomb", data: new Uint8Array(5_000_000), deflate: true, claimedSize: 1000 }]);
    const { sources } = await readZip(new Blob([data]), "cd.zip");
    expect((await sources[0]!.blob()).size).toBe(1000);
  });

  test("that is cut off or none at all is refused", async () => {
    const data = zip([{ name: "IM1", data: image }]);
    await expect(readZip(new Blob([data.slice(0, -30)]), "cd.zip")).rejects.toBeInstanceOf(BadZip);
    await expect(readZip(new Blob(["PK"]), "cd.zip")).rejects.toBeInstanceOf(BadZip);
    const lying = data.slice();
    new DataView(lying.buffer).setUint16(lying.length - 12, 9, true);
    await expect(readZip(new Blob([lying]), "cd.zip")).rejects.toBeInstanceOf(BadZip);
  });
});

describe("what was chosen", () => {
  test("is opened where it is a ZIP, and one bad file leaves the rest", async () => {
    const good = zip([{ name: "a/IM1", data: image }, { name: "__MACOSX/a/._IM1", data: image }]);
    const { sources, skipped } = await gather([
      file(good, "cd.zip"),
      file(good.slice(0, 50) as Uint8Array<ArrayBuffer>, "broken.zip"),
      file(image, "IM2"),
      file(image, "Thumbs.db"),
    ]);
    expect(sources.map((source) => source.name)).toEqual(["cd.zip/a/IM1", "IM2"]);
    expect(skipped.map((one) => one.name)).toEqual(["broken.zip"]);
  });
});
