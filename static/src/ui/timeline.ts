// <cl-timeline>: every step a tick in the colour of its component; click, drag or arrow keys go there. Where ticks would be thinner
// than a pixel, those of a stretch are drawn as one, as tall as there is much to tell.
import { html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { customElement, query, state } from "lit/decorators.js";
import { t } from "../i18n/t";
import type { Topic } from "../lab/lab";
import { actorName, CATEGORY_COLORS, clock, sentenceOf, type Category } from "../lab/words";
import { binsOf } from "../lab/bins";
import { OneAtATime } from "../lab/oneAtATime";
import { fetchMoments, type Moment } from "../lab/api";
import type { Heading } from "../stream/types";
import { LabElement } from "./element";
import { icons } from "./icons";

const TICK = 7;
/** In a longer timeline what a breakpoint would have met is not looked for. */
const MOST_MATCHED = 20_000;
/** The height of the strip of marks. */
const MARKS = 13;

/** The colours of moments. */
const MOODS: Record<string, string> = { aborted: "--bad", failed: "--bad", "rolled back": "--bad", promoted: "--ok", switched: "--accent", update: "--accent", kubectl: "--accent", paused: "--warn" };

@customElement("cl-timeline")
export class TimelineElement extends LabElement {
  protected override readonly topics: Topic[] = ["headings", "step", "mode", "state", "theme", "debug"];
  @query("canvas") private canvas!: HTMLCanvasElement;
  @query(".track") private track!: HTMLElement;
  @query(".tip") private tip!: HTMLElement;
  private due = false;
  private moments: Moment[] = [];
  private asking = 0;
  private askedAt = -1;
  private readonly askingMoments = new OneAtATime(() => this.loadMoments());
  private dragging = false;
  private wanted = -1;
  private sent = -1;
  @state() private offered: Heading | null = null;

  protected override render() {
    return html`<div class="track" data-testid="timeline" role="slider" tabindex="0" aria-label=${t("Timeline")} aria-valuemin="0"
        @pointerdown=${this.grab} @pointermove=${this.drag} @pointerup=${this.drop} @pointercancel=${this.drop} @pointerleave=${() => (this.tip.hidden = true)}
        @keydown=${this.keyed}><canvas aria-hidden="true"></canvas><div class="tip" hidden></div></div>${this.legend()}${this.offered ? this.offers(this.offered) : nothing}`;
  }

  /** Which component has which colour. */
  private legend(): TemplateResult {
    const names: [Category, string][] = [["user", t("you")], ["controller", t("controllers")], ["scheduler", t("scheduler")], ["node", t("nodes")], ["proxy", t("network")], ["etcd", "etcd"], ["fault", t("faults")]];
    return html`<p class="timeline-legend" aria-hidden="true">${names.map(([category, name]) => html`<span><i data-category=${category}></i>${name}</span>`)}</p>`;
  }

  /** In the margin of a step: what to stop at from now on. */
  private offers(step: Heading): TemplateResult {
    const all = [`actor = ${step.actor}`, `actor = ${step.actor} and verb = ${step.verb}`, ...(step.object ? [`object = ${step.object}`] : [])];
    return html`<div class="offers" role="dialog" aria-label=${t("A breakpoint here")} data-testid="offers" @keydown=${(event: KeyboardEvent) => event.key === "Escape" && this.close(event)}><p><b>${t("Stop whenever")}</b> <button type="button" class="quiet" aria-label=${t("Close")} @click=${() => this.close()}>${icons.close}</button></p>
      ${all.map((condition) => html`<button type="button" class="link mono" data-offer @click=${() => this.take(condition)}>${condition}</button>`)}
      <button type="button" class="link" @click=${() => this.mark(step)}>${t("Mark this step")}</button></div>`;
  }

  private close(event?: Event): void {
    event?.stopPropagation();
    this.offered = null;
    this.track.focus();
  }

  private take(condition: string): void {
    this.lab.debugger.addBreakpoint(condition);
    this.close();
  }

  private mark(step: Heading): void {
    this.lab.debugger.toggleBookmark(sentenceOf(step), step.seq);
    this.close();
  }

  /** Opens the offers for a step. */
  offer(seq = this.lab.shownSeq): void {
    const heading = this.lab.headings.get(seq);
    if (!heading || !this.lab.options.canEdit) return;
    this.offered = heading;
    this.tip.hidden = true;
    void this.updateComplete.then(() => {
      const box = this.querySelector<HTMLElement>(".offers")!;
      box.style.left = `${Math.max(0, Math.min(this.track.clientWidth - box.offsetWidth, seq * this.step - box.offsetWidth / 2))}px`;
      // After the press that opened it has given its own focus away.
      setTimeout(() => box.querySelector<HTMLElement>("[data-offer]")?.focus());
    });
  }

  protected override firstUpdated(_changed: PropertyValues): void {
    new ResizeObserver(() => this.draw()).observe(this.track);
    this.draw();
  }

  protected override told(_topic: Topic): void {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => this.draw());
  }

  private get shownLast(): number {
    return Math.max(1, this.lab.headings.last);
  }

  private get step(): number {
    return Math.min(TICK, this.track.clientWidth / this.shownLast);
  }

  private draw(): void {
    this.due = false;
    this.askMoments();
    if (!this.canvas || !this.lab) return;
    const w = this.track.clientWidth, h = this.track.clientHeight, ratio = Math.min(2, devicePixelRatio || 1);
    if (!w || !h) return;
    if (this.canvas.width !== Math.round(w * ratio) || this.canvas.height !== Math.round(h * ratio)) [this.canvas.width, this.canvas.height] = [Math.round(w * ratio), Math.round(h * ratio)];
    const ctx = this.canvas.getContext("2d")!;
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.clearRect(0, 0, w, h);
    const style = getComputedStyle(document.documentElement);
    const colors = Object.fromEntries(Object.entries(CATEGORY_COLORS).map(([name, property]) => [name, style.getPropertyValue(property)])) as Record<Category, string>;
    const { headings, shownSeq } = this.lab;
    const middle = (h - MARKS) / 2;
    for (const bin of binsOf(headings, this.step, w)) {
      ctx.globalAlpha = bin.to <= shownSeq ? 0.92 : 0.28;
      ctx.fillStyle = bin.category ? colors[bin.category] : style.getPropertyValue("--wire");
      const tall = (h - MARKS - 8) * bin.height;
      ctx.beginPath();
      ctx.roundRect(bin.x, middle - tall / 2, Math.max(1, bin.w), tall, Math.min(2, bin.w / 2));
      ctx.fill();
    }
    ctx.globalAlpha = 1;
    this.marks(ctx, h, style);
    const x = Math.min(w - 1, shownSeq * this.step);
    ctx.fillStyle = style.getPropertyValue("--accent");
    ctx.fillRect(x - 1, 0, 2, h);
    ctx.beginPath();
    ctx.arc(x, 4, 4, 0, 7);
    ctx.fill();
    this.label();
  }

  /** Asks for the moments of releases, at most every other second, where there is traffic that a release could harm. */
  private askMoments(): void {
    const { lab } = this;
    if (this.asking || this.askedAt === lab.headings.last || !lab.player.state.components["traffic"]) return;
    this.askedAt = lab.headings.last;
    // Afterwards it looks again, for what came meanwhile may have been the last.
    this.asking = window.setTimeout(() => {
      this.asking = 0;
      this.askMoments();
    }, 2000);
    this.askingMoments.ask();
  }

  private async loadMoments(): Promise<void> {
    const found = await fetchMoments(this.lab.options.id).catch(() => null);
    if (!found) return;
    this.moments = found.marks;
    this.draw();
  }

  /** Under the ticks: a disc where a breakpoint was met, a flag where a step is marked, a diamond where a release went on or was undone. */
  private marks(ctx: CanvasRenderingContext2D, h: number, style: CSSStyleDeclaration): void {
    const y = h - MARKS / 2;
    const at = (seq: number): number => (seq - 0.5) * this.step;
    const bad = style.getPropertyValue("--bad");
    ctx.strokeStyle = style.getPropertyValue("--line");
    ctx.lineWidth = 1;
    ctx.beginPath();
    ctx.moveTo(0, h - MARKS);
    ctx.lineTo(this.track.clientWidth, h - MARKS);
    ctx.stroke();
    this.wouldStop(ctx, at, y, bad);
    for (const { seq, kind } of this.moments) {
      ctx.fillStyle = style.getPropertyValue(MOODS[kind] ?? "--soft");
      ctx.beginPath();
      for (const [dx, dy] of [[-4, 0], [0, -4], [4, 0], [0, 4]] as const) ctx.lineTo(at(seq) + dx, y + dy);
      ctx.fill();
    }
    ctx.fillStyle = bad;
    for (const seq of this.lab.debugger.hits.keys()) {
      ctx.beginPath();
      ctx.arc(at(seq), y, 4, 0, 7);
      ctx.fill();
    }
    ctx.fillStyle = style.getPropertyValue("--accent");
    for (const { seq } of this.lab.debugger.bookmarks) {
      ctx.beginPath();
      ctx.moveTo(at(seq) - 3.5, y + 4);
      ctx.lineTo(at(seq) + 3.5, y + 4);
      ctx.lineTo(at(seq), y - 4);
      ctx.fill();
    }
  }

  /** Hollow: steps at which a breakpoint would have stopped. */
  private wouldStop(ctx: CanvasRenderingContext2D, at: (seq: number) => number, y: number, color: string): void {
    const { headings, debugger: { breakpoints } } = this.lab;
    if (!breakpoints.some((one) => one.on) || headings.last > MOST_MATCHED) return;
    ctx.strokeStyle = color;
    ctx.lineWidth = 1.3;
    let last = -10;
    for (let seq = 1; seq <= headings.last; seq++) {
      const heading = headings.get(seq);
      if (!heading || at(seq) - last < 4 || !this.lab.debugger.matches(heading)) continue;
      last = at(seq);
      ctx.beginPath();
      ctx.arc(last, y, 3, 0, 7);
      ctx.stroke();
    }
  }

  private label(): void {
    const { lab } = this;
    this.track.setAttribute("aria-valuemax", String(lab.headings.last));
    this.track.setAttribute("aria-valuenow", String(lab.shownSeq));
    const step = lab.shown;
    this.track.setAttribute("aria-valuetext", step ? `${t("Step {seq}", { seq: step.seq })}: ${sentenceOf(step)}` : t("The start"));
  }

  private seqAt(event: PointerEvent): number {
    const x = event.clientX - this.track.getBoundingClientRect().left;
    return Math.max(0, Math.min(this.lab.headings.last, Math.ceil(x / this.step)));
  }

  private grab(event: PointerEvent): void {
    if (!this.lab.options.canEdit || event.button !== 0) return;
    if (event.clientY > this.track.getBoundingClientRect().bottom - MARKS) return this.offer(this.seqAt(event));
    this.offered = null;
    this.dragging = true;
    this.sent = -1;
    this.track.setPointerCapture(event.pointerId);
    this.want(this.seqAt(event));
  }

  private drag(event: PointerEvent): void {
    const seq = this.seqAt(event);
    this.hint(seq);
    if (this.dragging) this.want(seq);
  }

  private drop(event: PointerEvent): void {
    if (!this.dragging) return;
    this.dragging = false;
    this.want(this.seqAt(event));
  }

  /** Seeks, but not more often than pictures can follow. */
  private want(seq: number): void {
    const waiting = this.wanted >= 0;
    this.wanted = seq;
    if (waiting) return;
    setTimeout(() => {
      const to = this.wanted;
      this.wanted = -1;
      if (to !== this.sent) this.lab.seek((this.sent = to));
    }, 60);
  }

  private hint(seq: number): void {
    const heading = this.lab.headings.get(seq);
    this.tip.hidden = !heading || this.offered !== null;
    if (!heading || this.offered) return;
    const moment = this.moments.find((one) => Math.abs(one.seq - seq) * this.step <= 4);
    this.tip.textContent = moment ? `${moment.seq} · ${moment.text}` : `${seq} · ${clock(heading.time)} · ${actorName(heading.actor)}: ${sentenceOf(heading)}`;
    const w = this.track.clientWidth;
    this.tip.style.transform = `translateX(${Math.max(0, Math.min(w - this.tip.offsetWidth, seq * this.step - this.tip.offsetWidth / 2))}px)`;
  }

  private keyed(event: KeyboardEvent): void {
    const { lab } = this;
    const far = Math.max(10, Math.round(lab.headings.last / 20));
    const moves: Record<string, () => void> = {
      ArrowLeft: () => lab.back(), ArrowRight: () => lab.step(), Home: () => lab.seek(0), End: () => lab.seek(lab.headings.last),
      PageUp: () => lab.seek(lab.shownSeq - far), PageDown: () => lab.seek(lab.shownSeq + far),
    };
    const move = moves[event.key];
    if (!move || !lab.options.canEdit) return;
    event.preventDefault();
    event.stopPropagation();
    move();
  }
}
