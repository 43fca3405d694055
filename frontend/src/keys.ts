// Keys of a list, for who works at a keyboard: j and k go from row to row, Enter opens, "/" goes to the search, "?"
// tells which there are. They are off where somebody types, and can be turned off, as speech input needs it
// (WCAG 2.1.4). Without them each row's link is reached by Tab, as ever.

const OFF = "overread.keys.off";

/** What a key does in a list; "" where it is nothing of ours. */
export function meaning(key: string, typing: boolean, off: boolean): "" | "next" | "before" | "search" | "tell" {
  if (typing) return "";
  // Which keys there are is told also while they are off: it is where they are turned on.
  if (key === "?") return "tell";
  if (off) return "";
  return ({ j: "next", k: "before", "/": "search" } as const)[key as "j" | "k" | "/"] ?? "";
}

/** The row that is gone to from row `at` (-1: none yet) of `count`, by a step of 1 or -1. */
export function row(at: number, step: number, count: number): number {
  return at < 0 ? 0 : Math.min(Math.max(at + step, 0), count - 1);
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || target.matches("input, select, textarea") || target.closest("dialog[open]") !== null)
  );
}

/** `list` holds a table whose rows each have a link; the dialog tells the keys. */
export function listKeys(list: HTMLElement, dialog: HTMLDialogElement): void {
  const rows = [...list.querySelectorAll<HTMLTableRowElement>("tbody tr")];
  const search = document.querySelector<HTMLInputElement>("[role=search] input[type=search]");
  const off = dialog.querySelector<HTMLInputElement>("[data-keys-off]");
  const open = document.querySelector<HTMLButtonElement>("[data-keys-open]");
  if (off) {
    off.checked = localStorage.getItem(OFF) === "yes";
    off.addEventListener("change", () => localStorage.setItem(OFF, off.checked ? "yes" : "no"));
  }
  if (open) {
    open.hidden = false;
    open.addEventListener("click", () => dialog.showModal());
  }
  dialog.querySelector("[data-keys-close]")?.addEventListener("click", () => dialog.close());
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const what = meaning(event.key, isTyping(event.target), off?.checked ?? false);
    if (!what) return;
    event.preventDefault();
    if (what === "tell") dialog.showModal();
    if (what === "search") search?.focus();
    if (what === "next" || what === "before") {
      // The row's own link has the focus: Enter opens it, and a screen reader says it.
      const at = rows.findIndex((one) => one.contains(document.activeElement));
      rows[row(at, what === "next" ? 1 : -1, rows.length)]?.querySelector("a")?.focus();
    }
  });
}
