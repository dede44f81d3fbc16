// <cl-debrief>: a chain of causes, replayed on the stage step by step. <cl-clock>: a clock that may be ignored.
import { html, nothing, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { sentence } from "../i18n/sentences";
import { t } from "../i18n/t";
import { ask } from "../lab/lessonApi";
import { keepNote, note } from "../lab/notes";
import { actorName, clock } from "../lab/words";
import type { Lens } from "../stage/layout";
import { currentLab, LabElement } from "./element";
import { inline } from "./inline";
import { checks } from "./lessonChecks";
import { WordsElement } from "./lessonParts";

interface Link {
  seq: number;
  time: number;
  actor: string;
  explain: string;
  note: string;
  select: string;
  lens: string;
}

/** How long a link stays on the stage when the chain plays by itself. */
const LINK_MS = 4000;

@customElement("cl-debrief")
export class DebriefElement extends WordsElement {
  @property() name = "";
  @state() private chain: Link[] | undefined;
  @state() private missing = 0;
  @state() private at = -1;
  @state() private playing = 0;
  /** Where the lab stood before the replay. */
  private present = 0;

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.stop();
    checks.replaying = false;
  }

  protected override render(): TemplateResult {
    const chain = this.chain ?? [];
    const link = chain[this.at];
    return html`<div class="debrief" role="group" aria-label=${t("What happened, step by step")} data-testid=${`debrief:${this.name}`} data-at=${String(this.at)} @keydown=${this.keyed}>
      <b>${t("What happened, step by step")}</b><p>${this.said(t("Replay the chain of causes on the stage."))}</p>
      <div class="debrief-bar">${chain.length
        ? html`<button type="button" class="small" data-testid="debrief-back" ?disabled=${this.at <= 0} @click=${() => this.go(this.at - 1)}>${t("back")}</button>
          <button type="button" class="small" data-testid="debrief-next" ?disabled=${this.at >= chain.length - 1} @click=${() => this.go(this.at + 1)}>${t("next")}</button>
          <button type="button" class="small" aria-pressed=${this.playing ? "true" : "false"} @click=${this.toggle}>${this.playing ? t("stop") : t("play all")}</button>
          <span class="soft">${t("{number} of {count}", { number: this.at + 1, count: chain.length })}</span><span class="spacer"></span>
          <button type="button" class="small" data-testid="debrief-end" ?disabled=${this.at < 0} @click=${this.end}>${t("back to now")}</button>`
        : html`<button type="button" class="small" data-testid="debrief-start" ?disabled=${this.busy} @click=${this.load}>${t("replay it")}</button>`}</div>
      ${this.missing && this.chain ? html`<p class="soft">${t("The story is not complete yet: solve the task first, then replay it again.")}</p>` : nothing}
      <p class="debrief-now" aria-live="polite">${link ? html`<strong>${actorName(link.actor)}:</strong> ${sentence(link.explain)} ${link.note ? html`<em>${inline(link.note)}</em>` : nothing}` : nothing}</p>
      ${chain.length ? html`<ol>${chain.map((one, number) => html`<li aria-current=${number === this.at ? "step" : "false"}><button type="button" class="link" @click=${() => this.go(number)}><span class="mono">${clock(one.time)}</span> ${actorName(one.actor)}</button></li>`)}</ol>` : nothing}
      ${this.sorry()}</div>`;
  }

  private load(): void {
    void this.asking(async () => {
      const found = await ask<{ chain: Link[]; missing: number }>("GET", `debrief/${this.name}`);
      this.chain = found.chain.length ? found.chain : undefined;
      this.missing = found.missing;
      this.present = currentLab().headings.last;
      checks.replaying = found.chain.length > 0;
      if (found.chain.length) this.go(0);
      else this.trouble = t("Nothing of it has happened yet. Let the cluster run first.");
    });
  }

  private go(number: number): void {
    const link = this.chain?.[number];
    if (!link) return;
    this.at = number;
    const lab = currentLab();
    if (link.lens) lab.look(link.lens as Lens);
    if (lab.options.canEdit) lab.seek(link.seq);
    if (link.select) lab.select(link.select);
  }

  private toggle(): void {
    if (this.playing) return this.stop();
    if (this.at >= (this.chain?.length ?? 0) - 1) this.go(0);
    this.playing = window.setInterval(() => {
      if (this.at >= (this.chain?.length ?? 0) - 1) this.stop();
      else this.go(this.at + 1);
    }, LINK_MS);
  }

  private stop(): void {
    clearInterval(this.playing);
    this.playing = 0;
  }

  private end(): void {
    this.stop();
    this.at = -1;
    this.chain = undefined;
    checks.replaying = false;
    if (currentLab().options.canEdit) currentLab().seek(this.present);
  }

  private keyed(event: KeyboardEvent): void {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (!by || !this.chain) return;
    event.preventDefault();
    event.stopPropagation();
    this.go(this.at + by);
  }
}

const SECOND_MS = 1000;
const minutes = (ms: number): string => `${Math.floor(ms / 60_000)}:${String(Math.floor((ms / SECOND_MS) % 60)).padStart(2, "0")}`;

@customElement("cl-clock")
export class ClockElement extends LabElement {
  @property({ type: Number }) minutes = 10;
  @state() private shown = "";
  @state() private ignored = false;
  private timer = 0;
  private off: (() => void) | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    this.ignored = note("clock.ignored") === "yes";
    if (!note("clock")) this.restart();
    this.timer = window.setInterval(() => this.tick(), SECOND_MS);
    this.off = checks.listen(() => {
      if (checks.allDone && !note("clock.end")) keepNote("clock.end", String(Date.now()));
      this.tick();
    });
    this.tick();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearInterval(this.timer);
    this.off?.();
  }

  private restart(): void {
    keepNote("clock", String(Date.now()));
    keepNote("clock.end", null);
    this.tick();
  }

  private tick(): void {
    const end = Number(note("clock.end") || 0);
    const passed = Math.max(0, (end || Date.now()) - Number(note("clock") || Date.now()));
    const left = this.minutes * 60_000 - passed;
    this.shown = end ? t("Solved in {time}.", { time: minutes(passed) }) : left >= 0 ? t("{time} left", { time: minutes(left) }) : t("{time} over the time", { time: minutes(-left) });
  }

  private ignore(): void {
    this.ignored = !this.ignored;
    keepNote("clock.ignored", this.ignored ? "yes" : "no");
  }

  protected override render(): TemplateResult {
    return html`<div class="clock" data-testid="clock">${this.ignored ? html`<span class="soft">${t("No clock.")}</span>` : html`<span role="timer" aria-live="off">${this.shown}</span>`}<span class="spacer"></span>
      ${this.ignored ? nothing : html`<button type="button" class="small" @click=${this.restart}>${t("start again")}</button>`}
      <button type="button" class="small" @click=${this.ignore}>${this.ignored ? t("show the clock") : t("ignore the clock")}</button></div>`;
  }
}
