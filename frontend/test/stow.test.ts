import { describe, expect, test } from "vitest";
import { failureText, multipart, parseStowResponse, storedInstances } from "../src/stow";

describe("a Store Instances request", () => {
  test("is multipart/related as PS3.18 8.6.1.2 asks", async () => {
    const { body, contentType } = multipart([new Blob(["one"]), new Blob(["two"])], "B");
    expect(contentType).toBe('multipart/related; type="application/dicom"; boundary=B');
    expect(await body.text()).toBe(
      "--B\r\nContent-Type: application/dicom\r\n\r\none\r\n--B\r\nContent-Type: application/dicom\r\n\r\ntwo\r\n--B--\r\n",
    );
  });
});

describe("its response", () => {
  test("says what is stored and what is not", () => {
    const outcome = parseStowResponse(
      JSON.stringify({
        "00081199": { vr: "SQ", Value: [{ "00081155": { vr: "UI", Value: ["1.1"] } }] },
        "00081198": { vr: "SQ", Value: [{ "00081155": { vr: "UI", Value: ["1.2"] }, "00081197": { vr: "US", Value: [0xc000] } }] },
      }),
    );
    expect([...(outcome?.stored ?? [])]).toEqual(["1.1"]);
    expect(outcome?.failed.get("1.2")).toContain("damaged");
  });

  test.each(["", "<html>", "[]", "null", "{}", '"text"', '{"title":"Not found"}'])("is nothing where the body is %j", (body) => {
    expect(parseStowResponse(body)).toBeNull();
  });

  test("survives odd shapes", () => {
    const outcome = parseStowResponse('{"00081198":{"Value":[null,7,{"00081197":{"Value":["x"]}}]},"00081199":{}}');
    expect(outcome?.stored.size).toBe(0);
    expect(outcome?.failed.has("")).toBe(true);
  });

  test("every reason is a sentence", () => {
    for (const reason of [0xa700, 0xa900, 0xc000, 0x0110, 0x0111, 0x0117, 0x0122, 0x0124, 0x0272]) {
      expect(failureText(reason)).toMatch(/^[A-Z].*\.$/);
    }
    expect(failureText(0x0272)).toContain("0272");
  });
});

describe("what is stored already", () => {
  const answer = (uids: string[]) =>
    new Response(JSON.stringify(uids.map((uid) => ({ "00080018": { vr: "UI", Value: [uid] } }))));

  test("is asked page by page until a page brings nothing new", async () => {
    const asked: string[] = [];
    const pages = [answer(["1", "2"]), answer(["3"]), answer([])];
    const get = (async (url: string) => (asked.push(url), pages.shift())) as unknown as typeof fetch;
    expect([...(await storedInstances("/cases/1/dicomweb", "1.2.3", get))]).toEqual(["1", "2", "3"]);
    expect(asked[0]).toBe("/cases/1/dicomweb/studies/1.2.3/instances?includefield=00080018&limit=1000&offset=0");
    expect(asked[1]).toContain("offset=2");
    expect(asked).toHaveLength(3);
  });

  test.each([204, 404])("is nothing after %i", async (status) => {
    const get = (async () => new Response(null, { status })) as unknown as typeof fetch;
    expect((await storedInstances("", "1", get)).size).toBe(0);
  });

  test("can't be known after an error", async () => {
    const get = (async () => new Response(null, { status: 503 })) as unknown as typeof fetch;
    await expect(storedInstances("", "1", get)).rejects.toThrow("503");
  });
});
