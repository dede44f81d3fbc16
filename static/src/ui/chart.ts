// <cl-chart>: a figure made by the server, drawn by plotly.js in the page's colours, with the same numbers as a table beside it for
// those who do not see it. plotly.js is fetched when the first chart is shown.
import { html, nothing, type TemplateResult } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { t } from "../i18n/t";
import { readTheme, VERSION_COLORS } from "../stage/theme";
import { LabElement } from "./element";
import type { Topic } from "../lab/lab";

export interface Trace {
  name: string;
  x: number[];
  y: (number | null)[];
  type?: string;
  line?: Record<string, unknown>;
  marker?: Record<string, unknown>;
  meta?: { version?: string; app?: string; color?: string };
}

export interface ChartAnswer {
  name: string;
  title: string;
  figure: { data: Trace[]; layout: Record<string, unknown> & { shapes?: { name?: string; line?: Record<string, unknown> }[] } };
  table: { unit: string; columns: string[]; rows: (string | number | null)[][] };
  marks: { time: number; seq: number; kind: string; text: string }[];
}

/** The stage's order of versions ("namespace/app/version"), where there is a stage. */
let paletteOf: () => string[] = () => [];
export function usePalette(palette: () => string[]): void {
  paletteOf = palette;
}

interface Plotly {
  react(root: HTMLElement, data: object[], layout: object, config: object): Promise<unknown>;
  purge(root: HTMLElement): void;
  Plots: { resize(root: HTMLElement): void };
}

let plotly: Promise<Plotly> | null = null;

/** plotly.js, fetched once. It writes a style element of its own unless one that says "no inline styles" has its place: ours is plotly.css. */
export function loadPlotly(): Promise<Plotly> {
  if (plotly) return plotly;
  const place = document.createElement("template");
  place.id = "plotly.js-style-global";
  place.className = "no-inline-styles";
  document.head.append(place);
  plotly = (import(new URL("./plotly.js", import.meta.url).href) as Promise<{ default: Plotly }>).then((module) => module.default);
  return plotly;
}

@customElement("cl-chart")
export class ChartElement extends LabElement {
  protected override readonly topics: Topic[] = ["theme"];
  @property({ attribute: false }) chart: ChartAnswer | null = null;
  @property({ type: Boolean }) asTable = false;
  @state() private failed = "";
  @query(".chart-plot") private plot?: HTMLElement;
  private watcher: ResizeObserver | null = null;
  private drawn: HTMLElement | null = null;

  protected override render(): TemplateResult {
    const { chart } = this;
    if (!chart) return html`<p class="soft pad" role="status">${t("Loading …")}</p>`;
    const { table } = chart;
    // The figure is hidden from screen readers; the table says the same.
    return html`${this.failed ? html`<p class="soft pad">${this.failed}</p>` : nothing}
      <div class="chart-plot" aria-hidden="true" data-testid="chart-plot" ?hidden=${this.asTable || !!this.failed}></div>
      <div class=${this.asTable || this.failed ? "table" : "visually-hidden"} tabindex=${this.asTable ? 0 : nothing} role="region" aria-label=${t(chart.title)}>
        <table data-testid="chart-table"><caption>${t(chart.title)} (${t(table.unit)})</caption><thead><tr>${table.columns.map((column) => html`<th scope="col">${t(column)}</th>`)}</tr></thead>
          <tbody>${table.rows.slice(this.asTable ? -60 : -20).map((row) => html`<tr>${row.map((value) => html`<td>${value ?? "–"}</td>`)}</tr>`)}</tbody></table></div>`;
  }

  protected override updated(): void {
    if (this.chart && !this.asTable) void this.draw();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.watcher?.disconnect();
    if (this.drawn) void loadPlotly().then((library) => this.drawn && library.purge(this.drawn));
  }

