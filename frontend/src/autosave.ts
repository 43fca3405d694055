// A form that is sent to the server as it is typed, half filled in, so that nothing is lost when a page is closed, a
// phone rings or a session ends. Without it the form's buttons do the same.

interface Kept {
  edition: string;
  refused: Record<string, string>;
}

export type Told = "begun" | "saving" | "saved" | "offline" | "out" | "elsewhere" | "partly" | "refused";

const WAIT_MS = 800;
const AGAIN_MS = 5000;

/** What an answer of the server means for whoever types. */
export function meaning(status: number): Told {
  if (status === 401 || status === 403) return "out";
  if (status === 409) return "elsewhere";
  if (status === 422) return "refused";
  return status < 300 ? "saved" : "offline";
}

export function keepAsTyped(form: HTMLFormElement, note: HTMLElement): void {
  const url = form.dataset.autosave ?? "";
  let timer: ReturnType<typeof setTimeout> | undefined;
  let changed = false;
  let busy = false;
  let stopped = false;

  const tell = (told: Told, what = ""): void => {
    const time = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    note.textContent = (note.dataset[told] ?? "").replace("{time}", time).replace("{what}", what);
    note.classList.toggle("warn", !["begun", "saving", "saved"].includes(told));
    if (told === "out") {
      const link = document.createElement("a");
      link.href = `/sign-in?next=${form.dataset.home ?? "/cases"}`;
      link.target = "_blank";
      link.rel = "noopener";
      link.textContent = note.dataset.signIn ?? "";
      note.append(" ", link);
    }
  };

  const again = (delay: number): void => {
    clearTimeout(timer);
    timer = setTimeout(() => void save(), delay);
  };

  const idle = async (): Promise<void> => {
    while (busy) await new Promise((done) => setTimeout(done, 50));
  };

  const save = async (leaving = false): Promise<void> => {
    if (!changed || busy || stopped) return;
    busy = true;
    changed = false;
    if (!leaving) tell("saving");
    try {
      const answer = await fetch(url, {
        method: "POST",
        body: new URLSearchParams(new FormData(form) as unknown as Record<string, string>),
        keepalive: leaving,
        redirect: "manual",
      });
      const told = meaning(answer.type === "opaqueredirect" ? 401 : answer.status);
      if (told === "saved") {
        const kept = (await answer.json()) as Kept;
        const edition = form.elements.namedItem("edition");
        if (edition instanceof HTMLInputElement) edition.value = kept.edition;
        const [what] = Object.values(kept.refused ?? {});
        tell(what ? "partly" : "saved", what);
        return;
      }
      changed = true;
      stopped = told === "elsewhere";
      tell(told);
    } catch {
      changed = true;
      tell("offline");
    } finally {
      busy = false;
      if (changed && !stopped) again(AGAIN_MS);
    }
  };

  form.addEventListener("input", () => {
    changed = true;
    again(WAIT_MS);
  });
  form.addEventListener("change", () => {
    changed = true;
    again(WAIT_MS);
  });
  form.addEventListener("submit", (event) => {
    clearTimeout(timer);
    stopped = true;
    // The form brings everything itself, but must not meet its own text, on its way, as a stranger's change.
    if (busy) {
      event.preventDefault();
      const button = event.submitter;
      void idle().then(() => form.requestSubmit(button));
    }
  });
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") void save(true);
    else if (changed) again(0);
  });
  addEventListener("beforeunload", (event) => {
    if (changed && !stopped) event.preventDefault();
  });
  tell("begun");
}
