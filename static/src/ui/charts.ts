// <cl-charts>: the drawer's charts of this lab. They follow the lab while it plays, at most once a second.
import { html, nothing, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";
import { t } from "../i18n/t";
import { fetchChart } from "../lab/api";
import type { Topic } from "../lab/lab";
import { recall, remember } from "../lab/remember";
import { clock } from "../lab/words";
import type { ChartAnswer } from "./chart";
import { usePalette } from "./chart";
import { theScene } from "./stage";
import { LabElement } from "./element";

const CHARTS: [string, string][] = [["requests", "Requests"], ["errors", "Errors"], ["latency", "Latency"], ["replicas", "Replicas"], ["cpu", "Requested CPU"], ["autoscaler", "Autoscaler"]];
const SPLITS: [string, string][] = [["version", "by version"], ["track", "by track"], ["source", "by source"], ["service", "by service"]];
usePalette(() => theScene?.index.palette ?? []);

const EVERY_MS = 1000;

@customElement("cl-charts")
export class ChartsElement extends LabElement {
  protected override readonly topics: Topic[] = ["state", "mode"];
  @state() private name = recall("chart") ?? "requests";
  @state() private by = recall("chart.by") ?? "version";
  @state() private chart: ChartAnswer | null = null;
  @state() private asTable = recall("chart.table") === "yes";
  @state() private problem = "";
  private due = 0;
  private asked = 0;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.load();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.due);
    this.due = 0;
  }

  protected override told(): void {
    this.due ||= window.setTimeout(() => {
      this.due = 0;
      void this.load();
    }, EVERY_MS);
  }

  private async load(): Promise<void> {
    const asked = ++this.asked;
    try {
      const chart = await fetchChart(this.lab.options.id, this.name, this.by);
      if (asked !== this.asked) return;
      this.chart = chart as ChartAnswer;
      this.problem = "";
    } catch (error) {
      if (asked === this.asked) this.problem = error instanceof Error ? error.message : String(error);
    }
  }

  private choose(name: string): void {
    this.name = name;
    this.chart = null;
    remember("chart", name);
    void this.load();
  }

  protected override render(): TemplateResult {
    const { chart } = this;
    const split = ["requests", "errors", "latency"].includes(this.name);
    const empty = chart && !chart.figure.data.length;
    return html`<div class="charts">
      <div class="chart-bar"><div role="radiogroup" aria-label=${t("Chart")}>${CHARTS.map(([name, word]) => html`<button type="button" class="small" role="radio" data-testid=${`chart:${name}`} aria-checked=${this.name === name ? "true" : "false"} @click=${() => this.choose(name)}>${t(word)}</button>`)}</div>
        ${split ? html`<label class="soft">${t("Split")} <select data-testid="chart-by" @change=${this.splitChanged}>${SPLITS.map(([by, word]) => html`<option value=${by} ?selected=${this.by === by}>${t(word)}</option>`)}</select></label>` : nothing}
        <label class="soft"><input type="checkbox" data-testid="chart-as-table" .checked=${this.asTable} @change=${this.tableChanged} /> ${t("as a table")}</label></div>
      <div class="figure">${this.problem ? html`<p class="soft pad">${this.problem}</p>` : empty ? html`<p class="soft pad">${this.emptyWord()}</p>` : html`<cl-chart .chart=${chart} ?asTable=${this.asTable}></cl-chart>`}</div>
      ${chart?.marks.length ? html`<div class="aside" tabindex="0" role="region" aria-label=${t("Moments")}><ul class="marks" data-testid="chart-marks">${chart.marks.slice(-20).reverse().map((mark) => html`<li class=${mark.kind}><button type="button" class="link mono" @click=${() => this.lab.seek(mark.seq)}>${clock(mark.time)}</button> ${mark.text}</li>`)}</ul></div>` : nothing}
    </div>`;
  }

  private emptyWord(): string {
    if (this.name === "autoscaler") return t("No HorizontalPodAutoscaler so far.");
    return ["replicas", "cpu"].includes(this.name) ? t("No pods so far.") : t("No requests so far: a scenario's traffic makes some.");
  }

  private splitChanged(event: Event): void {
    this.by = (event.target as HTMLSelectElement).value;
    remember("chart.by", this.by);
    void this.load();
  }

  private tableChanged(event: Event): void {
    this.asTable = (event.target as HTMLInputElement).checked;
    remember("chart.table", this.asTable ? "yes" : null);
  }
}
