// <cl-compare>: another lab beside this one, so that two futures of one past can be told apart: two stages, the first step in which they
// part, and what differs now.
import { html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { customElement, query, state } from "lit/decorators.js";
import { t } from "../i18n/t";
import { fetchComparison, type Comparison } from "../lab/api";
import { Lab, type Topic } from "../lab/lab";
import { OneAtATime } from "../lab/oneAtATime";
import { inOneLine } from "../lab/paths";
import { actorName, sentenceOf } from "../lab/words";
import { Scene } from "../stage/scene";
import type { Heading } from "../stream/types";
import { LabElement } from "./element";
import { Extras } from "./extras";
import { icons } from "./icons";
import { theScene } from "./stage";

const REFRESH_MS = 400;
const SHOWN = 12;

@customElement("cl-compare")
export class CompareElement extends LabElement {
  protected override readonly topics: Topic[] = ["state", "lens", "theme", "mode", "compare"];
  @query(".compare-lower") private lower!: HTMLCanvasElement;
  @query(".compare-upper") private upper!: HTMLCanvasElement;
  @state() private found: Comparison | null = null;
  @state() private problem = "";
  @state() private together = true;
  private other: Lab | null = null;
  private scene: Scene | null = null;
  private extras: Extras | null = null;
  private watcher: ResizeObserver | null = null;
  private ticking = false;
  private last = 0;
  private timer = 0;
  private moved = -1;
  private readonly asking = new OneAtATime(() => this.load());

  protected override told(topic: Topic): void {
    if (topic === "compare") return void (this.lab.comparing !== (this.other?.options.id ?? "") && this.begin());
    if (!this.other || !this.scene) return;
    if (topic === "lens") {
      this.scene.show(this.lab.lens);
      this.extras?.due();
    }
    if (topic === "theme") this.scene.retheme();
    if (topic === "state" && this.together) this.follow();
    this.wake();
    this.compare();
  }

  private begin(): void {
    this.other?.stream.stop();
    this.watcher?.disconnect();
    this.other = this.scene = this.found = this.extras = null;
    this.problem = "";
    document.body.dataset["comparing"] = this.lab.comparing ? "yes" : "no";
    if (this.lab.comparing) {
      this.other = new Lab({ id: this.lab.comparing, canEdit: this.lab.options.canEdit });
      this.other.on(["state", "step", "mode", "headings"], () => this.heard());
      this.other.stream.start();
    } else if (theScene) theScene.differ = new Set();
    this.requestUpdate();
  }

  protected override updated(_changed: PropertyValues): void {
    if (!this.other || this.scene || !this.lower) return;
    const { player } = this.other;
    player.still = true;
    this.scene = new Scene(this.lower, this.upper, player);
    player.onCommit = (frame) => this.scene?.commit(frame);
    this.scene.show(this.lab.lens);
    this.extras = new Extras(this.other, this.scene, () => this.wake());
    this.extras.due();
    this.watcher = new ResizeObserver(() => {
      const box = this.querySelector(".compare-stage")!.getBoundingClientRect();
      if (box.width > 100) this.scene?.resize({ width: Math.floor(box.width), height: Math.floor(box.height) }, 1);
      this.wake();
    });
    this.watcher.observe(this.querySelector(".compare-stage")!);
    this.scene.replaced();
    this.compare();
  }

  private heard(): void {
    const { other, scene } = this;
    if (!other || !scene) return;
    if (other.player.replacedSince) {
      other.player.replacedSince = false;
      scene.replaced();
    }
    this.extras?.due();
    scene.hold(other.shown ? (other.frameOf(other.shown.seq) ?? null) : null);
    this.wake();
    this.compare();
  }

  /** Moves the other lab to the step that is on the stage here, as far as it has one. */
  private follow(): void {
    const { seq } = this.lab.player.state;
    if (!this.other || this.other.connection !== "open" || this.moved === seq || !this.lab.player.idle) return;
    this.moved = seq;
    this.other.seek(seq);
  }

  private compare(): void {
    this.timer ||= window.setTimeout(() => {
      this.timer = 0;
      this.asking.ask();
    }, REFRESH_MS);
  }

  private async load(): Promise<void> {
    const { other } = this;
    if (!other) return;
    let found: Comparison | null = this.found, problem = "";
    try {
      found = await fetchComparison(this.lab.options.id, other.options.id);
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
    }
    if (this.other !== other) return; // comparing has ended meanwhile, or goes on with another lab
    [this.found, this.problem] = [found, problem];
    const differ = new Set((found?.objects ?? []).map((one) => one.key));
    for (const scene of [this.scene, theScene]) if (scene) scene.differ = differ;
    this.lab.tell("selection");
    this.wake();
  }

  private wake(): void {
    if (this.ticking) return;
    this.ticking = true;
    this.last = performance.now();
    requestAnimationFrame((now) => this.tick(now));
  }

  private tick(now: number): void {
    this.ticking = false;
    if (!this.other || !this.scene) return;
    this.other.player.advance(Math.max(0, now - this.last));
    this.last = now;
    if (this.scene.draw(performance.now())) this.wake();
  }

  protected override render(): TemplateResult | typeof nothing {
    if (!this.other) return nothing;
    const { found } = this;
    return html`<section class="compare" aria-label=${t("Another future")} data-testid="compare">
      <header><b>${t("lab {id}", { id: this.other.options.id.slice(0, 6) })}</b> <span class="soft">${t("step {seq}", { seq: this.other.player.state.seq })}</span>
        <label class="switch"><input type="checkbox" .checked=${this.together} @change=${(event: Event) => (this.together = (event.target as HTMLInputElement).checked)} /> ${t("move together")}</label>
        ${found?.first && this.lab.options.canEdit ? html`<button type="button" class="small" data-testid="compare-part" @click=${() => this.lab.seek(found.first!)}>${t("To where they part")}</button>` : nothing}
        <span class="spacer"></span><button type="button" class="quiet" aria-label=${t("Close")} data-testid="compare-close" @click=${() => this.lab.compare("")}>${icons.close}</button></header>
      <div class="compare-stage"><canvas class="compare-lower" aria-hidden="true"></canvas><canvas class="compare-upper" aria-hidden="true"></canvas></div>
      <div class="compare-words" tabindex="0" role="region" aria-label=${t("What differs")}>${this.problem ? html`<p class="bad">${this.problem}</p>` : found ? this.words(found) : nothing}</div></section>`;
  }

  private words(found: Comparison): TemplateResult {
    const step = (heading: Heading | null): string => (heading ? `${t("step {seq}", { seq: heading.seq })}, ${actorName(heading.actor)}: ${sentenceOf(heading)}` : t("nothing yet"));
    return html`${found.first ? html`<p data-testid="parted">${t("The same up to step {seq}.", { seq: found.shared })}</p><dl class="fields"><dt>${t("here")}</dt><dd>${step(found.here)}</dd><dt>${t("there")}</dt><dd>${step(found.there)}</dd></dl>` : html`<p data-testid="parted">${t("Nothing differs: the same steps so far.")}</p>`}
      ${found.objects.length ? html`<ul class="links">${found.objects.slice(0, SHOWN).map((one) => html`<li><small>${t(one.op)}</small> <button type="button" class="link" @click=${() => this.lab.select(one.key)}>${one.key}</button>
        ${one.paths?.slice(0, 2).map((path) => html`<br /><small class="mono">${path.path}: ${inOneLine(path.here ?? undefined)} | ${inOneLine(path.there ?? undefined)}</small>`)}</li>`)}</ul>${found.objects.length + found.more > SHOWN ? html`<p class="soft">${t("and {count} more", { count: found.objects.length + found.more - SHOWN })}</p>` : nothing}` : nothing}`;
  }
}
