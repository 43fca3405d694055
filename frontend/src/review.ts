// The review of a held picture: boxes drawn over it, in step with the form's rows. Without this the form works alone.

import { between, type Box, describe, grip, type Grip, middle, moved, parse, type Point, pulled, resized, type Size, step } from "./boxes";

const SVG = "http://www.w3.org/2000/svg";
const SIDES = ["left", "top", "width", "height"] as const;
/** Pixels of the screen around an edge that take hold of it, by mouse and by finger. */
const REACH = 7;
const REACH_TOUCH = 20;
const HANDLE = 10;
/** A smaller drag is a click. */
const SMALLEST_DRAG = 4;

/** A box: where it is, its rectangle on the picture, its row in the form, and the suggestion that it came from. */
interface Mask {
  box: Box;
  readonly rect: SVGRectElement;
  readonly row: HTMLElement;
  readonly suggestion: HTMLInputElement | null;
}

interface Drag {
  readonly pointer: number;
  readonly from: Point;
  readonly mask: Mask | null;
  readonly grip: Grip;
  readonly before: Box | null;
  made: Mask | null;
}

function one<E extends Element>(root: ParentNode, selector: string): E {
  const found = root.querySelector<E>(selector);
  if (!found) throw new Error(`the page has no ${selector}`);
  return found;
}

class Review {
  readonly #size: Size;
  readonly #form: HTMLFormElement;
  readonly #rows: HTMLElement;
  readonly #template: HTMLTemplateElement;
  readonly #none: HTMLElement;
  readonly #said: HTMLElement;
  readonly #add: HTMLButtonElement;
  readonly #svg = document.createElementNS(SVG, "svg");
  readonly #hints = document.createElementNS(SVG, "g");
  readonly #boxes = document.createElementNS(SVG, "g");
  readonly #handles = document.createElementNS(SVG, "g");
  #masks: Mask[] = [];
  #chosen: Mask | null = null;
  #drag: Drag | null = null;

  constructor(root: HTMLElement, form: HTMLFormElement) {
    this.#size = { columns: Number(root.dataset.columns), rows: Number(root.dataset.rows) };
    this.#form = form;
    this.#rows = one(form, "[data-boxes]");
    this.#template = one(form, "[data-row-template]");
    this.#none = one(form, "[data-none]");
    this.#said = one(root, "[data-said]");
    this.#add = one(root, "[data-add]");
    this.#lay(root);
    for (const row of [...this.#rows.querySelectorAll<HTMLElement>("[data-row]")]) this.#adopt(row);
    this.#suggestions();
    this.#tools(root);
    this.#listen();
    this.#renumber();
  }

  /** The rectangles lie in a drawing over the picture, whose units are the picture's pixels. */
  #lay(root: HTMLElement): void {
    const canvas = one(root, "[data-canvas]");
    this.#svg.setAttribute("viewBox", `0 0 ${this.#size.columns} ${this.#size.rows}`);
    this.#svg.setAttribute("preserveAspectRatio", "none");
    this.#svg.setAttribute("role", "application");
    this.#svg.setAttribute("aria-label", "Boxes over the picture");
    this.#svg.setAttribute("aria-describedby", "review-keys");
    this.#svg.append(this.#hints, this.#boxes, this.#handles);
    canvas.append(this.#svg);
    new ResizeObserver(() => this.#paintHandles()).observe(this.#svg);
  }

  #tools(root: HTMLElement): void {
    one<HTMLElement>(root, "[data-tools]").hidden = false;
    one<HTMLElement>(root, "[data-keys]").hidden = false;
    this.#add.addEventListener("click", () => {
      const mask = this.#make(middle(this.#size));
      mask.rect.focus();
      this.#say(mask);
    });
    const preview = one<HTMLButtonElement>(root, "[data-preview]");
    preview.addEventListener("click", () => {
      const on = this.#svg.classList.toggle("preview");
      preview.setAttribute("aria-pressed", String(on));
      this.#said.textContent = on ? "The boxes are shown as they will be blanked." : "The boxes are shown as outlines.";
    });
  }

