// The import page: reads files or pasted text, asks the server what becomes of it, opens it as a lab.
import "./styles/theme.css";
import "./styles/base.css";
import "./styles/front.css";
import "./styles/import.css";
import { chooseLanguage } from "./i18n/choose";
import { t, useLanguage } from "./i18n/t";
import { BYTES_MOST, dropped, FilesProblem, joined, manifestsOf } from "./lab/files";

interface Answer {
  url?: string;
  counts: Record<string, number>;
  report: { level: string; object: string; message: string }[];
  error?: { message: string };
}

const PACE_MS = 160;
const LEVELS: Record<string, string> = { changed: "taken, changed", missing: "not modelled", made: "made by the model" };
const COUNTS: [string, string][] = [["nodes", "workers"], ["taken", "objects taken"], ["made", "made by the model"], ["missing", "not modelled"], ["refused", "refused"]];

useLanguage();
chooseLanguage(document.querySelector<HTMLSelectElement>("select[name=language]"));
const form = document.querySelector<HTMLFormElement>("form[data-import]")!;
const area = form.querySelector("textarea")!;
const status = form.querySelector<HTMLElement>("[role=status]")!;
const report = document.querySelector<HTMLElement>("[data-report]")!;
const buttons = form.querySelectorAll("button");
const progress = form.querySelector("progress")!;
const mask = form.querySelector<HTMLInputElement>("input[name=mask]")!;

async function readFiles(files: Iterable<File>): Promise<void> {
  try {
    const found = await manifestsOf(files, true);
    if (!found.length) return say(t("None of these is a YAML or JSON file."), true);
    area.value = found.length === 1 ? found[0]!.text : joined(found);
    await send(false);
  } catch (error) {
    say(t(error instanceof FilesProblem && error.message === "damaged" ? "This archive cannot be read." : "These files are too large together."), true);
  }
}

async function send(open: boolean): Promise<void> {
  if (!area.value.trim()) return area.focus();
  if (area.value.length > BYTES_MOST) return say(t("This text is {size} MB long; at most {most} MB are read.", { size: (area.value.length / 1e6).toFixed(1), most: BYTES_MOST / 1e6 }), true);
  say(open ? t("Opening …") : t("Reading …"));
  progress.hidden = false;
  for (const button of buttons) button.disabled = true;
  try {
    const token = form.querySelector<HTMLInputElement>("input[name=csrfmiddlewaretoken]")!.value;
    const answer = await fetch("/api/import", { method: "POST", headers: { "Content-Type": "application/json", "X-CSRFToken": token }, body: JSON.stringify({ text: area.value, mask: mask.checked, open, ...(open ? { pace: PACE_MS } : {}) }) });
    const got = (await answer.json()) as Answer;
    if (!answer.ok) return say(got.error?.message ?? answer.statusText, true);
    show(got);
    say(t("This is what becomes of it."));
    if (open && got.url) location.href = got.url;
  } catch (error) {
    say(error instanceof Error ? error.message : String(error), true);
  } finally {
    progress.hidden = true;
    for (const button of buttons) button.disabled = false;
  }
}

function say(text: string, bad = false): void {
  status.textContent = text;
  status.className = bad ? "bad" : "soft";
}

function show(answer: Answer): void {
  report.hidden = false;
  report.querySelector(".counts")!.replaceChildren(...COUNTS.filter(([name]) => answer.counts[name]).map(([name, word]) => element("span", `${answer.counts[name]} ${t(word)}`, "pill")));
  const rows = [...answer.report].sort((a, b) => order(a.level) - order(b.level)).map((each) => {
    const row = document.createElement("tr");
    row.className = each.level;
    row.append(element("td", t(LEVELS[each.level] ?? each.level)), element("td", each.object, "mono"), element("td", each.message));
    return row;
  });
  report.querySelector("tbody")!.replaceChildren(...rows);
  report.querySelector("table")!.hidden = !rows.length;
}

const order = (level: string): number => ["missing", "changed", "made"].indexOf(level);

function element(name: string, text: string, kind = ""): HTMLElement {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = kind;
  return made;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  void send(false);
});
form.querySelector("[data-open]")!.addEventListener("click", () => void send(true));
form.querySelector<HTMLInputElement>("input[type=file]")!.addEventListener("change", (event) => void readFiles((event.target as HTMLInputElement).files ?? []));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.dataset["drop"] = "yes";
});
document.addEventListener("dragleave", () => delete document.body.dataset["drop"]);
document.addEventListener("drop", (event) => {
  event.preventDefault();
  delete document.body.dataset["drop"];
  if (event.dataTransfer?.types.includes("Files")) void dropped(event.dataTransfer).then(readFiles);
  else if (event.dataTransfer) {
    area.value = event.dataTransfer.getData("text/plain");
    void send(false);
  }
});
