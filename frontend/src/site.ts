// Small behaviours. Every page works without them; each is switched on by a data attribute.

import { keepAsTyped } from "./autosave";
import { listKeys } from "./keys";
import { timeLeft } from "./time";

function each<E extends HTMLElement>(selector: string, act: (element: E) => void): void {
  for (const element of document.querySelectorAll<E>(selector)) act(element);
}

function copyButtons(): void {
  each<HTMLButtonElement>("[data-copy]", (button) => {
    const value = button.parentElement?.querySelector("[data-copy-value]")?.textContent ?? "";
    if (!navigator.clipboard) return; // Only a secure page may write to the clipboard.
    button.hidden = false;
    button.addEventListener("click", () => {
      void navigator.clipboard.writeText(value).then(() => {
        button.textContent = "Copied";
        setTimeout(() => (button.textContent = "Copy"), 2000);
      });
    });
  });
}

function confirmations(): void {
  document.addEventListener("submit", (event) => {
    const question = event.submitter?.dataset.confirm;
    if (question && !confirm(question)) event.preventDefault();
  });
}

/** On a phone the links stand in one line, which is pushed sideways: one's place in it is to be seen. */
function showPlace(): void {
  const here = document.querySelector<HTMLElement>(".site-nav [aria-current]");
  const line = here?.parentElement;
  if (here && line) line.scrollLeft = here.offsetLeft - line.offsetLeft - (line.clientWidth - here.offsetWidth) / 2;
}

/** A second press on a slow connection must not send a form twice; the server holds the same rule. */
function sendOnce(): void {
  const sent = new WeakSet<EventTarget>();
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || !(form instanceof HTMLFormElement) || form.target === "_blank") return;
    if (sent.has(form)) event.preventDefault();
    sent.add(form);
    // Where the answer was a download the page stays, and its form may be used again.
    setTimeout(() => sent.delete(form), 10_000);
  });
  // Coming back by the browser's button finds the page as it was left.
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });
}

function countdowns(): void {
  const paint = (): void =>
    each("[data-countdown]", (element) => {
      element.textContent = timeLeft(new Date(element.dataset.countdown ?? ""), new Date());
    });
  paint();
  setInterval(paint, 30_000);
}

function printButtons(): void {
  each<HTMLButtonElement>("[data-print]", (button) => {
    button.hidden = false;
    button.addEventListener("click", () => print());
  });
}

function moreQuestions(): void {
  each<HTMLFieldSetElement>("[data-questions]", (fieldset) => {
    const button = fieldset.querySelector<HTMLButtonElement>("[data-add-question]");
    const max = Number(fieldset.dataset.max ?? "5");
    const fields = (): HTMLElement[] => [...fieldset.querySelectorAll<HTMLElement>(".field")];
    if (!button) return;
    button.hidden = fields().length >= max;
    button.addEventListener("click", () => {
      const last = fields().at(-1);
      const copy = last?.cloneNode(true);
      if (!last || !(copy instanceof HTMLElement)) return;
      const number = fields().length + 1;
      const input = copy.querySelector("input");
      const label = copy.querySelector("label");
      if (!input || !label) return;
      input.value = "";
      input.id = `f-questions-${number - 1}`;
      input.required = false;
      label.htmlFor = input.id;
      if (label.firstChild) label.firstChild.textContent = `Question ${number} `;
      last.after(copy);
      input.focus();
      button.hidden = number >= max;
    });
  });
}

function dependentFields(): void {
  each("[data-shown-by]", (element) => {
    const box = document.getElementById(element.dataset.shownBy ?? "");
    if (!(box instanceof HTMLInputElement)) return;
    const paint = (): void => void (element.hidden = !box.checked);
    box.addEventListener("change", paint);
    paint();
  });
}

function textTemplates(): void {
  each("[data-templates]", (element) => (element.hidden = false));
  each<HTMLSelectElement>("[data-insert-into]", (select) => {
    const area = document.getElementById(select.dataset.insertInto ?? "");
    if (!(area instanceof HTMLTextAreaElement)) return;
    select.addEventListener("change", () => {
      if (select.value) area.setRangeText(select.value, area.selectionStart, area.selectionEnd, "end");
      area.dispatchEvent(new Event("input", { bubbles: true }));
      select.value = "";
      area.focus();
    });
  });
}

function unsavedText(): void {
  each<HTMLFormElement>("[data-unsaved]", (form) => {
    let changed = false;
    form.addEventListener("input", () => (changed = true));
    form.addEventListener("submit", () => (changed = false));
    addEventListener("beforeunload", (event) => {
      if (changed) event.preventDefault();
    });
  });
}

function keptForms(): void {
  each<HTMLFormElement>("[data-autosave]", (form) => {
    const note = document.querySelector<HTMLElement>("[data-kept]");
    if (note) keepAsTyped(form, note);
  });
}

function keysOfLists(): void {
  const dialog = document.getElementById("keys");
  each("[data-list-keys]", (list) => {
    if (dialog instanceof HTMLDialogElement) listKeys(list, dialog);
  });
}

/** What a link within the page leads to is shown, also where it is folded away. */
function openTargets(): void {
  const open = (): void => {
    const target = location.hash ? document.getElementById(location.hash.slice(1)) : null;
    for (let node = target; node; node = node.parentElement) if (node instanceof HTMLDetailsElement) node.open = true;
    if (target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement) target.focus();
    else target?.scrollIntoView();
  };
  addEventListener("hashchange", open);
  if (location.hash) open();
}

/** The server writes times in the zone of whoever reads: until an account has chosen one, in the browser's. */
function tellZone(): void {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const secure = location.protocol === "https:" ? "; secure" : "";
  if (zone) document.cookie = `overread_zone=${zone}; path=/; max-age=31536000; samesite=lax${secure}`;
}

copyButtons();
openTargets();
tellZone();
confirmations();
showPlace();
sendOnce();
countdowns();
printButtons();
moreQuestions();
dependentFields();
textTemplates();
unsavedText();
keptForms();
keysOfLists();
document.querySelector<HTMLElement>("[data-focus]")?.focus();
