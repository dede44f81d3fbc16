// What the step on the stage has left behind while nothing moves: who acted, what was asked, how far the request came, what changed.
// So that a picture that stands still says as much as one that moves.
import { t } from "../i18n/t";
import type { Frame, Span } from "../stream/types";
import { nameOf } from "../stream/views";
import { actorBox, actorBoxes, wireOf } from "./actors";
import { isWrite } from "./choreography";
import type { Drawing } from "./drawing";
import { along, clamp, type Box, type Point } from "./geometry";
import type { Layout } from "./layout";
import { STAGES } from "./layoutControl";
import { requestTitle } from "./travel";

const MOST_RINGS = 40;

/** The request that a step is about: its first write that is no event and no lease, else one that was refused. */
export const mainRequest = (frame: Frame): Span | undefined =>
  frame.requests.find((span) => isWrite(span.verb) && !/^(events|leases)(\/|\.|$)/.test(span.object)) ?? frame.requests.find((span) => span.code >= 400);

export const askerOf = (frame: Frame): string => (frame.actor === "kube-apiserver" ? "kubectl" : frame.actor);

export function drawHeld(d: Drawing, frame: Frame): void {
  const { pen, at } = d;
  const { theme } = pen;
  const asker = askerOf(frame);
  const fault = frame.actor === "fault";
  const struck = fault ? (at.nodes.get(nameOf(frame.object))?.box ?? at.pods.get(`pods/${frame.object}`)?.box) : undefined;
  for (const box of struck ? [struck] : actorBoxes(at, fault ? frame.object : asker).slice(0, MOST_RINGS)) glow(d, box, fault ? theme.bad : theme.accent);
  if (at.chips.has(asker)) pen.rect(at.controllers, { stroke: theme.accent, width: 1.3, alpha: 0.55, radius: 12 });
  rings(d, frame);
  const span = mainRequest(frame);
  if (!span) return;
  const refused = span.code >= 400;
  const color = refused ? theme.bad : theme.accent;
  const path = wireOf(at, asker);
  for (const piece of beneath(path, [...at.shelf.values()])) pen.line(piece, { stroke: color, width: 2.6, alpha: 0.9 });
  const end = path.at(-1)!;
  pen.circle(end, 4.4, { fill: color });
  if (!refused && span.revision) pen.line(wireOf(at, "etcd"), { stroke: theme.etcd, width: 2.4 });
  stages(d, span);
  if (at.door.size && (at.narrow || actorBox(at, asker) === at.kubectl)) return; // there those wait that are held
  const alike = refused ? 1 : frame.requests.filter((one) => requestTitle(one.verb, one.object) === requestTitle(span.verb, span.object)).length;
  const tag = label(d, `${requestTitle(span.verb, span.object)}${alike > 1 ? ` × ${alike}` : ""}${refused ? ` → ${span.code}` : ""}`, labelSpot(at, path), color);
  // On a phone there is no room beside the bar: the sentence below the stage tells it.
  if (refused && !at.narrow) reason(d, span, tag);
}

/** The pieces of a wire that are seen where it passes beneath cards. */
export function beneath(path: Point[], cards: Box[]): Point[][] {
  const pieces: Point[][] = [[path[0]!]];
  path.slice(1).forEach((to, i) => {
    const from = path[i]!;
    const crossed = from.x === to.x ? cards.filter((card) => card.x < to.x && to.x < card.x + card.w && Math.min(from.y, to.y) < card.y && card.y + card.h < Math.max(from.y, to.y)) : [];
    const up = to.y < from.y;
    for (const card of crossed.sort((a, b) => (up ? b.y - a.y : a.y - b.y))) {
      pieces.at(-1)!.push({ x: to.x, y: up ? card.y + card.h : card.y });
      pieces.push([{ x: to.x, y: up ? card.y : card.y + card.h }]);
    }
    pieces.at(-1)!.push(to);
  });
  return pieces;
}

function glow({ pen }: Drawing, box: Box, color: string): void {
  const radius = Math.min(13, box.h / 2);
  for (const [grow, width, alpha] of [[7, 7, 0.08], [4, 5, 0.17], [0, 2.2, 1]] as const) {
    pen.rect({ x: box.x - grow, y: box.y - grow, w: box.w + 2 * grow, h: box.h + 2 * grow }, { stroke: color, width, alpha, radius: radius + grow });
  }
}

const boxOfObject = (at: Layout, key: string): Box | undefined =>
  at.pods.get(key)?.box ?? at.shelf.get(key) ?? at.owners.get(key) ?? at.services.get(key) ?? at.board?.boxes.get(key) ?? (key.startsWith("nodes/") ? at.nodes.get(nameOf(key))?.box : undefined);

