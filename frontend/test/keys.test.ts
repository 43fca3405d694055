import { describe, expect, it } from "vitest";

import { meaning, row } from "../src/keys";

describe("keys of a list", () => {
  it("mean something only where nobody types", () => {
    expect(["j", "k", "/", "?", "x", "Enter"].map((key) => meaning(key, false, false))).toEqual([
      "next",
      "before",
      "search",
      "tell",
      "",
      "",
    ]);
    expect(["j", "k", "/", "?"].map((key) => meaning(key, true, false))).toEqual(["", "", "", ""]);
  });

  it("can be turned off, and told of all the same", () => {
    expect(["j", "k", "/", "?"].map((key) => meaning(key, false, true))).toEqual(["", "", "", "tell"]);
  });

  it("go from the first row to the last and no further", () => {
    expect([row(-1, 1, 3), row(-1, -1, 3), row(0, 1, 3), row(2, 1, 3), row(0, -1, 3), row(2, -1, 3)]).toEqual([
      0, 0, 1, 2, 0, 1,
    ]);
  });
});
