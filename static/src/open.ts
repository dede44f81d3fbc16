// The page of a link that holds a cluster: shows what is in it, and opens it as a lab when it is asked to.
import "./styles/theme.css";
import "./styles/base.css";
import "./styles/front.css";
import "./styles/import.css";
import { chooseLanguage } from "./i18n/choose";
import { t, useLanguage } from "./i18n/t";
import { contents, ShareProblem, unpack, type Shared } from "./lab/share";

const PACE_MS = 160;
const SHOWN = 200;
const PROBLEMS: Record<string, string> = {
  "no cluster": "This address holds no cluster. The link may have been cut off: ask for it again.",
  damaged: "This link is damaged: what it holds cannot be read. It may have been cut off on its way.",
  "too large": "What this link holds is larger than a link may be.",
};

useLanguage();
chooseLanguage(document.querySelector<HTMLSelectElement>("select[name=language]"));
const form = document.querySelector<HTMLFormElement>("form[data-open-link]")!;
const status = form.querySelector<HTMLElement>("[role=status]")!;
const button = form.querySelector("button")!;
let shared: Shared | null = null;

function say(text: string, bad = false): void {
  status.textContent = text;
  status.className = bad ? "bad" : "soft";
}

async function read(): Promise<void> {
  shared = null;
  button.disabled = true;
  try {
    shared = await unpack(location.hash);
    const { nodes, objects } = contents(shared.scenario);
    say(t("{nodes} workers and {objects} objects are in it.", { nodes, objects: objects.length }));
    form.querySelector("ul")!.replaceChildren(...objects.slice(0, SHOWN).map((each) => Object.assign(document.createElement("li"), { textContent: each })));
    form.querySelector("pre")!.textContent = JSON.stringify(shared.scenario, null, 2);
    form.querySelector("details")!.hidden = false;
    button.disabled = false;
  } catch (error) {
    say(t(PROBLEMS[error instanceof ShareProblem ? error.message : ""] ?? PROBLEMS["damaged"]!), true);
  }
}

async function open(): Promise<void> {
  if (!shared) return;
  button.disabled = true;
  say(t("Opening …"));
  try {
    const token = form.querySelector<HTMLInputElement>("input[name=csrfmiddlewaretoken]")!.value;
    const answer = await fetch("/api/labs", { method: "POST", headers: { "Content-Type": "application/json", "X-CSRFToken": token }, body: JSON.stringify({ scenario: shared.scenario, name: shared.name, pace: PACE_MS }) });
    const got = (await answer.json()) as { id?: string; error?: { message: string } };
    if (answer.ok && got.id) return location.assign(`/labs/${got.id}/`);
    say(got.error?.message ?? answer.statusText, true);
  } catch (error) {
    say(error instanceof Error ? error.message : String(error), true);
  }
  button.disabled = false;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  void open();
});
addEventListener("hashchange", () => void read());
void read();
