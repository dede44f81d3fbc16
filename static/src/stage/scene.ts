// The stage itself: two layers of canvas. The lower one holds what stands still and is redrawn card by card, only where something
// has changed; the upper one holds what moves. Between changes nothing is drawn at all.
import type { DecisionAnswer, LoopsAnswer, UsageAnswer } from "../lab/api";
import { ClusterIndex } from "../lab/index";
import type { Player } from "../stream/player";
import type { Frame, Heading, ModeState, View } from "../stream/types";
import type { EventView, NodeView, PodView } from "../stream/views";
import { drawApiServer, drawKubectl, drawWires } from "./apiserver";
import { carriesTraffic, drawBoard, drawRequests, phaseAt } from "./drawBoard";
import { NO_EXTRAS, type BoardExtras } from "./board";
import { drawControllers } from "./controllers";
import { taintsOf } from "./countdown";
import { doorFont, drawDoor, placeDoor } from "./door";
import type { Drawing } from "./drawing";
import { drawEtcd } from "./etcd";
import { drawDiffering, drawHeld } from "./held";
import { Flights } from "./flights";
import type { Box } from "./geometry";
import { layout, type Layout, type Lens, type Size } from "./layout";
import { Slots } from "./layoutNodes";
import { drawNode } from "./node";
import { drawOwners } from "./owners";
import { drawPod } from "./pod";
import { Pen } from "./pen";
import { bands, drawBands, type Legend } from "./picture";
import { drawScheduler } from "./scheduler";
import { t } from "../i18n/t";
import { drawServices, drawServiceWires, drawWorkload } from "./service";
import type { SvgContext } from "./svg";
import { readTheme } from "./theme";
import { Tween } from "./tween";
import { meets } from "./view";
import { drawBeats } from "./travel";

/** A layout that takes longer than this is not done anew for every picture. */
const SLOW_LAYOUT_MS = 6;
/** With more pods than this they appear where they are, without flying there. */
const MOST_FLYING = 2500;
const CONTROL_PARTS = ["etcd", "kube-scheduler", "kube-controller-manager", "kube-apiserver"];

export class Scene {
  index = new ClusterIndex();
  at: Layout;
  lens: Lens = "workloads";
  selected = "";
  /** What each actor did last that mattered: the control plane lens tells it. */
  readonly lastBy = new Map<string, Heading>();
  /** The scheduler's last decision in full; the page fetches it. */
  decision: DecisionAnswer | null = null;
  private decisionOf = "";
  /** The class is asked which node wins: who does is not told. */
  asking = false;
  /** What controllers watch and what waits on their queues. */
  private loops: LoopsAnswer | null = null;
  /** What another lab has otherwise: ringed. */
  private differing = new Set<string>();
  private extras: BoardExtras = NO_EXTRAS;
  private usage: UsageAnswer | null = null;
  private held: Frame | null = null;
  private waiting: ModeState["held"];
  readonly flights = new Flights();
  private readonly tween = new Tween();
  /** The layout as it is drawn: on its way, while cards move. */
  private shown: Layout | null = null;
  /** The cluster runs: requests travel. */
  flowing = false;
  private phase = 0;
  /** What was selected last that has to do with a node: the node lens shows that node. */
  focus = "";
  private size: Size = { width: 0, height: 0 };
  private scale = 1;
  /** What is in sight, where that is not all. */
  private window: Box | null = null;
  private slots = new Slots();
  private readonly base: Pen;
  private readonly motion: Pen;
  /** Everything that stands still must be drawn anew. */
  stale = true;
  private readonly dirtyNodes = new Set<string>();
  private dirtyControl = false;
  private moved = true;
  private lastCountdown = -1;
  /** How long the last draws took, ms: for measuring. */
  readonly timings: number[] = [];

  constructor(private readonly lower: HTMLCanvasElement, private readonly upper: HTMLCanvasElement, private readonly player: Player) {
    const theme = readTheme();
    this.base = new Pen(lower.getContext("2d", { alpha: false })!, theme);
    this.motion = new Pen(upper.getContext("2d")!, theme);
    this.at = layout(this.index, {}, { width: 800, height: 600 }, this.lens, this.slots);
  }

