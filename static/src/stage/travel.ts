// What moves: draws the beats under way on the layer above the cards. Nothing here outlives its beat.
import type { LiveBeat } from "../stream/player";
import type { Beat } from "./choreography";
import { t } from "../i18n/t";
import { nameOf, resourceOf } from "../stream/views";
import type { Drawing } from "./drawing";
import { along, center, clamp, ease, easeOut, type Box, type Point } from "./geometry";
import { actorBox, actorBoxes, wireOf } from "./actors";
import type { Layout } from "./layout";

const VERBS: Record<string, string> = { create: "POST", update: "PUT", patch: "PATCH", delete: "DELETE", deletecollection: "DELETE", get: "GET", list: "LIST", watch: "WATCH", apply: "APPLY" };

/** How a request is written beside its dot: POST pods, POST binding. The verb may name a subresource: "patch status". */
export function requestTitle(verb: string, object: string): string {
  const [first = "", subresource = ""] = verb.toLowerCase().split(" ");
  const parts = object.split("/");
  const last = parts.length > 3 ? parts[3] : /^(binding|status|scale|eviction)$/.test(parts.at(-1) ?? "") && parts.length > 1 ? parts.at(-1) : "";
  return `${VERBS[first] ?? first.toUpperCase()} ${subresource || last || resourceOf(object)}`;
}

export function drawBeats(d: Drawing, live: LiveBeat[]): void {
  for (const { beat, part } of live) if (beat.kind === "act") glow(d, beat, part);
  for (const { beat, part } of live) drawBeat(d, beat, part);
}

function drawBeat(d: Drawing, beat: Beat, part: number): void {
  const { theme } = d.pen;
  switch (beat.kind) {
    case "wake":
      return dot(d, [...wireOf(d.at, beat.actor)].reverse(), ease(part), theme.soft, 3.6, part < 0.85 ? t("watch event") : "");
    case "ask":
      return dot(d, wireOf(d.at, beat.actor), ease(part), theme.accent, beat.small ? 3 : 5.5, beat.small || beat.of === 0 ? "" : requestTitle(beat.span.verb, beat.span.object) + ((beat.of ?? 1) > 1 ? ` × ${beat.of}` : ""));
    case "answer": {
      const bad = beat.code >= 400;
      return dot(d, [...wireOf(d.at, beat.actor)].reverse(), ease(part), bad ? theme.bad : theme.ok, beat.small ? 2.4 : 4, bad ? String(beat.code) : "");
    }
    case "stage":
      return lightStage(d, beat.stage, part, beat.ok, beat.why);
    case "store": {
      const up = [...wireOf(d.at, "etcd")].reverse();
      return dot(d, beat.back ? up.reverse() : up, ease(part), theme.etcd, 5, "");
    }
    case "raft":
      return raft(d, beat.message, part);
    case "call":
      return call(d, beat, part);
    case "inside":
      return inside(d, beat.from, beat.to, part);
  }
}

/** Only the component that acts now glows; routine work is a thin line. */
function glow(d: Drawing, beat: Extract<Beat, { kind: "act" }>, part: number): void {
  const { pen, at } = d;
  const { theme } = pen;
  const { actor, object } = beat;
  const alpha = part < 0.1 ? part * 10 : part > 0.85 ? (1 - part) / 0.15 : 1;
  for (const box of glowing(at, actor, object)) {
    if (beat.routine) pen.rect(box, { stroke: theme.accent, width: 1.4, alpha: alpha * 0.6, radius: Math.min(13, box.h / 2) });
    else halo(pen, box, actor === "fault" ? theme.bad : theme.accent, alpha);
  }
  if (beat.routine) return;
  if (at.chips.has(actor)) pen.rect(at.controllers, { stroke: theme.accent, width: 1.4, alpha: alpha * 0.6, radius: 12 });
  const touched = at.shelf.get(object) ?? at.services.get(object) ?? at.owners.get(object);
  if (touched) pen.rect({ x: touched.x - 2, y: touched.y - 2, w: touched.w + 4, h: touched.h + 4 }, { stroke: theme.accent, width: 1.6, alpha: alpha * 0.7, radius: 12 });
}

/** A fault glows where it strikes. */
function glowing(at: Layout, actor: string, object: string): Box[] {
  if (actor !== "fault") return actorBoxes(at, actor);
  const struck = at.nodes.get(nameOf(object))?.box ?? at.pods.get(`pods/${object}`)?.box;
  return struck ? [struck] : actorBoxes(at, object);
}

function halo(pen: Drawing["pen"], box: Box, color: string, alpha: number): void {
  const radius = Math.min(13, box.h / 2);
  for (const [grow, width, part] of [[6, 6, 0.1], [3, 4, 0.2], [0, 2.2, 1]] as const) {
    pen.rect({ x: box.x - grow, y: box.y - grow, w: box.w + 2 * grow, h: box.h + 2 * grow }, { stroke: color, width, alpha: alpha * part, radius: radius + grow });
  }
  pen.rect(box, { fill: color, fillAlpha: 0.1, alpha, radius });
}

