// The images step of a case: choose, check, send. One instance for each element with data-uploader.

import { NotTaken, readHeader } from "./dicom";
import { count, el, megabytes, readableDate } from "./dom";
import { droppedFiles, gather } from "./gather";
import { Collection, identityWarnings, severalPatients, type Expected, type Image, type Series, type Study } from "./group";
import { modalityName } from "./modality";
import { draw } from "./picture";
import { withPreamble } from "./raw";
import { refusalText, Sender, SignedOut, waitOnline, xhrPost } from "./sender";
import { breathe, type Skipped } from "./source";
import { storedInstances } from "./stow";

const PICTURE_SIDE = 144;
/** Longest time in ms that reading may keep the page from answering. */
const SLICE = 12;
const SHOWN_SKIPPED = 200;

class Uploader {
  readonly #collection = new Collection();
  readonly #skipped: Skipped[] = [];
  readonly #stored = new Set<string>();
  readonly #judged = new Set<string>();
  readonly #off = new Set<string>();
  readonly #pictures = new Map<string, HTMLElement>();
  readonly #root: string;
  readonly #expected: Expected;
  readonly #continue: HTMLButtonElement | null;

  readonly #status = el("p", { role: "status" });
  readonly #drop = this.#dropZone();
  readonly #warnings = el("div");
  readonly #studies = el("div");
  readonly #left = el("div");
  readonly #send = el("button", { type: "button", class: "button large", hidden: "" }, "Send");
  readonly #sending = el("div", { hidden: "" });
  readonly #bar = el("progress", { max: "1", value: "0", "aria-label": "Sent" });
  readonly #count = el("p", { class: "num", role: "status" });
  readonly #result = el("div", { tabindex: "-1" });
  #drawing: Promise<void> = Promise.resolve();
  #busy = false;

