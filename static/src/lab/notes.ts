// What a learner did in a lesson besides its tasks: answers, what was skipped, where steps began, the clock. The server keeps it with the
// lab (web/lesson_notes.py); it comes with the page, so that it can be read at once.
import { ask } from "./lessonApi";
import { recall } from "./remember";

const SEND_MS = 500;
let kept: Map<string, string> | null = null;
let waiting: Record<string, string | null> = {};
let timer = 0;

function all(): Map<string, string> {
  if (kept) return kept;
  let given: Record<string, string> = {};
  try {
    given = JSON.parse(document.body.dataset["notes"] || "{}") as Record<string, string>;
  } catch {
    // Nothing was kept.
  }
  return (kept = new Map(Object.entries(given)));
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
  timer ||= window.setTimeout(send, SEND_MS);
}

function send(): void {
  clearTimeout(timer);
  timer = 0;
  const notes = waiting;
  if (!Object.keys(notes).length) return;
  waiting = {};
  ask("POST", "notes", notes, true).catch(() => {
    waiting = { ...notes, ...waiting }; // the next note tries again
  });
}

window.addEventListener("pagehide", send);
