// <cl-stage>: the canvases of the stage, the clock that moves them, and a button over everything that can be pointed at, so that
// what is drawn can also be reached by keyboard and named by a screen reader.
import { html, type PropertyValues } from "lit";
import { customElement, query } from "lit/decorators.js";
import type { Beat } from "../stage/choreography";
import { targets } from "../stage/actors";
import type { Layout } from "../stage/layout";
import { controllerTitle } from "../stage/layoutControl";
import { Scene } from "../stage/scene";
import { evictionOf } from "../stage/countdown";
import { lookOf } from "../stage/pod";
import { probesOf, probeWords } from "../stage/probes";
import { contains, type Box } from "../stage/geometry";
import { anchorAt, isOverview, meets, placeOf, viewOf, WHOLE } from "../stage/view";
import { t } from "../i18n/t";
import { fetchDecision } from "../lab/api";
import type { Topic } from "../lab/lab";
import { Extras } from "./extras";
import "./lensbar";
import { Overlay } from "./overlay";
import { LabElement } from "./element";
import { zoomByHand, type Zoomed, type ZoomElement } from "./zoom";

const LONGEST_TICK_MS = 100;
const STAGE = { width: 1120, height: 700 };
const PHONE_WIDTH = 620;
const LARGEST = 1.9;
const RECALLED = 300;
/** With more pods than this the buttons over the stage follow less often while steps rush by. */
const MANY = 400;
const PLACE_EVERY_MS = 500;
/** The stage of the page: measured by tests, exported as a picture. */
export let theScene: Scene | null = null;

@customElement("cl-stage")
export class StageElement extends LabElement {
  protected override readonly topics: Topic[] = ["state", "step", "selection", "lens", "theme", "mode", "ask", "access", "headings"];
  @query(".stage-lower") private lower!: HTMLCanvasElement;
  @query(".stage-upper") private upper!: HTMLCanvasElement;
  @query(".stage-overlay") private overlayRoot!: HTMLElement;
  @query(".stage-tip") private tip!: HTMLElement;
  private scene!: Scene;
  private overlay!: Overlay;
  private ticking = false;
  private last = 0;
  private scale = 1;
  private shownLayout: Layout | null = null;
  private decided = "";
  private deciding = false;
  private placedAt = 0;
  private extras!: Extras;
  private view = WHOLE;
  /** What things are called may have changed. */
  private renameDue = true;
  private halted: Beat | null = null;

  protected override render() {
    return html`<cl-lensbar></cl-lensbar><div class="stage-scroll" tabindex="-1">
      <div class="stage-sheet">
        <div class="stage-window"><canvas class="stage-lower" aria-hidden="true"></canvas>
        <canvas class="stage-upper" aria-hidden="true"></canvas></div>
        <div class="stage-overlay" role="group" aria-label=${t("The cluster")} @click=${this.clicked} @focusin=${this.hovered} @focusout=${() => (this.tip.hidden = true)} @keydown=${this.keyed}></div>
        <div class="stage-tip" hidden></div>
      </div>
    </div><cl-zoom .stage=${this as Zoomed}></cl-zoom>`;
  }