/** What is otherwise in the lab beside this one. */
export function drawDiffering({ pen, at }: Drawing, keys: Set<string>): void {
  for (const key of keys) {
    const box = boxOfObject(at, key);
    if (box) pen.rect({ x: box.x - 3, y: box.y - 3, w: box.w + 6, h: box.h + 6 }, { stroke: pen.theme.warn, width: 2.4, dash: [6, 3], radius: Math.min(13, box.h / 2) });
  }
}

/** Rings round what the step wrote. */
function rings({ pen, at }: Drawing, frame: Frame): void {
  const boxOf = (key: string): Box | undefined => boxOfObject(at, key);
  let left = MOST_RINGS;
  for (const { key } of frame.changes) {
    const box = boxOf(key);
    if (!box || !left--) continue;
    if (box.w < 12) pen.rect(box, { stroke: pen.theme.accent, width: 1.6 });
    else pen.rect({ x: box.x - 3, y: box.y - 3, w: box.w + 6, h: box.h + 6 }, { stroke: pen.theme.accent, width: 1.8, alpha: 0.75, radius: Math.min(13, box.h / 2) });
  }
}

/** The stages that the request has passed are tinted; the one that refused it is red. */
function stages({ pen, at }: Drawing, span: Span): void {
  const { theme } = pen;
  for (const stage of span.stages) {
    const number = STAGES.indexOf(stage.name);
    const box = at.stages[number];
    if (!box) continue;
    const bad = /^(refused|denied|rejected|invalid|failed|conflict)/.test(stage.decision);
    const color = bad ? theme.bad : number === STAGES.indexOf("storage") ? theme.etcd : theme.ok;
    pen.rect(box, { fill: color, fillAlpha: 0.2, stroke: color, width: bad ? 2.2 : 1.4, radius: 7 });
  }
  const watch = at.stages[STAGES.indexOf("watch")];
  if (watch && span.watchers && span.code < 400) pen.rect(watch, { fill: theme.ok, fillAlpha: 0.2, stroke: theme.ok, width: 1.4, radius: 7 });
}

/** Beside the wire where it meets the bar: there nothing else stands. */
function labelSpot(at: Layout, path: Point[]): Point {
  const end = path.at(-1)!;
  if (!at.narrow && path[0]!.y > at.bus.y) return { x: path[0]!.x, y: path[0]!.y - 17 };
  if (at.narrow && path.length > 2) return { x: end.x, y: at.bus.y - 13 };
  return path.length > 2 && path[0]!.y < at.bus.y ? { x: end.x, y: end.y - 16 } : along(path, 0.5);
}

function label({ pen, at }: Drawing, words: string, near: { x: number; y: number }, color: string): Box {
  const style = { size: 11.4, weight: 650 };
  const w = pen.width(words, style) + 16;
  const x = near.x + w + 14 > at.width ? near.x - w - 9 : near.x + 9;
  const tag = { x: clamp(x, 2, at.width - w - 2), y: near.y - 10, w, h: 20 };
  const waiting = [...at.door.values()].map((packet) => packet.box).filter((box) => overlap(box, tag));
  if (waiting.length) tag.x = Math.max(...waiting.map((box) => box.x + box.w)) + 8;
  pen.rect(tag, { fill: pen.theme.panel, stroke: color, width: 1.3, radius: 10 });
  pen.text(words, tag.x + 8, tag.y + 14, { ...style, color });
  return tag;
}

const overlap = (a: Box, b: Box): boolean => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;

/** Why a request was refused, above the stage that refused it, beside what is told of the request; below the bar where that leaves no room. */
function reason({ pen, at }: Drawing, span: Span, beside: Box): void {
  const box = at.stages[Math.max(0, STAGES.indexOf(span.stages.at(-1)?.name ?? ""))] ?? at.bus;
  const right = Math.max(at.bus.x, ...[beside, ...[...at.door.values()].map((packet) => packet.box)].filter((one) => one.y < at.bus.y && one.x < box.x + box.w).map((one) => one.x + one.w + 10));
  const said = at.lens === "control-plane" ? pen.width(t("lists and watches, writes"), { size: 11 }) + 14 : 0; // stands at the end of the bar
  const left = Math.min(at.bus.x + at.bus.w - said, ...(beside.y < at.bus.y && beside.x >= box.x + box.w ? [beside.x - 10] : []));
  const above = left - right > 220;
  const words = pen.fit(span.message, { size: 11.5, max: Math.min(560, (above ? left - right : at.width) - 22) });
  if (!words) return;
  const w = pen.width(words, { size: 11.5 }) + 18;
  const x = box.x + box.w / 2 - w / 2;
  const tag = above ? { x: clamp(x, right, left - w), y: at.bus.y - 25, w, h: 22 } : { x: clamp(x, 8, at.width - w - 8), y: at.bus.y + at.bus.h + 5, w, h: 22 };
  pen.rect(tag, { fill: pen.theme.panel, stroke: pen.theme.bad, radius: 8 });
  pen.text(words, tag.x + 9, tag.y + 15, { size: 11.5, color: pen.theme.bad });
}
