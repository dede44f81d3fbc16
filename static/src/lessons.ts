// The catalogue of lessons. Its forms work without this script; this adds the search, and progress as a file.
import "./styles/theme.css";
import "./styles/base.css";
import "./styles/front.css";
import "./styles/catalogue.css";
import { chooseLanguage } from "./i18n/choose";

chooseLanguage(document.querySelector<HTMLSelectElement>("select[name=language]"));

const filter = document.querySelector<HTMLFormElement>("form.filter")!;
const cards = [...document.querySelectorAll<HTMLElement>("li[data-level]")];

function show(): void {
  const asked = new FormData(filter);
  const words = String(asked.get("words") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const level = String(asked.get("level") ?? "");
  const minutes = Number(asked.get("minutes") || Infinity);
  let count = 0;
  for (const card of cards) {
    const { words: text = "", level: its, minutes: long } = card.dataset;
    card.hidden = !(words.every((word) => text.includes(word)) && (!level || its === level) && Number(long) <= minutes);
    if (!card.hidden) count++;
  }
  for (const path of document.querySelectorAll<HTMLElement>("[data-path]")) path.hidden = !path.querySelector("li:not([hidden])");
  filter.querySelector("output")!.textContent = count === cards.length ? "" : `${count} / ${cards.length}`;
}

filter.addEventListener("input", show);
filter.addEventListener("submit", (event) => event.preventDefault());

const status = document.querySelector<HTMLElement>(".keep [role=status]")!;

document.querySelector("[data-export]")!.addEventListener("click", async () => {
  const text = await (await fetch("/api/lessons/progress")).text();
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = "clusterlab-progress.json";
  link.click();
  URL.revokeObjectURL(link.href);
});

document.querySelector<HTMLInputElement>("[data-import]")!.addEventListener("change", async (event) => {
  const file = (event.target as HTMLInputElement).files?.[0];
  if (!file) return;
  const token = document.querySelector<HTMLInputElement>("input[name=csrfmiddlewaretoken]")?.value ?? "";
  const answer = await fetch("/api/lessons/progress", { method: "POST", headers: { "Content-Type": "application/json", "X-CSRFToken": token }, body: await file.text() });
  if (answer.ok) location.reload();
  else status.textContent = ((await answer.json().catch(() => null)) as { error?: { message: string } } | null)?.error?.message ?? answer.statusText;
});