  retheme(): void {
    const theme = readTheme();
    this.base.retheme(theme);
    this.motion.retheme(theme);
    this.stale = this.moved = true;
  }

  resize(size: Size, scale: number): void {
    this.size = { width: size.width / scale, height: size.height / scale };
    this.scale = scale;
    this.slots = new Slots();
    this.relayout(false);
  }

  /** Only this part is in sight; null for all. */
  look(window: Box | null): void {
    if (!window && !this.window) return;
    this.window = window;
    this.stale = this.moved = true;
  }

  /** What is drawn: all, or what is in sight. */
  get sight(): Box {
    return this.window ?? { x: 0, y: 0, w: this.at.width, h: this.at.height };
  }

  show(lens: Lens): void {
    if (lens === this.lens) return;
    this.lens = lens;
    this.relayout(true);
  }

  decided(decision: DecisionAnswer | null, pod: string): void {
    this.decision = decision;
    this.decisionOf = pod;
    this.dirtyControl = true;
    if (this.lens === "scheduling") for (const name of this.at.nodes.keys()) this.dirtyNodes.add(name);
  }

  /** The step on the stage, shown while nothing moves. */
  hold(frame: Frame | null): void {
    if (frame === this.held) return;
    this.held = frame;
    this.moved = true;
  }

  /** What waits before the API server while requests are held. */
  wait(waiting: ModeState["held"]): void {
    if (JSON.stringify(waiting) === JSON.stringify(this.waiting)) return;
    this.waiting = waiting;
    this.putDoor(this.at);
    this.moved = true;
  }

  private putDoor(before: Layout): void {
    this.at.door = placeDoor({ ...this.at, door: before.door }, this.waiting, (words) => this.base.width(words, doorFont), performance.now());
  }

  set differ(keys: Set<string>) {
    this.differing = keys;
    this.moved = true;
  }

  /** What boards show beside the stream has come. */
  informed(extras: Partial<BoardExtras>): void {
    this.extras = { ...this.extras, ...extras };
    if (this.at.board || this.lens === "ownership") this.relayoutDue = true;
  }

  /** What was done before the page came, newest first. */
  recalled(steps: Heading[]): void {
    for (const step of steps) if (!this.lastBy.has(step.actor)) this.lastBy.set(step.actor, step);
    this.dirtyControl = true;
  }

  looped(loops: LoopsAnswer): void {
    this.loops = loops;
    this.dirtyControl = true;
  }

  /** What is used now has been measured. */
  measured(usage: UsageAnswer): void {
    this.usage = usage;
    for (const name of this.at.nodes.keys()) this.dirtyNodes.add(name);
  }

