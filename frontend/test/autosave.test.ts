import { describe, expect, it } from "vitest";

import { meaning } from "../src/autosave";

describe("what the server's answer to half a form means", () => {
  it("is saved only where the server says so", () => {
    expect([200, 204].map(meaning)).toEqual(["saved", "saved"]);
    expect([401, 403].map(meaning)).toEqual(["out", "out"]);
    expect(meaning(409)).toBe("elsewhere");
    expect(meaning(422)).toBe("refused");
    expect([413, 429, 500, 503].map(meaning)).toEqual(["offline", "offline", "offline", "offline"]);
  });
});
