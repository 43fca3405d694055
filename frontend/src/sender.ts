// Sends images in small batches, several at a time. One bad file never stops the rest, a lost connection only delays.

import type { Image } from "./group";
import { multipart, newBoundary, parseStowResponse } from "./stow";

export interface Answer {
  /** HTTP status; 0 where no answer came. */
  readonly status: number;
  readonly body: string;
  /** Seconds, from Retry-After; 0 where it was not said. */
  readonly retryAfter: number;
}

export type Post = (url: string, body: Blob, contentType: string, progress: (sent: number) => void) => Promise<Answer>;

export interface Events {
  /** One image is safely stored (`null`) or was refused, with the reason. */
  done(image: Image, reason: string | null): void;
  /** Bytes on their way in all running requests together. */
  progress(bytes: number): void;
  /** We wait for the connection (true), or go on (false). */
  waiting(yes: boolean): void;
}

export interface Limits {
  readonly bytes: number;
  readonly files: number;
  readonly parallel: number;
  readonly tries: number;
}

export const LIMITS: Limits = { bytes: 8 * 1024 * 1024, files: 20, parallel: 3, tries: 8 };

const TRIES_AT_500 = 2;
/** Refusals that may be about one file of a batch, not about the case or the person. */
const AT_FILES: ReadonlySet<number> = new Set([400, 409, 413, 415, 422, 500]);

/** The session has ended: only signing in again helps. */
export class SignedOut extends Error {}

/** Splits images into batches by count and bytes; a larger image goes alone. */
export function batches(images: readonly Image[], limits: Limits = LIMITS): Image[][] {
  const out: Image[][] = [];
  let current: Image[] = [];
  let bytes = 0;
  for (const image of images) {
    if (current.length > 0 && (current.length >= limits.files || bytes + image.source.size > limits.bytes)) {
      out.push(current);
      current = [];
      bytes = 0;
    }
    current.push(image);
    bytes += image.source.size;
  }
  if (current.length > 0) out.push(current);
  return out;
}

/** Seconds to wait before try number `attempt` (from 1): 1, 2, 4 … 30, or what the server asked for. */
export function backOff(attempt: number, retryAfter: number): number {
  return Math.min(120, Math.max(retryAfter, Math.min(30, 2 ** (attempt - 1))));
}

export function refusalText(status: number): string {
  if (status === 401) return "You are signed out. Sign in again, then choose the same files: what is stored is not sent twice.";
  if (status === 403 || status === 404) return "This case takes no images from you at the moment.";
  if (status === 413) return "This image is too large for us to take. Please call us.";
  if (status === 507) return "Our storage is full at the moment. Please try again in an hour.";
  if (status === 0) return "The connection was lost and did not come back.";
  if (status >= 500 || status === 429) return "Our server did not answer properly. Please try again.";
  return "The file was refused: it is damaged or not an image.";
}

/** What the server says of a refused request (RFC 9457): its sentence, and whether there is no room for anything more. */
export function problem(body: string): { sentence: string; full: boolean } | null {
  try {
    const data = JSON.parse(body) as { detail?: unknown; quota?: unknown } | null;
    return typeof data?.detail === "string" ? { sentence: data.detail, full: data.quota !== undefined } : null;
  } catch {
    return null;
  }
}

export class Sender {
  readonly #inFlight = new Map<object, number>();
  #signedOut = false;
  /** Why nothing more is taken, once that was said. */
  #full: string | null = null;

  constructor(
    private readonly url: string,
    private readonly post: Post,
    private readonly events: Events,
    private readonly wait: (seconds: number) => Promise<void>,
    private readonly limits: Limits = LIMITS,
  ) {}