  private async draw(): Promise<void> {
    const { plot, chart } = this;
    if (!plot || !chart) return;
    try {
      const library = await loadPlotly();
      if (!plot.isConnected || this.chart !== chart) return;
      const { data, layout } = themed(chart, plot.clientWidth < 520);
      await library.react(plot, data, layout, { displayModeBar: false, responsive: false, staticPlot: false, scrollZoom: false });
      this.dataset["drawn"] = chart.name;
      if (this.drawn === plot) return;
      this.drawn = plot;
      this.watcher = new ResizeObserver(() => plot.clientWidth && library.Plots.resize(plot));
      this.watcher.observe(plot);
    } catch (error) {
      this.failed = t("The chart cannot be drawn here; the table has its numbers.");
      console.warn(error);
    }
  }
}

/** Bars that lie, with words at their left. */
const sideways = (trace: Trace): boolean => trace.type === "bar" && (trace as { orientation?: string }).orientation === "h";

/** Words in lines of about twenty letters. */
const folded = (words: string): string => words.split(" ").reduce((lines, word) => {
  const last = lines.length - 1;
  return last >= 0 && lines[last]!.length + word.length < 20 ? [...lines.slice(0, last), `${lines[last]} ${word}`] : [...lines, word];
}, [] as string[]).join("<br>");

/** A figure in the colours of the page: versions as on the stage. */
function themed(chart: ChartAnswer, narrow: boolean): { data: object[]; layout: object } {
  const theme = readTheme();
  const met: string[] = [];
  const colorOf = (meta: Trace["meta"]): string => {
    if (meta?.color) return theme[meta.color as "ok" | "warn" | "bad" | "accent"] ?? meta.color;
    const version = meta?.version ?? "";
    const palette = paletteOf();
    let at = palette.findIndex((entry) => (meta?.app ? entry === `${meta.app}/${version}` : entry.endsWith(`/${version}`)));
    if (at < 0) {
      if (!met.includes(version)) met.push(version);
      at = palette.length + met.indexOf(version);
    }
    return theme.versions[at % VERSION_COLORS]!;
  };
  const data = chart.figure.data.map((trace) => {
    const color = colorOf(trace.meta);
    const names = narrow && sideways(trace) ? { y: (trace.y as unknown as string[]).map(folded) } : {};
    return { ...trace, ...names, name: t(trace.name), line: { ...trace.line, color }, marker: { ...trace.marker, color: trace.marker?.["color"] ?? color } };
  });
  const axis = { color: theme.soft, gridcolor: theme.line, linecolor: theme.line, zerolinecolor: theme.line };
  const mood: Record<string, string> = { aborted: theme.bad, failed: theme.bad, "rolled back": theme.bad, promoted: theme.ok, switched: theme.accent };
  const layout = narrow && chart.figure.data.some(sideways) ? { ...chart.figure.layout, margin: { l: 134, r: 12, t: 8, b: 40 } } : chart.figure.layout;
  const named = (one: unknown): Record<string, unknown> => {
    const whole = one as { title?: { text?: string } } | undefined;
    return { ...whole, ...(whole?.title?.text ? { title: { text: t(whole.title.text) } } : {}) };
  };
  return {
    data,
    layout: {
      ...layout, autosize: true, legend: narrow ? { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" } : { x: 1.01, y: 1 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { family: theme.sans, color: theme.text, size: 12 },
      xaxis: { ...named(layout["xaxis"]), ...axis, ...(narrow ? { nticks: 4, tickangle: 0 } : {}) }, yaxis: { ...named(layout["yaxis"]), ...axis, ...(narrow && chart.figure.data.some(sideways) ? { tickfont: { size: 11 } } : {}) },
      hoverlabel: { bgcolor: theme.panel, bordercolor: theme.line, font: { color: theme.text } },
      shapes: (layout.shapes ?? []).map((shape) => ({ ...shape, line: { ...shape.line, color: mood[shape.name ?? ""] ?? theme.soft } })),
    },
  };
}
