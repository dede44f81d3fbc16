// <cl-view>: a picture of the stage within lesson text. It shows the lab as it is now, or the moment that a condition or a step names,
// and says in a sentence what there is to see. Pressed, it turns the stage to that lens; beside it is a button that shows it large.
import { html, nothing, type TemplateResult } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { t } from "../i18n/t";
import type { Topic } from "../lab/lab";
import { ask } from "../lab/lessonApi";
import type { Lens } from "../stage/layout";
import { drawPicture, type Subject } from "../stage/studio";
import { copyState, EMPTY } from "../stream/reducer";
import type { Snapshot } from "../stream/types";
import { showLarge } from "./dialog";
import { currentLab, LabElement } from "./element";
import { takeContent } from "./inline";
import { theScene } from "./stage";

interface Answer extends Omit<Subject, "state" | "lens" | "select"> {
  seq: number;
  generation: number;
  snapshot?: Snapshot;
}

/** While steps rush by, pictures follow no more often than this. */
const EVERY_MS = 1200;
const SOON_MS = 60;
/** What a lens shows beside the stream is asked for. */
const ASKING = new Set(["control-plane", "scheduling", "node", "access", "ownership"]);

@customElement("cl-view")
export class ViewElement extends LabElement {
  protected override readonly topics: Topic[] = ["state", "mode", "theme", "connection"];
  @property() lens: Lens = "workloads";
  @property() select = "";
  @property() step = "";
  @property() when = "";
  @property() since = "";
  @state() private at = 0;
  @query("canvas") private canvas!: HTMLCanvasElement | null;
  private words: Node[] | undefined;
  private plain = "";
  private found: Answer | null = null;
  private inSight = false;
  private timer = 0;
  private last = -Infinity;
  private drawn = "";
  private sight: IntersectionObserver | null = null;
  private size: ResizeObserver | null = null;

  override connectedCallback(): void {
    this.plain ||= this.textContent?.trim() ?? "";
    this.words ??= takeContent(this);
    super.connectedCallback();
    this.sight = new IntersectionObserver((seen) => {
      this.inSight = seen.at(-1)!.isIntersecting;
      this.due();
    }, { rootMargin: "200px" });
    this.sight.observe(this);
    this.size = new ResizeObserver(() => this.due(true));
    this.size.observe(this);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.sight?.disconnect();
    this.size?.disconnect();
    clearTimeout(this.timer);
    this.timer = 0;
  }

  /** A picture of a moment, which stands still, rather than of the present. */
  private get fixed(): boolean {
    return this.when !== "" || this.step !== "";
  }

  protected override told(topic: Topic): void {
    this.due(topic === "theme");
  }

  private due(anew = false): void {
    if (anew) this.drawn = "";
    if (!this.inSight || this.timer) return;
    this.timer = window.setTimeout(() => {
      this.timer = 0;
      this.last = performance.now();
      void this.show();
    }, Math.max(SOON_MS, this.last + EVERY_MS - performance.now()));
  }

  private async show(): Promise<void> {
    const lab = currentLab();
    const { seq } = lab.player.state;
    if (!this.inSight || lab.connection === "connecting" || (!this.fixed && seq === 0 && !Object.keys(lab.player.state.objects).length)) return;
    const stale = !this.found || (this.fixed ? this.found.seq === 0 || this.found.seq > lab.mode.seq : this.found.seq !== seq);
    if (stale && (this.fixed || ASKING.has(this.lens))) {
      try {
        this.found = await ask<Answer>("GET", `picture?${this.question()}`);
      } catch {
        return; // the next change asks again
      }
    }
    this.at = this.fixed ? (this.found?.seq ?? 0) : seq;
    await this.updateComplete;
    this.draw();
  }

  private question(): string {
    const moment: Record<string, string> = this.when ? { when: this.when, since: this.since } : this.step ? { seq: this.step } : {};
    return String(new URLSearchParams({ lens: this.lens, select: this.select, ...moment }));
  }

  private draw(): void {
    const { canvas, found } = this;
    const room = Math.floor(this.clientWidth) - 2;
    const version = `${this.at} ${room} ${found?.generation ?? ""}`;
    if (!canvas || room < 80 || version === this.drawn) return;
    this.drawn = version;
    drawPicture(canvas, this.subject(), room, theScene?.index ?? null);
  }

  private subject(): Subject {
    const { found } = this;
    const state = this.fixed ? copyState(found?.snapshot ?? EMPTY) : currentLab().player.state;
    return { ...found, state, lens: this.lens, select: this.select, frame: this.fixed ? (found?.frame ?? null) : null };
  }

  /** The picture as large as the page allows, until it is closed; the one of the present as it is at this moment. */
  private enlarge(): void {
    const canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", this.plain);
    showLarge(this.plain, canvas);
    drawPicture(canvas, this.subject(), canvas.parentElement!.clientWidth, theScene?.index ?? null, true);
  }

  protected override render(): TemplateResult {
    const there = !this.fixed || this.at > 0;
    const where = this.fixed ? (this.at ? t("step {seq}", { seq: this.at }) : t("This picture comes when it has happened.")) : t("now");
    return html`<figure class="picture" data-testid="lesson-picture" data-lens=${this.lens} data-at=${this.at}>
      ${there ? html`<button type="button" aria-label=${`${this.plain} ${t("Show it on the stage")}`} title=${t("Show it on the stage")} @click=${this.look}><canvas role="img" aria-label=${this.plain}></canvas></button>` : nothing}
      <figcaption>${this.words} <small class="soft">${where}</small>${there
        ? html` <button type="button" class="link" data-testid="enlarge" aria-haspopup="dialog" @click=${this.enlarge}>${t("Enlarge")}</button>` : nothing}${this.fixed && this.at && currentLab().options.canEdit && currentLab().mode.seq !== this.at
        ? html` <button type="button" class="link" @click=${() => currentLab().seek(this.at)}>${t("Go to this step")}</button>` : nothing}</figcaption></figure>`;
  }

  private look(): void {
    const lab = currentLab();
    lab.look(this.lens);
    if (this.select) lab.select(this.select);
    // On a phone the stage is another panel.
    document.querySelector<HTMLElement>('[data-testid="panel:stage"]')?.click();
    document.querySelector<HTMLElement>("#stage")?.focus();
  }
}