  #listen(): void {
    this.#svg.addEventListener("pointerdown", (event) => this.#down(event));
    // A finger on a box moves the box; beside the boxes it scrolls the page, or draws when it sets out sideways.
    this.#svg.addEventListener("touchstart", (event) => this.#drag?.mask && event.preventDefault(), { passive: false });
    this.#svg.addEventListener("pointermove", (event) => this.#move(event));
    this.#svg.addEventListener("pointerup", (event) => this.#up(event));
    this.#svg.addEventListener("pointercancel", (event) => this.#cancel(event));
    this.#svg.addEventListener("keydown", (event) => this.#key(event));
  }

  // -- Boxes ---------------------------------------------------------------------------------------------------------

  /** A row that came with the page; an empty one is for those without scripts. */
  #adopt(row: HTMLElement): void {
    const box = parse(inputs(row).map((input) => input.value), this.#size);
    const typed = inputs(row).some((input) => input.value !== "");
    if (box || typed) this.#take(row, box ?? middle(this.#size), null, box === null);
    else row.remove();
  }

  #make(box: Box, suggestion: HTMLInputElement | null = null): Mask {
    const copy = this.#template.content.cloneNode(true) as DocumentFragment;
    const row = one<HTMLElement>(copy, "[data-row]");
    this.#rows.append(row);
    const mask = this.#take(row, box, suggestion);
    this.#changed();
    return mask;
  }

  /** `wrong`: what was typed is no box; it stays in the row to be mended. */
  #take(row: HTMLElement, box: Box, suggestion: HTMLInputElement | null, wrong = false): Mask {
    const rect = document.createElementNS(SVG, "rect");
    rect.setAttribute("class", "mask");
    rect.setAttribute("tabindex", "0");
    rect.setAttribute("role", "button");
    rect.setAttribute("aria-roledescription", "movable box");
    this.#boxes.append(rect);
    const mask: Mask = { box, rect, row, suggestion };
    this.#masks.push(mask);
    const remove = one<HTMLButtonElement>(row, "[data-remove]");
    remove.hidden = false;
    remove.addEventListener("click", () => this.#remove(mask));
    rect.addEventListener("focus", () => this.#choose(mask));
    row.addEventListener("focusin", () => this.#choose(mask));
    for (const input of inputs(row)) {
      input.addEventListener("input", () => {
        const typed = parse(inputs(row).map((field) => field.value), this.#size);
        if (typed) this.#place(mask, typed, false);
      });
      input.addEventListener("change", () => this.#place(mask, mask.box));
    }
    this.#place(mask, box, !wrong);
    this.#renumber();
    return mask;
  }

  /** Put a box somewhere; `typed` is false while somebody types the numbers, which then are not written over. */
  #place(mask: Mask, box: Box, write = true): void {
    mask.box = box;
    mask.rect.setAttribute("x", String(box.left));
    mask.rect.setAttribute("y", String(box.top));
    mask.rect.setAttribute("width", String(box.width));
    mask.rect.setAttribute("height", String(box.height));
    mask.rect.setAttribute("aria-label", describe(box, this.#masks.indexOf(mask) + 1));
    if (write) inputs(mask.row).forEach((input, at) => (input.value = String(box[SIDES[at] ?? "left"])));
    if (mask === this.#chosen) this.#paintHandles();
  }

  #remove(mask: Mask): void {
    const at = this.#masks.indexOf(mask);
    this.#masks = this.#masks.filter((other) => other !== mask);
    mask.rect.remove();
    mask.row.remove();
    if (mask.suggestion) mask.suggestion.disabled = false;
    this.#choose(null);
    this.#renumber();
    this.#changed();
    const next = this.#masks[Math.min(at, this.#masks.length - 1)];
    (next?.rect ?? this.#add).focus();
    this.#said.textContent = `Box ${at + 1} is removed. ${this.#masks.length} left.`;
  }

  #renumber(): void {
    this.#none.hidden = this.#masks.length > 0;
    this.#masks.forEach((mask, index) => {
      const number = String(index + 1);
      one(mask.row, "[data-number]").textContent = number;
      inputs(mask.row).forEach((input, at) => input.setAttribute("aria-label", `Box ${number}, ${SIDES[at] ?? ""}`));
      one(mask.row, "[data-remove]").setAttribute("aria-label", `Remove box ${number}`);
      mask.rect.setAttribute("aria-label", describe(mask.box, index + 1));
    });
  }

  #choose(mask: Mask | null): void {
    this.#chosen = mask;
    for (const other of this.#masks) other.row.classList.toggle("chosen", other === mask);
    this.#paintHandles();
  }

  #paintHandles(): void {
    const box = this.#chosen?.box;
    if (!box) return this.#handles.replaceChildren();
    const [wide, high] = this.#unit();
    const corners = [0, 1].flatMap((x) => [0, 1].map((y) => [x, y] as const));
    this.#handles.replaceChildren(
      ...corners.map(([x, y]) => {
        const handle = document.createElementNS(SVG, "rect");
        handle.setAttribute("class", x === y ? "handle" : "handle other");
        handle.setAttribute("x", String(box.left + x * box.width - (HANDLE / 2) * wide));
        handle.setAttribute("y", String(box.top + y * box.height - (HANDLE / 2) * high));
        handle.setAttribute("width", String(HANDLE * wide));
        handle.setAttribute("height", String(HANDLE * high));
        return handle;
      }),
    );
  }

  /** The form has changed: who leaves the page is asked. */
  #changed(): void {
    this.#form.dispatchEvent(new Event("input", { bubbles: true }));
  }

  #say(mask: Mask): void {
    this.#said.textContent = describe(mask.box, this.#masks.indexOf(mask) + 1);
  }

  // -- Suggestions ---------------------------------------------------------------------------------------------------

  #suggestions(): void {
    for (const group of this.#form.querySelectorAll<HTMLElement>(".suggested details")) {
      const ticks = [...group.querySelectorAll<HTMLInputElement>("[name=suggested]")];
      for (const tick of ticks) this.#suggestion(tick);
      const all = one<HTMLButtonElement>(group, "[data-take-all]");
      all.hidden = ticks.length < 2;
      all.addEventListener("click", () => {
        for (const tick of ticks.filter((other) => !other.disabled)) tick.click();
      });
    }
  }

  /** A ticked suggestion becomes a box like any other, to be moved and removed. */
  #suggestion(tick: HTMLInputElement): void {
    const box = parse(tick.value.split(" "), this.#size);
    if (!box) return;
    const hint = document.createElementNS(SVG, "rect");
    hint.setAttribute("class", "mask hinted");
    for (const [name, value] of [["x", box.left], ["y", box.top], ["width", box.width], ["height", box.height]] as const)
      hint.setAttribute(name, String(value));
    const row = tick.closest("label");
    const show = (on: boolean): void => (on ? this.#hints.append(hint) : hint.remove());
    row?.addEventListener("pointerenter", () => show(true));
    row?.addEventListener("pointerleave", () => show(false));
    tick.addEventListener("focus", () => show(true));
    tick.addEventListener("blur", () => show(false));
    const take = (): void => {
      if (!tick.checked) return;
      tick.checked = false;
      tick.disabled = true;
      show(false);
      this.#say(this.#make(box, tick));
    };
    tick.addEventListener("change", take);
    take();
  }

  // -- Pointer -------------------------------------------------------------------------------------------------------

  /** Pixels of the picture for one of the screen, across and down. */
  #unit(): [number, number] {
    const shown = this.#svg.getBoundingClientRect();
    return [this.#size.columns / (shown.width || 1), this.#size.rows / (shown.height || 1)];
  }

  #at(event: PointerEvent): Point {
    const shown = this.#svg.getBoundingClientRect();
    const [wide, high] = this.#unit();
    return { x: (event.clientX - shown.left) * wide, y: (event.clientY - shown.top) * high };
  }

  #down(event: PointerEvent): void {
    if (this.#drag || !event.isPrimary || event.button !== 0) return;
    const at = this.#at(event);
    const reach = (event.pointerType === "touch" ? REACH_TOUCH : REACH) * this.#unit()[0];
    const order = [...(this.#chosen ? [this.#chosen] : []), ...[...this.#masks].reverse()];
    const mask = order.find((other) => grip(other.box, at, reach)) ?? null;
    const held = mask ? grip(mask.box, at, reach) : null;
    this.#drag = { pointer: event.pointerId, from: at, mask, grip: held ?? { x: 1, y: 1 }, before: mask?.box ?? null, made: null };
    this.#svg.setPointerCapture(event.pointerId);
    event.preventDefault();
    if (mask) mask.rect.focus({ preventScroll: true });
    else this.#choose(null);
  }

  #move(event: PointerEvent): void {
    const drag = this.#drag;
    if (drag?.pointer !== event.pointerId) return;
    const at = this.#at(event);
    if (drag.mask && drag.before) {
      this.#place(drag.mask, pulled(drag.before, drag.grip, at.x - drag.from.x, at.y - drag.from.y, this.#size));
      return;
    }
    const box = between(drag.from, at, this.#size);
    const [wide, high] = this.#unit();
    if (drag.made) this.#place(drag.made, box);
    else if (box.width > SMALLEST_DRAG * wide || box.height > SMALLEST_DRAG * high) drag.made = this.#make(box);
  }

  #up(event: PointerEvent): void {
    const drag = this.#drag;
    if (drag?.pointer !== event.pointerId) return;
    this.#drag = null;
    const mask = drag.mask ?? drag.made;
    if (!mask) return;
    mask.rect.focus({ preventScroll: true });
    if (mask.box !== drag.before) this.#changed();
    this.#say(mask);
  }

  /** The browser took the gesture over, to scroll: as if nothing had been. */
  #cancel(event: PointerEvent): void {
    const drag = this.#drag;
    if (drag?.pointer !== event.pointerId) return;
    this.#drag = null;
    if (drag.mask && drag.before) this.#place(drag.mask, drag.before);
    if (drag.made) this.#remove(drag.made);
  }

  // -- Keyboard ------------------------------------------------------------------------------------------------------

  #key(event: KeyboardEvent): void {
    const mask = this.#masks.find((other) => other.rect === event.target);
    if (!mask || event.altKey || event.metaKey) return;
    if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      this.#remove(mask);
      return;
    }
    const directions: Readonly<Record<string, readonly [number, number]>> = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
    };
    const direction = directions[event.key];
    if (!direction) return;
    event.preventDefault();
    const far = event.ctrlKey ? 1 : step(this.#size);
    const change = event.shiftKey ? resized : moved;
    this.#place(mask, change(mask.box, direction[0] * far, direction[1] * far, this.#size));
    this.#changed();
    this.#say(mask);
  }
}

