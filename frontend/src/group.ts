// Patients, studies and series out of single images, and the check that they are the right person's.

import type { Header } from "./dicom";
import { readableDate } from "./dom";
import type { Skipped, Source } from "./source";

export interface Image {
  readonly source: Source;
  readonly header: Header;
}

export interface Series {
  readonly uid: string;
  readonly modality: string;
  readonly description: string;
  readonly bodyPart: string;
  readonly number: number;
  /** By instance number. */
  readonly images: Image[];
}

export interface Study {
  readonly uid: string;
  readonly date: string;
  readonly description: string;
  readonly patientName: string;
  readonly birthDate: string;
  readonly patientId: string;
  readonly series: Series[];
}

export interface Expected {
  readonly name: string;
  /** ISO 8601 date, or "". */
  readonly birthDate: string;
}

/** Collects images one by one; a second copy of the same image is told as such. */
export class Collection {
  readonly #images = new Map<string, Image>();

  get size(): number {
    return this.#images.size;
  }

  add(image: Image): Skipped | null {
    const uid = image.header.sopInstanceUid;
    if (this.#images.has(uid)) return { name: image.source.name, reason: "This image is here twice; one copy is enough." };
    this.#images.set(uid, image);
    return null;
  }

  /** Newest study first, series by number, images by instance number. */
  studies(): Study[] {
    const studies = new Map<string, { first: Header; series: Map<string, Image[]> }>();
    for (const image of this.#images.values()) {
      const { studyUid, seriesUid } = image.header;
      const study = studies.get(studyUid) ?? { first: image.header, series: new Map<string, Image[]>() };
      studies.set(studyUid, study);
      const images = study.series.get(seriesUid) ?? [];
      study.series.set(seriesUid, images);
      images.push(image);
    }
    return [...studies.entries()]
      .map(([uid, { first, series }]) => ({
        uid,
        date: first.studyDate,
        description: first.studyDescription,
        patientName: first.patientName,
        birthDate: first.birthDate,
        patientId: first.patientId,
        series: [...series.entries()].map(([id, images]) => toSeries(id, images)).sort((a, b) => a.number - b.number),
      }))
      .sort((a, b) => b.date.localeCompare(a.date));
  }
}

function toSeries(uid: string, images: Image[]): Series {
  images.sort((a, b) => a.header.instanceNumber - b.header.instanceNumber);
  const header = images[0]?.header;
  return {
    uid,
    modality: header?.modality ?? "",
    description: header?.seriesDescription ?? "",
    bodyPart: header?.bodyPart ?? "",
    number: header?.seriesNumber ?? 0,
    images,
  };
}

/** Letters without marks, in lower case; "ae" and "ä", "ss" and "ß" fall together. */
function words(name: string): string[] {
  const folded = name.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase().replace(/ß/g, "ss").replace(/ø/g, "o");
  return folded
    .replace(/ł/g, "l")
    .replace(/æ/g, "a")
    .replace(/([aou])e/g, "$1")
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word.length > 1);
}

/** Whether two names may be one person's: every word of the shorter is in the longer. An empty name says nothing. */
export function namesAgree(one: string, other: string): boolean {
  const a = words(one);
  const b = words(other);
  if (a.length === 0 || b.length === 0) return true;
  const [short, long] = a.length <= b.length ? [a, b] : [b, a];
  return short.every((word) => long.includes(word));
}

/** What is wrong with a study's identity, as sentences; empty where nothing is. */
export function identityWarnings(study: Study, expected: Expected): string[] {
  const warnings: string[] = [];
  if (!namesAgree(study.patientName, expected.name)) {
    warnings.push(`The name on these images is “${study.patientName}”, not “${expected.name}”. Tick them only if they are the patient’s all the same.`);
  }
  if (study.birthDate !== "" && expected.birthDate !== "" && study.birthDate !== expected.birthDate) {
    warnings.push(`The date of birth on these images is ${readableDate(study.birthDate)}, not ${readableDate(expected.birthDate)}.`);
  }
  return warnings;
}

/** Whether the studies are of more than one person, by name or date of birth. */
export function severalPatients(studies: readonly Study[]): boolean {
  const people = [...new Map(studies.map((study) => [`${study.patientName}|${study.birthDate}`, study])).values()];
  return people.some((one, i) =>
    people.slice(i + 1).some(
      (other) =>
        !namesAgree(one.patientName, other.patientName) ||
        (one.birthDate !== "" && other.birthDate !== "" && one.birthDate !== other.birthDate),
    ),
  );
}
