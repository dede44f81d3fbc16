// The ownership lens: who made whom, in columns from owner to owned. Rows are as tall as the leaves beneath them.
import type { ClusterIndex } from "../lab/index";
import { isSystem } from "../lab/index";
import { rootWorkloads, shownServices } from "./layout";
import type { Box, Point } from "./geometry";
import type { PodBox } from "./layoutNodes";

export interface OwnerLink {
  from: string;
  to: string;
  points: Point[];
  /** A selector, not an owner. */
  dashed?: boolean;
}

export interface Owners {
  boxes: Map<string, Box>;
  pods: Map<string, PodBox>;
  links: OwnerLink[];
  /** What selects pods. */
  services: Map<string, Box>;
  bottom: number;
}

const COLUMN = 190;
const CARD = 44;
const PHONE_W = 520;
const POD = { w: 96, h: 34, gap: 6 };

export function layoutOwners(index: ClusterIndex, area: Box): Owners {
  const made: Owners = { boxes: new Map(), pods: new Map(), links: [], services: new Map(), bottom: area.y };
  const whole = area;
  const selecting = area.w > 760 ? shownServices(index).filter((key) => selects(index, key).size) : [];
  if (selecting.length) area = { ...area, w: area.w - SERVICE_W - 34 };
  const column = Math.min(COLUMN, (area.w - 40) / 3.2);
  let y = area.y;
  for (const [key] of rootWorkloads(index)) y = branch(index, key, area, column, 0, y, made) + 14;
  const alone = [...index.pods].filter(([, pod]) => !isSystem(pod) && (!pod.owner || !index.workloads.has(pod.owner))).map(([key]) => key);
  if (alone.length) y = leaves(index, "", alone, area, area.x, y, made) + 14;
  made.bottom = y;
  placeServices(index, selecting, whole, made);
  return made;
}

const SERVICE_W = 176;
const SERVICE_H = 54;

/** The pods that a service selects. */
function selects(index: ClusterIndex, key: string): Set<string> {
  const service = index.services.get(key);
  const wanted = Object.entries(service?.selector ?? {});
  const found = new Set<string>();
  if (!service || !wanted.length) return found;
  for (const [pod, view] of index.pods) if (view.namespace === service.namespace && wanted.every(([name, value]) => view.labels[name] === value)) found.add(pod);
  return found;
}

/** Services stand at the right, beside the first row of what they select; their dashed lines are selectors. */
function placeServices(index: ClusterIndex, keys: string[], area: Box, made: Owners): void {
  const places = keys.map((key) => ({ key, pods: [...selects(index, key)].flatMap((pod) => made.pods.get(pod) ?? []) })).filter(({ pods }) => pods.length)
    .map((one) => ({ ...one, y: Math.min(...one.pods.map((pod) => pod.box.y)) })).sort((a, b) => a.y - b.y);
  let free = area.y;
  for (const { key, pods, y } of places) {
    const box = { x: area.x + area.w - SERVICE_W, y: Math.max(free, y - 8), w: SERVICE_W, h: SERVICE_H };
    free = box.y + SERVICE_H + 10;
    made.services.set(key, box);
    made.bottom = Math.max(made.bottom, free);
    const rows = new Map<number, Box>();
    for (const { box: pod } of pods) if ((rows.get(pod.y)?.x ?? -1) < pod.x) rows.set(pod.y, pod);
    for (const last of rows.values()) {
      const start = { x: box.x, y: box.y + SERVICE_H / 2 }, end = { x: last.x + last.w, y: last.y + last.h / 2 };
      made.links.push({ from: key, to: "", dashed: true, points: [start, { x: start.x - 14, y: start.y }, { x: start.x - 14, y: end.y }, end] });
    }
  }
}

const INDENT = 18;

/** On a phone what is owned stands under its owner, set in a little. */
function indented(index: ClusterIndex, key: string, area: Box, depth: number, y: number, made: Owners): number {
  const box = { x: area.x + depth * INDENT, y, w: area.w - depth * INDENT, h: CARD };
  made.boxes.set(key, box);
  const inside = { x: box.x + INDENT, w: box.w - INDENT };
  let bottom = y + CARD;
  const drop = (to: string, at: Box): void => void made.links.push({ from: key, to, points: [{ x: box.x + 8, y: box.y + CARD }, { x: box.x + 8, y: at.y + at.h / 2 }, { x: at.x, y: at.y + at.h / 2 }] });
  const children = [...(index.childrenOf.get(key) ?? [])];
  for (const child of children.filter((one) => index.workloads.has(one))) {
    const top = bottom + 8;
    bottom = indented(index, child, area, depth + 1, top, made);
    drop(child, made.boxes.get(child)!);
  }
  const pods = children.filter((one) => index.pods.has(one));
  if (!pods.length) return bottom;
  const top = bottom + 8;
  bottom = leaves(index, key, pods, { ...area, x: inside.x, w: inside.w }, inside.x, top, made);
  drop(pods[0]!, made.pods.get(pods[0]!)!.box);
  return bottom;
}

/** Lays out a workload and what it owns from `y` down; returns the bottom. */
function branch(index: ClusterIndex, key: string, area: Box, column: number, depth: number, y: number, made: Owners): number {
  if (area.w < PHONE_W) return indented(index, key, area, depth, y, made);
  const x = area.x + depth * (column + 46);
  const children = [...(index.childrenOf.get(key) ?? [])];
  const workloads = children.filter((child) => index.workloads.has(child));
  const pods = children.filter((child) => index.pods.has(child));
  let bottom = y;
  for (const child of workloads) bottom = branch(index, child, area, column, depth + 1, bottom, made) + 10;
  if (workloads.length) bottom -= 10;
  if (pods.length) {
    const one = pods.length * (POD.w + POD.gap) - POD.gap <= area.x + area.w - x - column - 46;
    bottom = leaves(index, key, pods, area, x + column + 46, bottom + (one ? (CARD - POD.h) / 2 : 0), made);
  }
  bottom = Math.max(bottom, y + CARD);
  const box = { x, y: y + (bottom - y - CARD) / 2, w: column, h: CARD };
  made.boxes.set(key, box);
  for (const child of workloads) link(key, child, box, made.boxes.get(child)!, made);
  for (const child of pods) link(key, child, box, made.pods.get(child)!.box, made);
  return bottom;
}

function leaves(index: ClusterIndex, _owner: string, keys: string[], area: Box, x: number, y: number, made: Owners): number {
  const across = Math.max(1, Math.floor((area.x + area.w - x + POD.gap) / (POD.w + POD.gap)));
  keys.forEach((key, i) => {
    const box = { x: x + (i % across) * (POD.w + POD.gap), y: y + Math.floor(i / across) * (POD.h + POD.gap), w: POD.w, h: POD.h };
    made.pods.set(key, { box, detail: "mini", node: index.pods.get(key)?.node ?? "" });
  });
  return y + Math.ceil(keys.length / across) * (POD.h + POD.gap) - POD.gap;
}

function link(from: string, to: string, a: Box, b: Box, made: Owners): void {
  const start = { x: a.x + a.w, y: a.y + a.h / 2 }, end = { x: b.x, y: b.y + b.h / 2 };
  made.links.push({ from, to, points: [start, { x: start.x + 22, y: start.y }, { x: start.x + 22, y: end.y }, end] });
}