  select(id: string): void {
    this.selected = id;
    this.stale = this.moved = true;
    if (/^(nodes|pods|kubelet|kube-proxy|runtime)\//.test(id)) this.focus = id;
    if (this.lens === "node") this.relayout(false);
  }

  /** The state was replaced: seek, reset, first snapshot. */
  replaced(): void {
    this.index = ClusterIndex.of(this.player.state);
    this.slots = new Slots();
    this.flights.clear();
    this.tween.clear();
    this.lastBy.clear();
    this.relayout(false);
  }

  /** A frame has become part of the state. */
  commit(frame: Frame): void {
    if (!frame.routine) this.lastBy.set(frame.actor, frame);
    this.index.number(frame.components["versions"]);
    for (const [key, view] of Object.entries(frame.objects)) {
      const before = this.index.pods.get(key);
      if (this.shapes(key, before, view)) this.relayoutDue = true;
      this.index.put(key, view);
      this.touch(key, before, view as PodView | null);
    }
    for (const name of Object.keys(frame.components)) this.touchComponent(name);
    this.moved = true;
    if (this.at.board) this.relayoutDue = true;
  }

  private relayoutDue = false;
  /** When things were laid out last, and how long that took: in a large cluster it is not done for every picture. */
  private laidOut = { at: -Infinity, ms: 0 };
  private readonly known = new Set<string>();

  /** Whether a change can move anything: something comes or goes, or a pod gets its node. Most changes only look different. */
  private shapes(key: string, before: PodView | undefined, after: View | null): boolean {
    if (key.startsWith("pods/")) return !before || !after || before.node !== (after as PodView).node || before.owner !== after.owner;
    if (key.startsWith("nodes/") && after) return taintsOf(this.index.nodes.get(key.slice(6))).length !== taintsOf(after as NodeView).length || !this.index.nodes.has(key.slice(6));
    if (key.startsWith("events/") || key.startsWith("leases/")) return false;
    const view = this.index.get(key);
    return !view || !after || view.owner !== after.owner;
  }

  private touch(key: string, before: PodView | undefined, after: PodView | null): void {
    if (key.startsWith("events/")) {
      const node = this.index.pods.get((after as View as EventView | null)?.about ?? "")?.node;
      if (node) this.dirtyNodes.add(node);
    } else if (key.startsWith("pods/")) {
      for (const node of [before?.node, after?.node]) if (node) this.dirtyNodes.add(node);
      if (!before?.node || !after?.node) this.dirtyControl = true;
      if (before && !after) this.flights.gone(key, before, this.at.pods.get(key), this.still);
    } else if (key.startsWith("nodes/")) this.dirtyNodes.add(key.slice(6));
  }

  private touchComponent(name: string): void {
    if (name === "etcd" || !this.known.has(name)) {
      this.known.add(name);
      this.relayoutDue = true;
    }
    const slash = name.indexOf("/");
    if (name === "faults") this.stale = true;
    else if (slash < 0) this.dirtyControl = true;
    else this.dirtyNodes.add(name.slice(slash + 1));
  }

  private get still(): boolean {
    return this.player.still;
  }

  private relayout(animate: boolean): void {
    const before = this.at;
    const started = performance.now();
    this.at = layout(this.index, this.player.state.components, this.size, this.lens, this.slots, this.focus, this.extras);
    if (this.waiting) this.putDoor(before);
    this.laidOut = { at: performance.now(), ms: performance.now() - started };
    this.relayoutDue = false;
    this.moved = true;
    const shift = framework(before) !== framework(this.at);
    if (shift || !animate || this.at.board || this.lens === "ownership") this.stale = true;
    if (animate && !this.still && before.lens === this.lens && (this.at.board || this.lens === "ownership")) this.tween.plan(before, this.at, performance.now(), this.player.rate);
    else this.tween.clear();
    if (animate && !this.still && this.at.pods.size < MOST_FLYING) this.flights.plan(before, this.at, this.index, this.player.rate);
  }

  private drawing(pen: Pen): Drawing {
    return { pen, at: this.shown ?? this.at, index: this.index, components: this.player.state.components, time: this.player.state.time, selected: this.selected, lastBy: this.lastBy, decision: this.decision, decisionOf: this.decisionOf, usage: this.usage, loops: this.loops, leases: leasesOf(this.player.state.objects), asking: this.asking };
  }

  /** Draws what is due. Returns whether anything still moves. */
  draw(now: number): boolean {
    if (this.size.width < 100) return false;
    const started = performance.now();
    if (this.relayoutDue && started - this.laidOut.at > (this.laidOut.ms > SLOW_LAYOUT_MS ? this.laidOut.ms * 8 : 0)) this.relayout(true);
    const landed = this.flights.advance(now);
    for (const node of landed) {
      if (node) this.dirtyNodes.add(node);
      else this.dirtyControl = true;
    }
    this.countdowns();
    if (this.tween.active) this.stale = this.moved = true;
    this.shown = this.tween.active ? this.tween.at(this.at, performance.now()) : null;
    this.fitCanvas();
    this.drawBase();
    const moving = this.drawMotion(now);
    this.timings.push(performance.now() - started);
    if (this.timings.length > 600) this.timings.splice(0, 300);
    return moving || this.relayoutDue || this.tween.active;
  }

  /** Terminating pods count down with the clock of the cluster. */
  private countdowns(): void {
    const second = Math.floor(this.player.state.time / 1000);
    if (second === this.lastCountdown) return;
    this.lastCountdown = second;
    for (const pod of this.index.pods.values()) if (pod.node && (pod.deleting !== null || this.index.failures.has(`pods/${pod.namespace}/${pod.name}/liveness`))) this.dirtyNodes.add(pod.node);
    for (const node of this.index.nodes.values()) {
      const pulls = this.player.state.components[`runtime/${node.name}`]?.["pulls"] as unknown[] | undefined;
      if (pulls?.length || node.taints?.some((taint) => taint.added !== undefined)) this.dirtyNodes.add(node.name);
    }
  }

  private fitCanvas(): void {
    const ratio = Math.min(2, window.devicePixelRatio || 1) * this.scale, { sight } = this;
    const w = Math.round(sight.w * ratio), h = Math.round(sight.h * ratio);
    if (this.lower.width !== w || this.lower.height !== h) {
      for (const canvas of [this.lower, this.upper]) {
        canvas.width = w;
        canvas.height = h;
        canvas.style.width = `${sight.w * this.scale}px`;
        canvas.style.height = `${sight.h * this.scale}px`;
      }
      this.stale = true;
    }
    for (const pen of [this.base, this.motion]) pen.ctx.setTransform(ratio, 0, 0, ratio, -sight.x * ratio, -sight.y * ratio);
  }

  private drawBase(): void {
    const d = this.drawing(this.base);
    if (this.lens === "ownership" && this.dirtyNodes.size) this.stale = true;
    if (this.stale) this.drawAll(d);
    else {
      if (this.dirtyControl) this.drawControlPlane(d);
      for (const node of this.dirtyNodes) this.drawNodeCard(d, node);
      if (this.dirtyNodes.size || this.dirtyControl) this.drawObjects(d);
    }
    this.stale = this.dirtyControl = false;
    this.dirtyNodes.clear();
  }

  private drawAll(d: Drawing): void {
    const { pen, at } = d;
    pen.rect({ x: 0, y: 0, w: at.width, h: at.height }, { fill: pen.theme.bg });
    for (const label of at.labels) pen.text(t(label.text), label.x, label.y, { size: 10.8, color: pen.theme.soft, spacing: 1 });
    drawWires(d);
    drawKubectl(d);
    this.drawControlPlane(d);
    if (at.lens === "ownership") drawOwners(d);
    for (const name of at.nodes.keys()) this.drawNodeCard(d, name);
    if (at.lens === "ownership") for (const key of at.pods.keys()) if (!this.flights.has(key)) drawPod(d, key, at.pods.get(key)!);
    if (at.board) drawBoard(d, at.board);
    this.drawObjects(d);
  }

  private drawControlPlane(d: Drawing): void {
    drawEtcd(d);
    drawControllers(d);
    drawScheduler(d);
    drawApiServer(d);
    for (const [key, place] of this.at.pods) if (place.node === "" && this.at.lens !== "ownership" && !this.flights.has(key)) drawPod(d, key, place);
  }

  private drawNodeCard(d: Drawing, name: string): void {
    const place = this.at.nodes.get(name);
    if (!place || (this.window && d.pen === this.base && !meets(place.box, this.window))) return;
    drawNode(d, name, place);
    for (const key of this.index.podsOn(name)) {
      const pod = this.at.pods.get(key);
      if (pod && !this.flights.has(key)) drawPod(d, key, pod);
    }
  }

  private drawObjects(d: Drawing): void {
    for (const [key, box] of this.at.shelf) drawWorkload(d, key, box);
    const last = [...this.at.shelf.values()].at(-1);
    if (last && this.at.hiddenWorkloads) d.pen.text(`+${this.at.hiddenWorkloads}`, last.x + last.w + 10, last.y + last.h / 2 + 4, { size: 12, color: d.pen.theme.soft });
    for (const [key, box] of d.at.owners) drawWorkload(d, key, box, true);
    drawServices(d);
  }

  private drawMotion(now: number): boolean {
    const live = this.player.live();
    const traffic = carriesTraffic(this.at.board);
    const flows = traffic && this.flowing && !this.still;
    if (flows) this.phase = phaseAt(now);
    let active = live.length > 0 || this.flights.active || flows;
    if (!active && !this.moved) return false;
    const { ctx } = this.motion;
    ctx.clearRect(0, 0, this.at.width, this.at.height);
    const d = this.drawing(this.motion);
    if (this.lens !== "ownership") drawServiceWires(d);
    if (this.at.services.size && this.lens !== "ownership") this.passBeneath(ctx);
    if (traffic) drawRequests(d, this.at.board!, this.phase);
    this.flights.draw(d, now);
    drawDiffering(d, this.differing);
    if (live.length) drawBeats(d, live);
    else if (this.held && !this.flights.active && this.player.idle) drawHeld(d, this.held);
    if (this.at.door.size && drawDoor(d, this.still ? Infinity : performance.now())) active = true;
    this.moved = active;
    return active;
  }

  /** Wires pass beneath pods and runtimes: what is drawn over them is taken away again. */
  private passBeneath(ctx: CanvasRenderingContext2D): void {
    ctx.save();
    ctx.globalCompositeOperation = "destination-out";
    ctx.beginPath();
    this.above(ctx);
    ctx.fill();
    ctx.restore();
  }

  /** The path of what lies above wires. */
  private above(ctx: Pick<CanvasRenderingContext2D, "rect" | "roundRect">): void {
    for (const [key, { box, detail }] of this.at.pods) {
      if (this.flights.has(key)) continue;
      if (detail === "card" || detail === "mini") ctx.roundRect(box.x + 1, box.y + 1, box.w - 2, box.h - 2, 8);
      else if (this.at.pods.size < MOST_FLYING) ctx.rect(box.x, box.y, box.w, box.h);
    }
    for (const { runtime } of this.at.nodes.values()) if (runtime) ctx.roundRect(runtime.x, runtime.y, runtime.w, runtime.h, 7);
    for (const box of this.at.services.values()) ctx.roundRect(box.x, box.y, box.w, box.h, 11);
  }

  /** The picture as it is now, with a title above and a caption below: as pixels. */
  picture(legend: Legend): Promise<Blob | null> {
    const canvas = document.createElement("canvas");
    const { sight } = this, ratio = this.lower.width / sight.w;
    const at = { ...this.at, width: sight.w, height: sight.h };
    const { top, height } = bands(at, legend, this.base);
    [canvas.width, canvas.height] = [this.lower.width, Math.round(height * ratio)];
    const ctx = canvas.getContext("2d")!;
    ctx.scale(ratio, ratio);
    drawBands(new Pen(ctx, this.base.theme), at, legend);
    for (const layer of [this.lower, this.upper]) ctx.drawImage(layer, 0, top, sight.w, sight.h);
    return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  }

  /** The same as vectors, with what is under way where it is now. */
  vectors(legend: Legend, context: new (ruler: CanvasRenderingContext2D) => SvgContext): string {
    const { top, height } = bands(this.at, legend, this.base);
    const svg = new context(this.lower.getContext("2d")!);
    const pen = Pen.svg(svg, this.base.theme);
    drawBands(pen, this.at, legend);
    svg.translate(0, top);
    const d = { ...this.drawing(pen), at: this.at };
    this.drawAll(d);
    if (this.at.services.size && this.lens !== "ownership") svg.except(() => drawServiceWires(d), () => this.above(svg), this.at.width, height);
    if (carriesTraffic(this.at.board)) drawRequests(d, this.at.board!, this.phase);
    this.flights.draw(d, performance.now());
    drawDiffering(d, this.differing);
    const live = this.player.live();
    if (live.length) drawBeats(d, live);
    else if (this.held && this.player.idle) drawHeld(d, this.held);
    drawDoor(d, Infinity);
    this.stale = true;
    return svg.file(this.at.width, height, legend.title, legend.caption);
  }
}

const LEADERS = ["kube-controller-manager", "kube-scheduler"];
const leasesOf = (objects: Record<string, View>): Record<string, string> =>
  Object.fromEntries(LEADERS.map((name) => [name, String((objects[`leases/kube-system/${name}`] as { holder?: string } | undefined)?.holder ?? "")]));

/** What must be equal for cards to be redrawn one by one: the places of everything but pods. */
function framework(at: Layout): string {
  const boxes = [at.etcd, at.controllers, at.scheduler, at.bus, ...at.shelf.values(), ...at.services.values(), ...at.owners.values()];
  const nodes = [...at.nodes.values()];
  const last = nodes.at(-1)?.box;
  const detail = at.podDetail;
  return [at.lens, at.width, at.height, nodes.length, nodes[0]?.detail, last && `${last.x},${last.y},${last.w},${last.h}`, CONTROL_PARTS.length,
    at.chips.size, at.members.size, detail, ...boxes.map((box) => `${box.x | 0},${box.y | 0},${box.w | 0},${box.h | 0}`)].join(";");
}