  constructor(element: HTMLElement) {
    this.#root = (element.dataset.root ?? "").replace(/\/$/, "");
    this.#expected = { name: element.dataset.patientName ?? "", birthDate: element.dataset.patientBirthDate ?? "" };
    const button = document.getElementById(element.dataset.continue ?? "");
    this.#continue = button instanceof HTMLButtonElement ? button : null;
    this.#sending.append(this.#bar, this.#count);
    this.#send.addEventListener("click", () => void this.#start());
    const actions = el("div", { class: "actions" }, this.#send);
    element.replaceChildren(this.#drop, this.#status, this.#warnings, this.#studies, this.#left, actions, this.#sending, this.#result);
    addEventListener("beforeunload", (event) => {
      if (this.#busy) event.preventDefault();
    });
  }

  #dropZone(): HTMLElement {
    const files = el("input", { type: "file", multiple: "", hidden: "", "aria-label": "Files or a ZIP" });
    const folder = el("input", { type: "file", webkitdirectory: "", hidden: "", "aria-label": "A CD or folder" });
    for (const input of [files, folder]) {
      input.addEventListener("change", () => {
        const chosen = [...(input.files ?? [])];
        input.value = "";
        void this.#read(() => Promise.resolve(chosen));
      });
    }
    const buttons = el("div", { class: "row" });
    // Phones have no folders to choose: there the second button alone is offered.
    if ("webkitdirectory" in folder && !matchMedia("(pointer: coarse) and (max-width: 50rem)").matches) {
      const choose = el("button", { type: "button", class: "button" }, "Choose a CD or folder");
      choose.addEventListener("click", () => folder.click());
      buttons.append(choose);
    }
    const single = el("button", { type: "button", class: buttons.childElementCount ? "button quiet" : "button" }, "Choose files or a ZIP");
    single.addEventListener("click", () => files.click());
    buttons.append(single);
    const zone = el("div", { class: "drop" }, el("p", {}, "Drop the CD’s folder, files or a ZIP here, or"), buttons, files, folder);
    const over = (yes: boolean) => (event: DragEvent) => {
      event.preventDefault();
      zone.classList.toggle("over", yes);
    };
    zone.addEventListener("dragover", over(true));
    zone.addEventListener("dragleave", over(false));
    zone.addEventListener("drop", (event) => {
      over(false)(event);
      const { dataTransfer } = event;
      if (!dataTransfer) return;
      const dropped = droppedFiles(dataTransfer);
      void this.#read(() => dropped);
    });
    return zone;
  }

  /** Reads what was chosen, a little at a time, and shows what it is. */
  async #read(choose: () => Promise<File[]>): Promise<void> {
    if (this.#busy) return;
    this.#setBusy(true);
    this.#result.replaceChildren();
    this.#status.textContent = "Looking at your files …";
    try {
      const { sources, skipped } = await gather(await choose());
      this.#skipped.push(...skipped);
      let since = performance.now();
      for (const [index, chosen] of sources.entries()) {
        try {
          const source = await withPreamble(chosen);
          const twice = this.#collection.add({ source, header: await readHeader(source) });
          if (twice) this.#skipped.push(twice);
        } catch (error) {
          const reason = error instanceof NotTaken ? error.message : "The file could not be read from your device.";
          this.#skipped.push({ name: chosen.name, reason });
        }
        if (performance.now() - since > SLICE) {
          this.#status.textContent = `Looking at your files: ${index + 1} of ${sources.length}, ${count(this.#collection.size, "image", "images")} found`;
          await breathe();
          since = performance.now();
        }
      }
      await this.#askStored();
    } catch {
      this.#status.textContent = "Your files could not be read. Please choose them again.";
    } finally {
      this.#setBusy(false);
    }
    this.#show();
  }

  /** What is there already, from an earlier visit, is not sent twice. If that can't be asked, sending again is harmless. */
  async #askStored(): Promise<void> {
    for (const study of this.#collection.studies()) {
      try {
        for (const uid of await storedInstances(this.#root, study.uid)) this.#stored.add(uid);
      } catch {
        return;
      }
    }
  }

  #setBusy(busy: boolean): void {
    this.#busy = busy;
    this.#drop.inert = busy;
    this.#studies.inert = busy;
  }

  #show(): void {
    const studies = this.#collection.studies();
    const found = this.#collection.size;
    this.#status.textContent =
      found === 0
        ? "No images were found. Choose the whole CD or folder: the images are often in a folder named DICOM."
        : `Found ${count(found, "image", "images")} in ${count(studies.length, "examination", "examinations")}. Please check them, then send.`;
    this.#untickOthers(studies);
    this.#studies.replaceChildren(...studies.map((study) => this.#studyCard(study)));
    this.#showSkipped();
    this.#label();
  }

  /** What seems to be somebody else's is left out until whoever sends it says that it is not. */
  #untickOthers(studies: readonly Study[]): void {
    for (const study of studies) {
      if (this.#judged.has(study.uid) || identityWarnings(study, this.#expected).length === 0) continue;
      this.#judged.add(study.uid);
      for (const series of study.series) this.#off.add(series.uid);
    }
  }

  #studyCard(study: Study): HTMLElement {
    const warnings = identityWarnings(study, this.#expected);
    const card = el("section", { class: warnings.length ? "up-study warned" : "up-study" });
    const kinds = [...new Set(study.series.map((series) => modalityName(series.modality)))].join(", ");
    const title = study.description ? `${kinds}: ${study.description}` : kinds;
    const birth = study.birthDate ? `, born ${readableDate(study.birthDate)}` : "";
    card.append(
      el("div", { class: "up-head" }, el("h3", {}, title), el("p", { class: "soft" }, study.date ? readableDate(study.date) : "no date")),
      el("p", { class: "soft small" }, `${study.patientName || "No name"}${birth}`),
    );
    if (warnings.length > 0) {
      const list = el("ul", {}, ...warnings.map((warning) => el("li", {}, warning)));
      card.append(el("div", { class: "alert warn" }, el("p", { class: "alert-title" }, "This seems to be somebody else: it is left out"), list));
    }
    card.append(el("ul", { class: "up-series" }, ...study.series.map((series) => this.#seriesRow(series))));
    return card;
  }

  #seriesRow(series: Series): HTMLElement {
    const box = el("input", { type: "checkbox" });
    box.checked = !this.#off.has(series.uid);
    const name = series.description || modalityName(series.modality);
    const facts = [modalityName(series.modality), series.bodyPart.toLowerCase(), count(series.images.length, "image", "images")];
    const here = series.images.filter((image) => this.#stored.has(image.header.sopInstanceUid)).length;
    if (here > 0) facts.push(here === series.images.length ? "already stored" : `${here} already stored`);
    const words = el("span", {}, el("strong", {}, name), el("br"), el("span", { class: "soft small" }, facts.filter(Boolean).join(", ")));
    const row = el("li", {}, el("label", {}, box, this.#picture(series), words));
    row.classList.toggle("off", !box.checked);
    box.addEventListener("change", () => {
      if (box.checked) this.#off.delete(series.uid);
      else this.#off.add(series.uid);
      row.classList.toggle("off", !box.checked);
      this.#label();
    });
    return row;
  }

  #picture(series: Series): HTMLElement {
    const known = this.#pictures.get(series.uid);
    if (known) return known;
    const holder = el("span", { class: "no-picture", "aria-hidden": "true" }, series.modality || "?");
    this.#pictures.set(series.uid, holder);
    const middle = series.images[Math.floor(series.images.length / 2)];
    const canvas = el("canvas", { width: "1", height: "1", "aria-hidden": "true" });
    if (middle) {
      // One after the other: each reads a whole file into memory.
      this.#drawing = this.#drawing.then(async () => {
        const drawn = await draw(middle, canvas, PICTURE_SIDE);
        await breathe();
        if (!drawn) return;
        this.#pictures.set(series.uid, canvas);
        holder.replaceWith(canvas);
      });
    }
    return holder;
  }

  #showSkipped(): void {
    this.#left.replaceChildren();
    if (this.#skipped.length === 0) return;
    const list = el("ul", { class: "up-files" });
    for (const { name, reason } of this.#skipped.slice(0, SHOWN_SKIPPED)) {
      list.append(el("li", {}, el("span", { class: "mono" }, name), ": ", reason));
    }
    const more = this.#skipped.length - SHOWN_SKIPPED;
    if (more > 0) list.append(el("li", {}, `and ${count(more, "more", "more")}`));
    this.#left.append(el("details", {}, el("summary", {}, `${count(this.#skipped.length, "file", "files")} left out, and why`), list));
  }

  #chosen(): Image[] {
    return this.#collection.studies().flatMap((study) => study.series.filter((series) => !this.#off.has(series.uid)).flatMap((series) => series.images));
  }

  #warnOfTwo(): void {
    const ticked = this.#collection.studies().filter((study) => study.series.some((series) => !this.#off.has(series.uid)));
    this.#warnings.replaceChildren();
    if (!severalPatients(ticked)) return;
    const title = el("p", { class: "alert-title" }, "These images belong to more than one person");
    const advice = el("p", {}, "Please untick everything that is not the patient’s. Discs sometimes hold somebody else’s images.");
    this.#warnings.append(el("div", { class: "alert warn", role: "alert" }, title, advice));
  }

  #label(): void {
    this.#warnOfTwo();
    const chosen = this.#chosen();
    const open = chosen.filter((image) => !this.#stored.has(image.header.sopInstanceUid));
    const bytes = open.reduce((sum, image) => sum + image.source.size, 0);
    this.#send.hidden = open.length === 0;
    this.#send.textContent = `Send ${count(open.length, "image", "images")} (${megabytes(bytes)})`;
    if (chosen.length > 0 && open.length === 0) this.#finish(chosen, new Map());
  }

  async #start(): Promise<void> {
    const chosen = this.#chosen();
    const open = chosen.filter((image) => !this.#stored.has(image.header.sopInstanceUid));
    const total = open.reduce((sum, image) => sum + image.source.size, 0) || 1;
    const failures = new Map<Image, string>();
    let finished = 0;
    let finishedBytes = 0;
    let moving = 0;
    let waiting = 0;
    const paint = (): void => {
      this.#bar.value = Math.min(1, (finishedBytes + moving) / total);
      this.#count.textContent =
        waiting > 0 ? "The connection is interrupted. We go on by ourselves as soon as it is back." : `${finished.toLocaleString("en")} of ${count(open.length, "image", "images")} sent`;
    };
    const sender = new Sender(
      `${this.#root}/studies`,
      xhrPost,
      {
        done: (image, reason) => {
          finished += 1;
          finishedBytes += image.source.size;
          if (reason === null) this.#stored.add(image.header.sopInstanceUid);
          else failures.set(image, reason);
          paint();
        },
        progress: (bytes) => {
          moving = bytes;
          paint();
        },
        waiting: (yes) => {
          waiting += yes ? 1 : -1;
          paint();
        },
      },
      waitOnline,
    );
    this.#setBusy(true);
    this.#send.hidden = true;
    this.#sending.hidden = false;
    this.#result.replaceChildren();
    paint();
    try {
      await sender.send(open);
      this.#finish(chosen, failures);
    } catch (error) {
      const text = error instanceof SignedOut ? refusalText(401) : refusalText(500);
      this.#tell("error", "Not everything was sent", el("p", {}, text));
    } finally {
      this.#setBusy(false);
      this.#sending.hidden = true;
      this.#showRows();
    }
  }

  #showRows(): void {
    this.#studies.replaceChildren(...this.#collection.studies().map((study) => this.#studyCard(study)));
    const open = this.#chosen().filter((image) => !this.#stored.has(image.header.sopInstanceUid));
    this.#send.hidden = open.length === 0;
    this.#send.textContent = `Try ${count(open.length, "image", "images")} again`;
  }

