// The page of releases. Its gallery works without this script, which runs the comparison and draws what came of it.
import "./styles/theme.css";
import "./styles/base.css";
import "./styles/front.css";
import "./styles/catalogue.css";
import "./styles/plotly.css";
import { html, render } from "lit";
import { chooseLanguage } from "./i18n/choose";
import { t, useLanguage } from "./i18n/t";
import "./ui/chart";
import type { ChartAnswer } from "./ui/chart";

interface Outcome {
  name: string;
  title: string;
  sent: number;
  failed: number;
  slow: number;
  double_minutes: number;
  recovered_s: number;
  decided_by: string;
}

interface Comparison {
  seed: number;
  over: boolean;
  done: number;
  of: number;
  doing: string;
  share: number;
  problem: string;
  outcomes: Outcome[];
  charts: ChartAnswer[];
}

const POLL_MS = 700;
useLanguage();
chooseLanguage(document.querySelector<HTMLSelectElement>("select[name=language]"));
const form = document.querySelector<HTMLFormElement>("form.compare")!;
const button = form.querySelector("button")!, bar = form.querySelector("progress")!, status = form.querySelector<HTMLElement>("[role=status]")!;
const table = document.querySelector<HTMLElement>(".outcome")!, charts = document.querySelector<HTMLElement>(".compare-charts")!;
let drawn = -1;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  void run(Number(new FormData(form).get("seed") ?? 0));
});

async function ask(path: string, body?: object): Promise<Comparison> {
  const token = document.querySelector<HTMLInputElement>("input[name=csrfmiddlewaretoken]")?.value ?? "";
  const answer = await fetch(path, body ? { method: "POST", headers: { "Content-Type": "application/json", "X-CSRFToken": token }, body: JSON.stringify(body) } : {});
  const got = (await answer.json().catch(() => null)) as (Comparison & { error?: { message: string } }) | null;
  if (!answer.ok || !got) throw new Error(got?.error?.message ?? answer.statusText);
  return got;
}

async function run(seed: number): Promise<void> {
  button.disabled = true;
  bar.hidden = false;
  drawn = -1;
  try {
    let found = await ask("/api/comparisons", { seed });
    show(found);
    while (!found.over) {
      await new Promise((go) => setTimeout(go, POLL_MS));
      found = await ask(`/api/comparisons/${seed}`);
      show(found);
    }
  } catch (error) {
    status.textContent = error instanceof Error ? error.message : String(error);
  } finally {
    button.disabled = false;
    bar.hidden = true;
  }
}

function show(found: Comparison): void {
  bar.value = found.over ? 1 : Math.min(1, (found.done + (found.share < 1 ? found.share : 0)) / found.of);
  status.textContent = found.problem || (found.over ? t("{count} strategies compared", { count: found.done }) : `${found.done}/${found.of} ${t(found.doing)}`);
  if (found.done === drawn) return;
  drawn = found.done;
  const never = (value: number): string => (value < 0 ? t("never") : `${value} s`);
  render(found.outcomes.length ? html`<div class="scroll" tabindex="0" role="region" aria-label=${t("What each strategy cost")}><table><caption>${t("What each strategy cost")}</caption>
    <thead><tr>${["Strategy", "Sent", "Failed requests", "Slow requests", "Double capacity", "Time to recover", "Decided by"].map((name) => html`<th scope="col">${t(name)}</th>`)}</tr></thead>
    <tbody>${found.outcomes.map((one) => html`<tr data-strategy=${one.name}><th scope="row">${t(one.title)}</th><td>${one.sent}</td><td>${one.failed}</td><td>${one.slow}</td><td>${one.double_minutes} min</td><td>${never(one.recovered_s)}</td><td>${t(one.decided_by)}</td></tr>`)}</tbody></table></div>` : html``, table);
  render(html`${found.charts.map((chart) => html`<figure><figcaption>${t(chart.title)}</figcaption><cl-chart .chart=${named(chart)}></cl-chart></figure>`)}`, charts);
}

/** Strategies' names are words, unlike versions. */
function named(chart: ChartAnswer): ChartAnswer {
  const data = chart.figure.data.map((trace) => ({ ...trace, ...(trace.type === "bar" ? { y: (trace.y as unknown as string[]).map((name) => t(name)) as never } : {}) }));
  return { ...chart, figure: { ...chart.figure, data } };
}
