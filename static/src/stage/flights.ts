// Pods on their way from one place to another, arriving, and fading. A flight starts because the layout put the pod elsewhere,
// which happens only because the state changed.
import type { ClusterIndex } from "../lab/index";
import type { PodView } from "../stream/views";
import type { Drawing } from "./drawing";
import { bezier, center, clamp, ease, easeOut, mix, type Box, type Point } from "./geometry";
import type { Layout } from "./layout";
import type { PodBox } from "./layoutNodes";
import { paintPod, podColor } from "./pod";

interface Flight {
  kind: "fly" | "appear";
  from: Box;
  to: PodBox;
  far: boolean;
  start: number;
  ms: number;
}

interface Ghost {
  pod: PodView;
  place: PodBox;
  start: number;
  ms: number;
}

const FLY_MS = 880, SHIFT_MS = 300, APPEAR_MS = 260, FADE_MS = 520;

export class Flights {
  private readonly flights = new Map<string, Flight>();
  private readonly ghosts = new Map<string, Ghost>();

  get active(): boolean {
    return this.flights.size > 0 || this.ghosts.size > 0;
  }

  has(key: string): boolean {
    return this.flights.has(key);
  }

  clear(): void {
    this.flights.clear();
    this.ghosts.clear();
  }

  /** A pod is no more: it fades where it was. */
  gone(key: string, pod: PodView, place: PodBox | undefined, still: boolean): void {
    this.flights.delete(key);
    if (!place || still) return;
    this.ghosts.set(key, { pod, place, start: performance.now(), ms: FADE_MS });
  }

  /** Lets pods move from where they were to where they are now. `rate`: how much faster than usual. */
  plan(before: Layout, after: Layout, index: ClusterIndex, rate: number): void {
    const now = performance.now();
    const quick = clamp(rate, 1, 6);
    const jumped = before.lens === after.lens && (before.width !== after.width || before.nodes.size !== after.nodes.size);
    for (const [key, to] of after.pods) {
      const flying = this.flights.get(key);
      const old = before.pods.get(key);
      if (!old) {
        if (!flying) this.flights.set(key, { kind: "appear", from: to.box, to, far: false, start: now, ms: APPEAR_MS / quick });
        else flying.to = to;
        continue;
      }
      if (flying && sameSpot(flying.to.box, to.box)) {
        flying.to = to;
        continue;
      }
      if (sameSpot(old.box, to.box)) continue;
      const small = to.detail === "dot" && old.detail === "dot";
      if (small && jumped) continue;
      const far = old.node !== to.node || before.lens !== after.lens;
      const from = flying ? current(flying, now) : old.box;
      this.flights.set(key, { kind: "fly", from, to, far, start: now, ms: (far ? FLY_MS : SHIFT_MS) / quick });
    }
    for (const key of this.flights.keys()) if (!after.pods.has(key) || !index.pods.has(key)) this.flights.delete(key);
  }

  /** Ends what has arrived; returns the nodes whose cards must now show it ("" for the scheduler's queue). */
  advance(now: number): string[] {
    const landed: string[] = [];
    for (const [key, flight] of this.flights) {
      if (now < flight.start + flight.ms) continue;
      this.flights.delete(key);
      landed.push(flight.to.node);
    }
    for (const [key, ghost] of this.ghosts) if (now >= ghost.start + ghost.ms) this.ghosts.delete(key);
    return landed;
  }

  draw(d: Drawing, now: number): void {
    for (const ghost of this.ghosts.values()) {
      const part = clamp((now - ghost.start) / ghost.ms, 0, 1);
      const shrink = 1 - 0.25 * easeOut(part);
      paintPod(d, ghost.pod, { ...ghost.place, box: scaled(ghost.place.box, shrink) }, 1 - part);
    }
    for (const [key, flight] of this.flights) {
      const pod = d.index.pods.get(key);
      if (!pod) continue;
      const part = clamp((now - flight.start) / flight.ms, 0, 1);
      if (flight.kind === "appear") paintPod(d, pod, { ...flight.to, box: scaled(flight.to.box, 0.6 + 0.4 * easeOut(part)) }, easeOut(part));
      else drawFlight(d, pod, flight, part);
    }
  }
}

function drawFlight(d: Drawing, pod: PodView, flight: Flight, part: number): void {
  const e = ease(part);
  const a = center(flight.from), b = center(flight.to.box);
  if (flight.far && flight.from.y < flight.to.box.y) {
    const [p, q] = arc(a, b);
    d.pen.curve(a, p, q, b, { stroke: podColor(d, pod), width: 1.6, dash: [2, 6], alpha: 0.8 * (1 - part * 0.6) });
  }
  const box = current(flight, 0, e);
  const detail = flight.to.detail === "card" && box.h < 58 ? (box.h < 28 ? "token" : "mini") : flight.to.detail;
  paintPod(d, pod, { ...flight.to, box, detail }, 1);
}

/** Straight down through the API server first, then over to the node. */
const arc = (a: Point, b: Point): [Point, Point] => [{ x: a.x, y: mix(a.y, b.y, 0.55) }, { x: mix(a.x, b.x, 0.75), y: mix(a.y, b.y, 0.5) }];

function current(flight: Flight, now: number, eased = ease(clamp((now - flight.start) / flight.ms, 0, 1))): Box {
  const a = center(flight.from), b = center(flight.to.box);
  const [p, q] = arc(a, b);
  const at = flight.far ? bezier(a, p, q, b, eased) : { x: mix(a.x, b.x, eased), y: mix(a.y, b.y, eased) };
  const grow = eased * eased;
  const w = mix(flight.from.w, flight.to.box.w, grow), h = mix(flight.from.h, flight.to.box.h, grow);
  return { x: at.x - w / 2, y: at.y - h / 2, w, h };
}

const sameSpot = (a: Box, b: Box): boolean => Math.abs(a.x - b.x) < 0.5 && Math.abs(a.y - b.y) < 0.5 && Math.abs(a.w - b.w) < 0.5 && Math.abs(a.h - b.h) < 0.5;

const scaled = (box: Box, part: number): Box => ({ x: box.x + (box.w * (1 - part)) / 2, y: box.y + (box.h * (1 - part)) / 2, w: box.w * part, h: box.h * part });
