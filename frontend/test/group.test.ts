import { describe, expect, test } from "vitest";
import { readHeader } from "../src/dicom";
import { Collection, identityWarnings, namesAgree, severalPatients } from "../src/group";
import { fileSource } from "../src/source";
import { dicom, file, rows, type Say } from "./make";

async function collect(...says: Say[]): Promise<Collection> {
  const collection = new Collection();
  for (const [index, say] of says.entries()) {
    const source = fileSource(file(dicom(rows({ sop: `1.2.3.${index}`, ...say }))));
    collection.add({ source, header: await readHeader(source) });
  }
  return collection;
}

describe("a collection", () => {
  test("groups by study and series, newest study first, images by number", async () => {
    const collection = await collect(
      { study: "1.1", series: "1.1.1", date: "20240302", instance: "2" },
      { study: "1.1", series: "1.1.1", date: "20240302", instance: "1" },
      { study: "1.2", series: "1.2.1", date: "20261112" },
      { study: "1.2", series: "1.2.2", date: "20261112" },
    );
    const studies = collection.studies();
    expect(studies.map((study) => [study.uid, study.series.length])).toEqual([["1.2", 2], ["1.1", 1]]);
    expect(studies[1]?.series[0]?.images.map((image) => image.header.instanceNumber)).toEqual([1, 2]);
  });

  test("takes an image once and says so of a copy", async () => {
    const collection = await collect({ sop: "1.9" });
    const source = fileSource(file(dicom(rows({ sop: "1.9" })), "copy"));
    expect(collection.add({ source, header: await readHeader(source) })).toMatchObject({ name: "copy" });
    expect(collection.size).toBe(1);
  });
});

describe("whose images they are", () => {
  test.each([
    ["Jane Doe", "DOE JANE", true],
    ["Jane Doe", "Jane M. Doe", true],
    ["Jürgen Groß", "JUERGEN GROSS", true],
    ["Søren Åkesson", "Soren Akesson", true],
    ["", "Jane Doe", true],
    ["Jane Doe", "John Doe", false],
    ["Jane Doe", "Ada Smith", false],
  ])("%s and %s: %s", (one, other, agree) => {
    expect(namesAgree(one, other)).toBe(agree);
    expect(namesAgree(other, one)).toBe(agree);
  });

  test("another name or date of birth is a warning each", async () => {
    const [study] = (await collect({ name: "DOE^JOHN", birth: "19510109" })).studies();
    if (!study) throw new Error("no study");
    expect(identityWarnings(study, { name: "Jane Doe", birthDate: "1970-05-03" })).toHaveLength(2);
    expect(identityWarnings(study, { name: "John Doe", birthDate: "1951-01-09" })).toEqual([]);
    expect(identityWarnings(study, { name: "John Doe", birthDate: "" })).toEqual([]);
  });

  test("two people on one disc are noticed", async () => {
    expect(severalPatients((await collect({ study: "1.1" }, { study: "1.2" })).studies())).toBe(false);
    expect(severalPatients((await collect({ study: "1.1" }, { study: "1.2", name: "SMITH^ADA" })).studies())).toBe(true);
    expect(severalPatients((await collect({ study: "1.1" }, { study: "1.2", birth: "19510109" })).studies())).toBe(true);
  });
});