function dot(d: Drawing, path: Point[], part: number, color: string, r: number, words: string): void {
  const { pen, at } = d;
  const head = along(path, part);
  for (let i = 5; i > 0; i--) {
    const tail = along(path, clamp(part - i * 0.035, 0, 1));
    pen.circle(tail, r * (1 - i * 0.13), { fill: color, fillAlpha: 0.12 });
  }
  pen.circle(head, r + 4, { fill: color, fillAlpha: 0.16 });
  pen.circle(head, r, { fill: color });
  if (!words) return;
  const w = pen.width(words, { size: 11, weight: 600 }) + 14;
  const left = head.x + w + 16 > at.width;
  const tag = { x: left ? head.x - w - 10 : head.x + 10, y: clamp(head.y - 9, 2, at.height), w, h: 18 };
  pen.rect(tag, { fill: pen.theme.panel, stroke: color, radius: 9, alpha: 0.96 });
  pen.text(words, tag.x + 7, tag.y + 13, { size: 11, weight: 600, color });
}

function lightStage({ pen, at }: Drawing, number: number, part: number, ok: boolean, why: string): void {
  const box = at.stages[number];
  if (!box) return;
  const color = ok ? (number === 5 ? pen.theme.etcd : pen.theme.ok) : pen.theme.bad;
  const alpha = part < 0.2 ? part * 5 : part > 0.9 ? (1 - part) * 10 : 1;
  pen.rect(box, { fill: color, fillAlpha: 0.34, stroke: color, width: 2, alpha, radius: 7 });
  if (ok || !why) return;
  const words = pen.fit(why, { size: 11.5, max: 420 });
  const w = pen.width(words, { size: 11.5 }) + 18;
  const tag = { x: clamp(box.x + box.w / 2 - w / 2, 8, at.width - w - 8), y: at.bus.y + at.bus.h + 6, w, h: 22 };
  pen.rect(tag, { fill: pen.theme.panel, stroke: pen.theme.bad, radius: 8, alpha });
  pen.text(words, tag.x + 9, tag.y + 15, { size: 11.5, color: pen.theme.bad, alpha });
}

function raft(d: Drawing, message: [string, string, string, string], part: number): void {
  const from = d.at.members.get(message[1]), to = d.at.members.get(message[2]);
  if (!from || !to) return;
  const a = center(from), b = center(to);
  // Members stand in a row, so messages that pass over one bow upwards.
  const far = Math.abs(a.x - b.x) > from.w * 2.2;
  const lift = far ? -from.h * 0.75 : 0;
  const point = { x: a.x + (b.x - a.x) * ease(part), y: a.y + (b.y - a.y) * ease(part) + lift * Math.sin(Math.PI * part) };
  const { theme } = d.pen;
  const votes = /Vote/.test(message[0]);
  d.pen.circle(point, 7, { fill: votes ? theme.warn : theme.etcd, fillAlpha: 0.25 });
  d.pen.circle(point, 4, { fill: votes ? theme.warn : theme.etcd });
  if (d.at.lens === "etcd") d.pen.text(message[0], point.x, point.y - 10, { size: 10.5, weight: 600, align: "center", color: votes ? theme.warn : theme.etcd });
}

/** From the API server's bar straight to the pod and back; where no pod was reached, a stub that ends in a cross. */
function call(d: Drawing, beat: Extract<Beat, { kind: "call" }>, part: number): void {
  const { pen, at } = d, { theme } = pen, { bus } = at;
  const color = beat.ok ? theme.accent : theme.bad;
  const box = at.pods.get(beat.pod)?.box;
  const to = box ? center(box) : { x: bus.x + bus.w / 2, y: bus.y + bus.h + 34 };
  const from = { x: clamp(to.x, bus.x + 8, bus.x + bus.w - 8), y: to.y < bus.y ? bus.y : bus.y + bus.h };
  const out = ease(part < 0.5 ? part * 2 : (1 - part) * 2);
  const here = { x: from.x + (to.x - from.x) * out, y: from.y + (to.y - from.y) * out };
  pen.line([from, to], { stroke: color, width: 1.6, dash: [5, 4], alpha: 0.7 });
  pen.circle(here, 4.6, { fill: color });
  if (!beat.ok && part > 0.5) for (const way of [1, -1]) pen.line([{ x: to.x - 5, y: to.y - 5 * way }, { x: to.x + 5, y: to.y + 5 * way }], { stroke: theme.bad, width: 2.2 });
  pen.text(beat.name, here.x, here.y - 10, { size: 10.5, weight: 600, align: "center", color });
}

function inside(d: Drawing, from: string, to: string, part: number): void {
  const boxOf = (id: string): Box | null => d.at.pods.get(id)?.box ?? (id.includes("/") && !id.startsWith("pods/") ? actorBox(d.at, id) : null);
  const a = boxOf(from), b = boxOf(to);
  if (!a || !b) return;
  const p = center(a), q = center(b);
  const e = ease(part);
  d.pen.line([p, { x: p.x + (q.x - p.x) * e, y: p.y + (q.y - p.y) * e }], { stroke: d.pen.theme.accent, width: 1.6, dash: [2, 4], alpha: 0.7 });
  d.pen.circle({ x: p.x + (q.x - p.x) * e, y: p.y + (q.y - p.y) * e }, 3.4, { fill: d.pen.theme.accent });
}

/** A ring that spreads once from something that has just changed. */
export function drawRing(d: Drawing, box: Box, part: number, color: string): void {
  const grow = 8 * easeOut(part);
  d.pen.rect({ x: box.x - grow, y: box.y - grow, w: box.w + 2 * grow, h: box.h + 2 * grow }, { stroke: color, width: 2, alpha: 1 - part, radius: 10 + grow });
}

export const actorTitle = (actor: string): string => (actor.includes("/") ? `${actor.slice(0, actor.indexOf("/"))} · ${nameOf(actor)}` : actor);