  #finish(chosen: readonly Image[], failures: ReadonlyMap<Image, string>): void {
    const good = chosen.filter((image) => this.#stored.has(image.header.sopInstanceUid)).length;
    if (good > 0 && this.#continue) this.#continue.disabled = false;
    if (failures.size === 0) {
      const title = chosen.length === 1 ? "Your image is safely stored" : `All ${count(chosen.length, "image", "images")} are safely stored`;
      this.#tell("good", title, el("p", {}, "You may take out the disc and go on."));
      return;
    }
    const list = el("ul", { class: "up-files" });
    for (const [image, reason] of failures) list.append(el("li", {}, el("span", { class: "mono" }, image.source.name), ": ", reason));
    this.#tell(
      "warn",
      `${good.toLocaleString("en")} of ${count(chosen.length, "image", "images")} are safely stored`,
      el("p", {}, `${count(failures.size, "image was", "images were")} not. You can try again, or go on without.`),
      list,
    );
  }

  #tell(tone: string, title: string, ...body: readonly HTMLElement[]): void {
    this.#result.replaceChildren(
      el("div", { class: `alert ${tone}`, role: tone === "good" ? "status" : "alert" }, el("p", { class: "alert-title" }, title), ...body),
    );
    this.#result.focus({ preventScroll: true });
    this.#result.scrollIntoView({ block: "nearest" });
  }
}

for (const element of document.querySelectorAll<HTMLElement>("[data-uploader]")) new Uploader(element);
