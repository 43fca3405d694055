import { expect, test } from "vitest";
import { megabytes, readableDate } from "../src/dom";
import { timeLeft } from "../src/time";

const now = new Date("2026-11-21T12:00:00Z");
const after = (minutes: number) => timeLeft(new Date(now.getTime() + minutes * 60_000), now);

test.each([
  [0.5, "now"],
  [5, "in 5 minutes"],
  [1.5, "in 1 minute"],
  [119, "in 119 minutes"],
  [60 * 26, "in 26 hours"],
  [60 * 72, "in 3 days"],
  [-90, "90 minutes late"],
])("%s minutes from now", (minutes, text) => {
  expect(after(minutes)).toBe(text);
});

test("no moment, no words", () => {
  expect(timeLeft(new Date("nonsense"), now)).toBe("");
});

test("dates and sizes are readable", () => {
  expect(readableDate("2026-11-12")).toBe("12 Nov 2026");
  expect(readableDate("odd")).toBe("odd");
  expect(megabytes(1500)).toBe("2 KB");
  expect(megabytes(12_345_678)).toBe("12.3 MB");
});