function inputs(row: Element): HTMLInputElement[] {
  return [...row.querySelectorAll<HTMLInputElement>("input[type=number]")];
}

/** Both pictures of several frames lie over each other, and one of them is shown. */
function stack(root: HTMLElement): void {
  const stage = one<HTMLElement>(root, "[data-stage]");
  const pictures = [...stage.querySelectorAll<HTMLImageElement>("img")];
  const canvas = document.createElement("div");
  canvas.className = "review-canvas";
  canvas.dataset.canvas = "";
  canvas.append(...pictures);
  stage.replaceChildren(canvas);
  stage.classList.remove("pair");
  const chooser = root.querySelector<HTMLElement>("[data-switch]");
  const buttons = [...(chooser?.querySelectorAll<HTMLButtonElement>("button") ?? [])];
  const show = (which: string): void => {
    for (const picture of pictures) picture.hidden = picture.dataset.which !== which;
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.which === which));
  };
  for (const button of buttons) button.addEventListener("click", () => show(button.dataset.which ?? "maximum"));
  if (chooser) chooser.hidden = false;
  show("maximum");
}

for (const root of document.querySelectorAll<HTMLElement>("[data-review]")) {
  stack(root);
  const form = document.getElementById(root.dataset.form ?? "");
  if (form instanceof HTMLFormElement && form.querySelector("[data-boxes]")) new Review(root, form);
}
