// The frame of the page: lens tabs, theme and presentation buttons, panels that resize and collapse, help, the phone's tabs, and the
// live region in which a screen reader hears each step that matters.
import { html, nothing, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { t } from "../i18n/t";
import type { Topic } from "../lab/lab";
import { recall, remember } from "../lab/remember";
import { sentenceOf } from "../lab/words";
import type { DrawerElement } from "./drawer";
import { LabElement } from "./element";
import "./find";
import { icons } from "./icons";
import { LENSES } from "./lenses";
import "./picture";
import { showPointer } from "./pointer";

@customElement("cl-lenses")
export class LensesElement extends LabElement {
  protected override readonly topics: Topic[] = ["lens"];

  protected override render(): TemplateResult {
    return html`<div class="lenses" role="radiogroup" aria-label=${t("Lens")} @keydown=${this.keyed}>${LENSES.map(([lens, name]) => html`<button type="button" role="radio" data-testid=${`lens:${lens}`}
      aria-checked=${this.lab.lens === lens ? "true" : "false"} tabindex=${this.lab.lens === lens ? 0 : -1} @click=${() => this.lab.look(lens)}>${t(name)}</button>`)}</div>`;
  }

  protected override firstUpdated(): void {
    const row = this.querySelector<HTMLElement>(".lenses")!;
    row.addEventListener("scroll", () => this.mark(row), { passive: true });
    row.addEventListener("wheel", (event) => (row.scrollLeft += event.deltaY), { passive: true });
    new ResizeObserver(() => this.mark(row)).observe(row);
  }

  /** Where there are lenses out of sight, the row fades. */
  private mark(row: HTMLElement): void {
    const left = row.scrollLeft > 4, right = row.scrollLeft + row.clientWidth < row.scrollWidth - 4;
    row.dataset["more"] = left && right ? "both" : left ? "left" : right ? "right" : "";
  }

  protected override updated(): void {
    // The row may be wider than the page: the lens that is looked through is in sight, and a part of the next one.
    const row = this.querySelector<HTMLElement>(".lenses")!, lens = this.querySelector<HTMLElement>('[aria-checked="true"]');
    if (lens) row.scrollLeft = Math.max(Math.min(row.scrollLeft, lens.offsetLeft - row.offsetLeft - 60), lens.offsetLeft - row.offsetLeft + lens.offsetWidth + 60 - row.clientWidth);
  }

  private keyed(event: KeyboardEvent): void {
    const way = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (!way) return;
    event.preventDefault();
    event.stopPropagation();
    const at = LENSES.findIndex(([lens]) => lens === this.lab.lens);
    this.lab.look(LENSES[(at + way + LENSES.length) % LENSES.length]![0]);
    void this.updateComplete.then(() => this.querySelector<HTMLElement>('[aria-checked="true"]')?.focus());
  }
}

export function nextTheme(): void {
  const order = ["auto", "dark", "light"];
  const next = order[(order.indexOf(recall("theme") ?? "auto") + 1) % order.length]!;
  remember("theme", next === "auto" ? null : next);
  if (next === "auto") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = next;
}

export function togglePresenting(): void {
  const root = document.documentElement;
  const on = root.dataset["presenting"] !== "on";
  root.dataset["presenting"] = on ? "on" : "off";
  remember("presenting", on ? "on" : null);
  showPointer(on);
  window.dispatchEvent(new Event("resize"));
}

@customElement("cl-tools")
export class ToolsElement extends LabElement {
  @state() private helping = false;

  override connectedCallback(): void {
    super.connectedCallback();
    document.addEventListener("clusterlab:help", () => this.help());
    showPointer(document.documentElement.dataset["presenting"] === "on");
  }

  private help(): void {
    this.helping = true;
    void this.updateComplete.then(() => this.querySelector("dialog")?.showModal());
  }

  protected override render(): TemplateResult {
    const theme = recall("theme") ?? "auto";
    return html`<cl-find></cl-find><button type="button" class="quiet" data-testid="theme" title=${t("Theme: {theme}", { theme: t(theme) })} aria-label=${t("Theme: {theme}", { theme: t(theme) })} @click=${this.theme}>${icons.theme}</button>
      <cl-picture class="wide-only"></cl-picture>
      <button type="button" class="quiet wide-only" data-testid="present" title=${t("Presentation (P)")} aria-label=${t("Presentation")} @click=${this.present}>${icons.screen}</button>
      <button type="button" class="quiet" data-testid="help" title=${t("Keys (?)")} aria-label=${t("Keys")} @click=${this.help}>${icons.help}</button>
      ${this.helping ? html`<dialog aria-label=${t("Keys")} @close=${() => (this.helping = false)}><h1>${t("Keys")}</h1><dl class="keys">${KEYS.map(([key, what]) => html`<dt><kbd>${key}</kbd></dt><dd>${t(what)}</dd>`)}</dl>
        <form method="dialog"><button type="submit" class="small">${t("Close")}</button></form></dialog>` : nothing}`;
  }

  private theme(): void {
    nextTheme();
    this.lab.tell("theme");
    this.requestUpdate();
  }

  private present(): void {
    togglePresenting();
    this.lab.tell("theme");
  }
}

const KEYS: [string, string][] = [
  ["Space", "play or pause"], ["→  .", "one step"], ["←", "one step back"], ["Home", "to the start"], ["End", "run until settled"], ["[  ]", "ten steps back or on"], ["I", "into the step: one stage of its requests at a time"], ["O", "out of the step"], ["B", "a breakpoint"], ["Shift B", "a breakpoint for steps like this one"], ["C", "continue to the next breakpoint"], ["U", "run until a condition holds"],
  ["W", "watch a field"], ["M", "mark this step"], ["F", "fork: the same past, another future"], ["X", "compare with the last fork"], ["H", "hold requests until the next step"],
  ["/", "the kubectl command line"], ["G", "find something by its name"], ["1 … 9", "lenses"], ["+ − 0", "look nearer, farther, at all of it"], ["L", "the log"], ["P", "presentation: large type"], ["T", "theme"], ["S", "save the picture (PNG)"], ["Shift S", "save the drawing (SVG)"], ["Esc", "close, select nothing"], ["?", "this list"],
];

/** A bar between two panels: drag it, or focus it and use the arrow keys. Double click or Enter folds the panel. */
@customElement("cl-splitter")
export class SplitterElement extends LabElement {
  @property() panel = "";
  @property() side: "left" | "right" | "bottom" = "left";
  @property({ type: Number }) least = 220;
  @property({ type: Number }) most = 560;

  override connectedCallback(): void {
    super.connectedCallback();
    this.tabIndex = 0;
    this.setAttribute("role", "separator");
    this.setAttribute("aria-orientation", this.side === "bottom" ? "horizontal" : "vertical");
    this.setAttribute("aria-valuemin", String(this.least));
    this.setAttribute("aria-valuemax", String(this.most));
    const kept = Number(recall(`panel.${this.panel}`));
    this.set(kept || Number(this.dataset["size"]) || 310, false);
    if (recall(`folded.${this.panel}`) === "yes") this.fold(true);
    this.addEventListener("pointerdown", (event) => this.grab(event));
    this.addEventListener("keydown", (event) => this.keyed(event));
    this.addEventListener("dblclick", () => this.fold(!this.folded));
  }

  private get folded(): boolean {
    if (this.side === "bottom") return !document.querySelector<DrawerElement>("cl-drawer")?.open;
    return document.body.dataset[`fold${this.panel}`] === "yes";
  }

  private fold(on: boolean): void {
    if (this.side === "bottom") return document.querySelector<DrawerElement>("cl-drawer")?.setOpen(!on);
    document.body.dataset[`fold${this.panel}`] = on ? "yes" : "no";
    remember(`folded.${this.panel}`, on ? "yes" : null);
  }

  private set(size: number, keep = true): void {
    const fitting = Math.max(this.least, Math.min(this.most, Math.round(size)));
    document.documentElement.style.setProperty(`--${this.panel}-size`, `${fitting}px`);
    this.setAttribute("aria-valuenow", String(fitting));
    if (keep) remember(`panel.${this.panel}`, String(fitting));
  }

  private grab(event: PointerEvent): void {
    event.preventDefault();
    this.setPointerCapture(event.pointerId);
    const move = (moved: PointerEvent): void => {
      const size = this.side === "left" ? moved.clientX : this.side === "right" ? innerWidth - moved.clientX : innerHeight - moved.clientY - (document.querySelector("footer")?.clientHeight ?? 0);
      if (size < this.least * 0.5) return this.fold(true);
      this.fold(false);
      this.set(size);
    };
    const drop = (): void => {
      this.removeEventListener("pointermove", move);
      this.removeEventListener("pointerup", drop);
      this.removeEventListener("pointercancel", drop);
    };
    this.addEventListener("pointermove", move);
    this.addEventListener("pointerup", drop);
    this.addEventListener("pointercancel", drop);
  }

  private keyed(event: KeyboardEvent): void {
    if (event.key === "Enter") return this.fold(!this.folded);
    const grow = ({ left: ["ArrowRight", "ArrowLeft"], right: ["ArrowLeft", "ArrowRight"], bottom: ["ArrowUp", "ArrowDown"] } as const)[this.side];
    const way = event.key === grow[0] ? 1 : event.key === grow[1] ? -1 : 0;
    if (!way) return;
    event.preventDefault();
    event.stopPropagation();
    this.set(Number(this.getAttribute("aria-valuenow")) + way * 24);
  }
}

/** The phone's tabs: one panel at a time. */
@customElement("cl-tabs")
export class TabsElement extends LabElement {
  protected override readonly topics: Topic[] = ["selection"];
  @state() private shown = document.body.dataset["lesson"] ? "lesson" : "stage";

  override connectedCallback(): void {
    super.connectedCallback();
    this.go(this.shown);
  }

  protected override told(topic: Topic): void {
    if (topic === "selection" && this.lab.selected) this.requestUpdate();
  }

  private go(panel: string): void {
    this.shown = panel;
    document.body.dataset["panel"] = panel;
    window.dispatchEvent(new Event("resize"));
  }

  protected override render(): TemplateResult {
    const tabs: [string, string][] = [["stage", t("Stage")], ["inspector", this.lab.selected ? t("Inspect •") : t("Inspect")], ["drawer", "kubectl"]];
    if (document.body.dataset["lesson"]) tabs.unshift(["lesson", t("Lesson")]);
    return html`${tabs.map(([panel, name]) => html`<button type="button" data-testid=${`panel:${panel}`} aria-pressed=${this.shown === panel ? "true" : "false"} @click=${() => this.go(panel)}>${name}</button>`)}`;
  }
}

const SPEAK_EVERY_MS = 1500;

/** Says the steps that matter, not faster than they can be heard. */
@customElement("cl-live")
export class LiveElement extends LabElement {
  protected override readonly topics: Topic[] = ["step"];
  private said = 0;
  private timer = 0;

  protected override told(): void {
    this.timer ||= window.setTimeout(() => {
      this.timer = 0;
      const step = this.lab.log.findLast((one) => !one.routine);
      if (!step || step.seq === this.said) return;
      this.said = step.seq;
      this.textContent = sentenceOf(step);
    }, SPEAK_EVERY_MS);
  }

  protected override render(): typeof nothing {
    return nothing;
  }

  protected override createRenderRoot(): HTMLElement {
    return document.createElement("div");
  }
}
