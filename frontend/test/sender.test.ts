import { describe, expect, test } from "vitest";
import type { Header } from "../src/dicom";
import type { Image } from "../src/group";
import { type Answer, backOff, batches, LIMITS, type Post, refusalText, Sender, SignedOut } from "../src/sender";

function image(uid: string, size = 10): Image {
  const source = { name: uid, size, head: async () => new Uint8Array(0), blob: async () => new Blob([uid]) };
  return { source, header: { sopInstanceUid: uid } as Header };
}

const images = (n: number): Image[] => Array.from({ length: n }, (_, i) => image(`1.${i}`));
const answer = (status: number, body = "", retryAfter = 0): Answer => ({ status, body, retryAfter });

async function uidsIn(body: Blob): Promise<string[]> {
  return [...(await body.text()).matchAll(/\r\n\r\n(1\.\d+)\r\n/g)].map((match) => match[1] ?? "");
}

function stowBody(stored: string[], failed: string[] = []): string {
  const item = (uid: string, more = {}) => ({ "00081155": { Value: [uid] }, ...more });
  return JSON.stringify({
    "00081199": { Value: stored.map((uid) => item(uid)) },
    "00081198": { Value: failed.map((uid) => item(uid, { "00081197": { Value: [0xc000] } })) },
  });
}

async function run(list: Image[], post: Post): Promise<{ stored: string[]; failed: Map<string, string>; waits: number[]; waiting: boolean[] }> {
  const stored: string[] = [];
  const failed = new Map<string, string>();
  const waits: number[] = [];
  const waiting: boolean[] = [];
  const events = {
    done: (one: Image, reason: string | null) => void (reason === null ? stored.push(one.source.name) : failed.set(one.source.name, reason)),
    progress: () => undefined,
    waiting: (yes: boolean) => void waiting.push(yes),
  };
  await new Sender("/studies", post, events, async (seconds) => void waits.push(seconds)).send(list);
  return { stored: stored.sort(), failed, waits, waiting };
}

describe("batches", () => {
  test("are cut by count and by bytes, and a large image goes alone", () => {
    expect(batches(images(45)).map((batch) => batch.length)).toEqual([20, 20, 5]);
    const large = [image("1.1"), image("1.2", 20_000_000), image("1.3")];
    expect(batches(large).map((batch) => batch.length)).toEqual([1, 1, 1]);
    expect(batches([])).toEqual([]);
  });
});

describe("sending", () => {
  test("stores all, with no more than three requests at a time", async () => {
    let running = 0;
    let most = 0;
    const { stored } = await run(images(100), async (_, body) => {
      most = Math.max(most, (running += 1));
      await new Promise((resolve) => setTimeout(resolve, 2));
      running -= 1;
      return answer(200, stowBody(await uidsIn(body)));
    });
    expect(stored).toHaveLength(100);
    expect(most).toBe(LIMITS.parallel);
  });

  test("tells of a bad file and stores the rest of its batch", async () => {
    const { stored, failed } = await run(images(5), async (_, body) => {
      const uids = await uidsIn(body);
      return answer(202, stowBody(uids.filter((uid) => uid !== "1.2"), ["1.2"]));
    });
    expect(stored).toEqual(["1.0", "1.1", "1.3", "1.4"]);
    expect(failed.get("1.2")).toContain("damaged");
  });

  test.each([400, 413, 500])("goes one by one where a request as a whole is answered by %i", async (status) => {
    const { stored, failed } = await run(images(4), async (_, body) => {
      const uids = await uidsIn(body);
      return uids.includes("1.3") ? answer(status) : answer(200, stowBody(uids));
    });
    expect(stored).toEqual(["1.0", "1.1", "1.2"]);
    expect([...failed.keys()]).toEqual(["1.3"]);
  });

  test("tries again after a lost connection, a little later each time", async () => {
    const statuses = [0, 503, 0, 429];
    const { stored, waits, waiting } = await run(images(1), async (_, body) => {
      const status = statuses.shift();
      return status === undefined ? answer(200, stowBody(await uidsIn(body))) : answer(status, "", status === 429 ? 60 : 0);
    });
    expect(stored).toEqual(["1.0"]);
    expect(waits).toEqual([1, 2, 4, 60]);
    expect(waiting).toEqual([true, false, true, false, true, false, true, false]);
  });

  test("gives up after eight tries, and says why", async () => {
    let tries = 0;
    const { failed } = await run(images(1), async () => ((tries += 1), answer(0)));
    expect(tries).toBe(LIMITS.tries);
    expect(failed.get("1.0")).toBe(refusalText(0));
  });

  test("believes no success without a Store Instances response", async () => {
    const { stored, failed } = await run(images(1), async () => answer(200, "<html>Welcome to the hotel</html>"));
    expect(stored).toEqual([]);
    expect(failed.size).toBe(1);
  });

  test("an image that the response does not name is not stored", async () => {
    const { stored, failed } = await run(images(2), async () => answer(200, stowBody(["1.0"])));
    expect(stored).toEqual(["1.0"]);
    expect([...failed.keys()]).toEqual(["1.1"]);
  });

  test("a file that can't be read any more leaves the rest", async () => {
    const list = images(3);
    list[1] = { ...list[1]!, source: { ...list[1]!.source, blob: () => Promise.reject(new Error("gone")) } };
    const { stored, failed } = await run(list, async (_, body) => answer(200, stowBody(await uidsIn(body))));
    expect(stored).toEqual(["1.0", "1.2"]);
    expect(failed.get("1.1")).toContain("could not be read");
  });

  test("does not go one by one where the case takes nothing", async () => {
    let requests = 0;
    const { failed } = await run(images(5), async () => ((requests += 1), answer(404)));
    expect(requests).toBe(1);
    expect(new Set(failed.values())).toEqual(new Set([refusalText(404)]));
    expect(failed.size).toBe(5);
  });

  test("sends nothing more once there is no room, and says so in the server's words", async () => {
    let requests = 0;
    const full = JSON.stringify({ status: 413, detail: "This request holds as many images as you can send.", quota: "bytes" });
    const { stored, failed } = await run(images(200), async () => ((requests += 1), answer(413, full)));
    expect(requests).toBeLessThanOrEqual(LIMITS.parallel);
    expect(stored).toEqual([]);
    expect(failed.size).toBe(200);
    expect(new Set(failed.values())).toEqual(new Set(["This request holds as many images as you can send."]));
  });

  test("says why a person may not send", async () => {
    const refused = JSON.stringify({ status: 403, detail: "Please confirm your e-mail address first." });
    const { failed } = await run(images(1), async () => answer(403, refused));
    expect(failed.get("1.0")).toBe("Please confirm your e-mail address first.");
  });

  test("stops where the session has ended", async () => {
    await expect(run(images(50), async () => answer(401))).rejects.toBeInstanceOf(SignedOut);
  });
});

test("waiting grows to half a minute, or to what the server asks", () => {
  expect([1, 2, 3, 6, 8].map((attempt) => backOff(attempt, 0))).toEqual([1, 2, 4, 30, 30]);
  expect(backOff(1, 45)).toBe(45);
  expect(backOff(1, 9999)).toBe(120);
});