  /** Sends all; returns when each is stored or refused. Throws SignedOut when the session ended on the way. */
  async send(images: readonly Image[]): Promise<void> {
    const queue = batches(images, this.limits);
    const work = async (): Promise<void> => {
      for (let batch = queue.shift(); batch && !this.#signedOut; batch = queue.shift()) await this.#batch(batch);
    };
    await Promise.all(Array.from({ length: this.limits.parallel }, work));
    if (this.#signedOut) throw new SignedOut();
  }

  async #batch(batch: readonly Image[]): Promise<void> {
    if (this.#full !== null) {
      for (const image of batch) this.events.done(image, this.#full);
      return;
    }
    const readable: Image[] = [];
    const blobs: Blob[] = [];
    for (const image of batch) {
      try {
        blobs.push(await image.source.blob());
        readable.push(image);
      } catch {
        this.events.done(image, "The file could not be read from your device. Is the disc or stick still in?");
      }
    }
    if (readable.length === 0) return;
    const answer = await this.#deliver(blobs);
    const outcome = parseStowResponse(answer.body);
    const said = outcome ? null : problem(answer.body);
    if (said?.full) {
      this.#full = said.sentence;
      for (const image of readable) this.events.done(image, said.sentence);
    } else if (outcome) {
      for (const image of readable) {
        const uid = image.header.sopInstanceUid;
        const failure = outcome.failed.get(uid);
        if (failure !== undefined) this.events.done(image, failure);
        else if (outcome.stored.has(uid)) this.events.done(image, null);
        else this.events.done(image, outcome.failed.get("") ?? refusalText(400));
      }
    } else if (answer.status === 401) {
      this.#signedOut = true;
    } else if (readable.length > 1 && AT_FILES.has(answer.status)) {
      // The request as a whole was refused: one by one the culprit shows itself.
      for (const image of readable) await this.#batch([image]);
    } else {
      // Without a Store Instances response nothing says that it is stored, whatever the status.
      const text = answer.status === 403 && said ? said.sentence : refusalText(answer.status < 300 && answer.status > 0 ? 500 : answer.status);
      for (const image of readable) this.events.done(image, text);
    }
  }

  async #deliver(blobs: readonly Blob[]): Promise<Answer> {
    const key = {};
    let answer: Answer = { status: 0, body: "", retryAfter: 0 };
    let tries = this.limits.tries;
    for (let attempt = 1; attempt <= tries; attempt += 1) {
      const { body, contentType } = multipart(blobs, newBoundary());
      answer = await this.post(this.url, body, contentType, (sent) => this.#progress(key, sent));
      this.#progress(key, 0);
      // 500 is a fault at this very request, which waiting seldom mends; the other 5xx are about the server's state.
      if (answer.status === 500) tries = Math.min(tries, TRIES_AT_500);
      const again = answer.status === 0 || answer.status === 408 || answer.status === 429 || (answer.status >= 500 && answer.status !== 507);
      if (!again || parseStowResponse(answer.body)) break;
      if (attempt < tries) {
        this.events.waiting(true);
        await this.wait(backOff(attempt, answer.retryAfter));
        this.events.waiting(false);
      }
    }
    this.#inFlight.delete(key);
    return answer;
  }

  #progress(key: object, sent: number): void {
    this.#inFlight.set(key, sent);
    this.events.progress([...this.#inFlight.values()].reduce((sum, bytes) => sum + bytes, 0));
  }
}

/** POST by XMLHttpRequest, the only way to hear how much has been sent. Cookies go along; nothing throws. */
export const xhrPost: Post = (url, body, contentType, progress) =>
  new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("POST", url);
    request.setRequestHeader("Content-Type", contentType);
    request.setRequestHeader("Accept", "application/dicom+json");
    request.upload.addEventListener("progress", (event) => progress(event.loaded));
    request.addEventListener("loadend", () => {
      const retryAfter = Number.parseInt(request.getResponseHeader("Retry-After") ?? "", 10) || 0;
      resolve({ status: request.status, body: request.responseText, retryAfter });
    });
    request.send(body);
  });

/** Waits, but no longer than until the browser says that it is online again. */
export function waitOnline(seconds: number): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      removeEventListener("online", done);
      resolve();
    };
    const timer = setTimeout(done, seconds * 1000);
    addEventListener("online", done);
  });
}
