// What a learner did in a lesson besides its tasks: answers, what was skipped, where steps began, the clock. The server keeps it with the
// lab (web/lesson_notes.py); it comes with the page, so that it can be read at once. What has not reached the server yet lies in the browser.
import { ask } from "./lessonApi";
import { recall, remember } from "./remember";

type Notes = Record<string, string | null>;

const SEND_MS = 500;
let kept: Map<string, string> | null = null;
let waiting: Notes = {};
/** Under way to the server. */
let flying: Notes = {};
let timer = 0;

const parsed = (text: string | null | undefined): Notes => {
  try {
    return JSON.parse(text || "{}") as Notes;
  } catch {
    return {};
  }
};
const unsent = (): string => `unsent.${document.body.dataset["labId"] ?? ""}`;

function all(): Map<string, string> {
  if (kept) return kept;
  waiting = parsed(recall(unsent()));
  kept = new Map(Object.entries({ ...parsed(document.body.dataset["notes"]), ...waiting }).map(([name, text]) => [name, text ?? ""]));
  if (Object.keys(waiting).length) later();
  return kept;
}

/** Where browsers kept a note before the server did. */
function before(name: string): string | null {
  const [kind, ...rest] = name.split(".");
  return recall([kind, document.body.dataset["labId"], ...rest].join("."));
}

export function note(name: string): string | null {
  return (all().get(name) ?? before(name)) || null;
}

/** Keeps a note; null forgets it. */
export function keepNote(name: string, text: string | null): void {
  if (note(name) === text) return;
  all().set(name, text ?? "");
  if (document.body.dataset["canEdit"] !== "true") return;
  waiting[name] = text;
  keepUnsent();
  later();
}

/** The browser keeps what the server is not known to have. */
function keepUnsent(): void {
  const notes = { ...flying, ...waiting };
  remember(unsent(), Object.keys(notes).length ? JSON.stringify(notes) : null);
}

function later(): void {
  timer ||= window.setTimeout(() => void send(), SEND_MS);
}

/** Sends what waits. One sending at a time, so that an older note never overtakes a newer one; only a page that is left does not wait. */
async function send(leaving = false): Promise<void> {
  clearTimeout(timer);
  timer = 0;
  if (!Object.keys(waiting).length || (Object.keys(flying).length && !leaving)) return;
  const notes = (flying = { ...flying, ...waiting });
  waiting = {};
  try {
    await ask("POST", "notes", notes, true);
    if (flying === notes) flying = {};
    keepUnsent();
    if (Object.keys(waiting).length) later();
  } catch {
    if (flying !== notes) return; // they went once more with those that came after them
    waiting = { ...notes, ...waiting }; // the next note tries again
    flying = {};
  }
}

window.addEventListener("pagehide", () => void send(true));