  protected override firstUpdated(_changed: PropertyValues): void {
    this.scene = theScene = new Scene(this.lower, this.upper, this.lab.player);
    this.extras = new Extras(this.lab, this.scene, () => this.wake());
    this.overlay = new Overlay(this.overlayRoot, (id) => this.nameOf(id));
    const still = matchMedia("(prefers-reduced-motion: reduce)");
    const setStill = (): void => void (this.lab.player.still = still.matches);
    still.addEventListener("change", setStill);
    setStill();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.lab.tell("theme"));
    new ResizeObserver(() => this.resized()).observe(this.querySelector(".stage-scroll")!);
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.lab.player.flush();
      this.wake();
    });
    const sheet = this.querySelector<HTMLElement>(".stage-sheet")!;
    sheet.addEventListener("pointermove", (event) => this.pointed(event));
    sheet.addEventListener("pointerleave", () => (this.tip.hidden = true));
    const scroll = this.querySelector<HTMLElement>(".stage-scroll")!;
    scroll.addEventListener("scroll", () => this.view.zoom > 1 && this.scrolled(), { passive: true });
    zoomByHand(scroll, this);
    this.lab.player.onCommit = (frame) => this.scene.commit(frame);
    this.scene.lens = this.lab.lens;
    this.scene.replaced();
    this.resized();
  }

  protected override told(topic: Topic): void {
    if (!this.scene) return;
    this.renameDue = true;
    if (topic === "selection") {
      this.scene.select(this.lab.selected);
      this.reveal();
    }
    if (this.scene.lens === "control-plane" || this.lab.lens === "control-plane") this.scene.recalled(this.lab.headings.newest(this.lab.player.state.seq, RECALLED, (step) => !step.routine));
    if (topic === "lens") {
      this.tip.hidden = true;
      this.scene.show(this.lab.lens);
      if (this.view.zoom > 1) this.zoomTo(1);
    }
    if (topic === "mode") {
      this.scene.flowing = this.lab.playing;
      this.scene.wait(this.lab.mode.held);
    }
    if (topic === "theme") this.scene.retheme();
    this.toggleAttribute("data-empty", !this.lab.player.state.objects["namespaces/default"]); // what is drawn before the first snapshot is no cluster
    if (topic === "state" || topic === "lens") this.fetchDecision();
    if (topic === "state" || topic === "step") this.scene.hold(this.lab.shown ? (this.lab.frameOf(this.lab.shown.seq) ?? null) : null);
    this.scene.asking = this.lab.player.gated !== null || (this.lab.ask.on && this.lab.ask.pod !== "");
    if (topic === "ask") this.asked();
    if (topic === "access") this.scene.informed({ answer: this.lab.access });
    this.extras.due();
    if (topic === "state" && this.lab.player.replacedSince) {
      this.lab.player.replacedSince = false;
      this.scene.replaced();
    }
    this.wake();
  }

  /** The decision that the class is asked about is shown without its outcome. */
  private asked(): void {
    const { ask, player } = this.lab;
    if (player.gated && ask.decision) this.scene.decided(ask.decision, ask.pod.slice("pods/".length));
    else this.decided = "";
    this.scene.stale = true;
  }

  /** The scores of the last decision, which the stream does not carry in full. Not while steps rush by. */
  private fetchDecision(): void {
    if (this.deciding || this.lab.player.gated || this.lab.player.waiting > 6) return;
    const last = this.lab.player.state.components["kube-scheduler"]?.["last"] as { pod?: string } | undefined;
    const told = this.scene.lastBy.get("kube-scheduler") ?? this.lab.headings.newest(this.lab.shownSeq, 1, (step) => step.actor === "kube-scheduler" && step.object.startsWith("pods/"))[0];
    const pod = (told?.object ?? last?.pod ?? "").replace(/^pods\//, "");
    const version = `${pod}@${told?.seq ?? JSON.stringify(last)}`;
    if (!pod || version === this.decided) return;
    this.deciding = true;
    void fetchDecision(this.lab.options.id, pod)
      .catch(() => null)
      .then((decision) => {
        this.decided = version;
        this.deciding = false;
        this.scene.decided(decision, pod);
        this.wake();
        this.fetchDecision();
      });
  }

  private resized(): void {
    if (this.view.zoom === 1) return this.fit();
    const { sight } = this.scene, selected = this.selectedBox, { x, y, w, h } = selected && meets(selected, sight) ? selected : sight;
    this.keeping((x + w / 2 - sight.x) * this.scale, (y + h / 2 - sight.y) * this.scale, false, () => this.fit());
  }

  private fit(): void {
    const box = this.querySelector(".stage-scroll")!.getBoundingClientRect();
    if (box.width < 40 || box.height < 40) return;
    const presenting = document.documentElement.dataset["presenting"] === "on";
    // Made for about this many pixels: a larger stage is drawn larger, so that a projector shows it to the last row.
    const room = Math.min(box.width / STAGE.width, box.height / STAGE.height);
    const scale = box.width < PHONE_WIDTH ? 1 : Math.max(presenting ? 1.15 : 1, Math.min(LARGEST, room * (presenting ? 1.15 : 1)));
    const { zoom, magnified } = this.view;
    this.scale = scale * magnified;
    this.scene.resize({ width: Math.floor(box.width * zoom), height: Math.floor(box.height * zoom) }, this.scale);
    this.fitSheet();
    this.scrolled();
  }

  // Nearer and farther.

  /** How near it is looked at: 1 shows all. */
  get zoom(): number {
    return this.view.zoom;
  }

  /** Whether many nodes are shown, which can be told apart from nearer only. */
  get overview(): boolean {
    return this.scene !== undefined && isOverview(this.scene.at);
  }

  /** Looks from nearer or farther; what is at a place of the window stays there. */
  zoomTo(zoom: number, x?: number, y?: number): void {
    const scroll = this.querySelector<HTMLElement>(".stage-scroll")!, box = scroll.getBoundingClientRect();
    const selected = this.selectedBox;
    // By keyboard: towards what is selected, or else the middle.
    const px = x ?? (selected ? (selected.x + selected.w / 2) * this.scale - scroll.scrollLeft : box.width / 2);
    const py = y ?? (selected ? (selected.y + selected.h / 2) * this.scale - scroll.scrollTop : box.height / 2);
    const view = viewOf(zoom, this.scene.at, this.scene.index.nodes.size);
    if (view.zoom === this.view.zoom) return;
    this.tip.hidden = true;
    this.keeping(px, py, x !== undefined, () => {
      this.view = view;
      this.fit();
    });
    this.querySelector<ZoomElement>("cl-zoom")?.requestUpdate();
  }

  /** What is at a place of the window is there again after a change that lays out anew, or else in the middle. */
  private keeping(px: number, py: number, there: boolean, change: () => void): void {
    const scroll = this.querySelector<HTMLElement>(".stage-scroll")!;
    // From near what was in sight before counts: a window that has become smaller may have been scrolled already.
    const from = this.view.zoom > 1 ? this.scene.sight : { x: scroll.scrollLeft / this.scale, y: scroll.scrollTop / this.scale };
    const anchor = anchorAt(this.scene.at, from.x + px / this.scale, from.y + py / this.scale);
    change();
    const place = placeOf(anchor, this.scene.at);
    scroll.scrollTo(place.x * this.scale - (there ? px : scroll.clientWidth / 2), place.y * this.scale - (there ? py : scroll.clientHeight / 2));
    this.scrolled();
  }

  private get selectedBox(): Box | undefined {
    return targets(this.scene.at).find((target) => target.id === this.lab.selected)?.box;
  }

  /** What was selected elsewhere, by its name or in the inspector, comes into sight. */
  private reveal(): void {
    const found = this.view.zoom > 1 && this.selectedBox;
    if (!found || meets(found, this.scene.sight)) return;
    const { sight } = this.scene;
    this.querySelector(".stage-scroll")!.scrollTo((found.x + found.w / 2 - sight.w / 2) * this.scale, (found.y + found.h / 2 - sight.h / 2) * this.scale);
  }

  /** The sheet is as large as the layout; from near its canvases are as large as the window, and stay there. */
  private fitSheet(): void {
    const { style } = this.querySelector<HTMLElement>(".stage-sheet")!, near = this.view.zoom > 1;
    style.width = near ? `${this.scene.at.width * this.scale}px` : "";
    style.height = near ? `${this.scene.at.height * this.scale}px` : "";
  }

  private scrolled(): void {
    const scroll = this.querySelector<HTMLElement>(".stage-scroll")!;
    this.scene.look(this.view.zoom > 1 ? { x: scroll.scrollLeft / this.scale, y: scroll.scrollTop / this.scale, w: scroll.clientWidth / this.scale, h: scroll.clientHeight / this.scale } : null);
    if (this.view.zoom > 1) this.renameDue = true;
    this.wake();
  }

  private wake(): void {
    if (this.ticking) return;
    this.ticking = true;
    this.last = performance.now();
    requestAnimationFrame((now) => this.tick(now));
  }

  private tick(now: number): void {
    const { player } = this.lab;
    this.ticking = false;
    player.advance(Math.min(LONGEST_TICK_MS, Math.max(0, now - this.last)));
    this.last = now;
    const moving = this.scene.draw(performance.now());
    const due = this.scene.at !== this.shownLayout || this.renameDue;
    if (due && (player.idle || this.scene.at.pods.size < MANY || now - this.placedAt > PLACE_EVERY_MS)) this.place(now);
    if (player.halted !== this.halted) {
      this.halted = player.halted;
      this.lab.tell("step");
    }
    if ((!moving && player.idle) || (player.gated && !player.frame && !this.scene.flights.active) || (player.halted && !this.scene.flights.active) || this.ticking) return;
    this.ticking = true;
    requestAnimationFrame((next) => this.tick(next));
  }

  private place(now: number): void {
    this.placedAt = now;
    this.renameDue = false;
    this.shownLayout = this.scene.at;
    this.fitSheet();
    this.overlay.place(this.scene.at, this.scene.sight, this.scale, this.lab.selected);
  }

  /** What a screen reader calls a thing on the stage. */
  private nameOf(id: string): string {
    const { index } = this.scene;
    const pod = index.pods.get(id);
    if (pod) {
      const where = pod.node ? t("on {node}", { node: pod.node }) : t("without a node");
      const probes = probeWords(probesOf(pod, id, index, this.lab.player.state.time));
      return `${t("Pod")} ${pod.name}, ${lookOf(pod, this.lab.player.state.time, false, pod.node ? evictionOf(pod, index.nodes.get(pod.node)) : null).word}, ${where}${probes ? `, ${probes}` : ""}`;
    }
    if (id.startsWith("nodes/")) {
      const node = index.nodes.get(id.slice(6));
      const count = index.podsOn(id.slice(6)).size;
      return `${t("Node")} ${id.slice(6)}, ${node?.ready === "True" ? t("ready") : t("not ready")}, ${count === 1 ? t("1 pod") : t("{count} pods", { count })}`;
    }
    const packet = this.scene.at.door.get(id);
    if (packet) return t("held before the API server: {what}", { what: packet.words });
    const card = this.scene.at.board?.cards.get(id);
    if (card) return [card.title, ...card.lines, card.tag].filter(Boolean).join(", ");
    const workload = index.workloads.get(id);
    if (workload) return `${workload.kind} ${workload.name}, ${t("{ready} of {desired} ready", { ready: workload.ready, desired: workload.desired })}`;
    const service = index.services.get(id);
    if (service) return `${t("Service")} ${service.name}`;
    if (id.endsWith("-controller")) return t("{name} controller", { name: controllerTitle(id) });
    return id === "kubectl" ? t("you, with kubectl") : id.replace("/", " ");
  }

  private clicked(event: Event): void {
    const id = (event.target as HTMLElement).closest<HTMLElement>("[data-id]")?.dataset["id"];
    if (id) this.lab.select(this.lab.selected === id ? "" : id);
  }

  private keyed(event: KeyboardEvent): void {
    if (this.overlay.move(event.key, (event.target as HTMLElement).dataset["id"] ?? "")) {
      event.preventDefault();
      event.stopPropagation();
    }
  }

  private hovered(event: Event): void {
    const target = event.target as HTMLElement;
    if (target.dataset["id"] && target.matches(":focus-visible")) this.showTip(target.dataset["id"]);
  }

  private pointed(event: PointerEvent): void {
    if (event.pointerType === "touch") return;
    const sheet = (event.currentTarget as HTMLElement).getBoundingClientRect();
    const at = { x: (event.clientX - sheet.left) / this.scale, y: (event.clientY - sheet.top) / this.scale };
    const found = targets(this.scene.at).find((target) => contains(target.box, at));
    if (found) this.showTip(found.id);
    else this.tip.hidden = true;
  }

  private showTip(id: string): void {
    const target = targets(this.scene.at).find((one) => one.id === id);
    if (!target) return;
    const { box } = target;
    this.tip.textContent = this.nameOf(id);
    this.tip.hidden = false;
    const width = this.tip.offsetWidth;
    const x = Math.max(6, Math.min((box.x + box.w / 2) * this.scale - width / 2, this.scene.at.width * this.scale - width - 6));
    const below = box.y * this.scale < 40;
    this.tip.style.transform = `translate(${x}px, ${below ? (box.y + box.h) * this.scale + 6 : box.y * this.scale - this.tip.offsetHeight - 6}px)`;
  }
}
