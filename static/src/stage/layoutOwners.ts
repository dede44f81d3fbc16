// The ownership lens: who made whom, in columns from owner to owned. Rows are as tall as the leaves beneath them.
import type { ClusterIndex } from "../lab/index";
import { isSystem } from "../lab/index";
import { rootWorkloads } from "./layout";
import type { Box, Point } from "./geometry";
import type { PodBox } from "./layoutNodes";

export interface OwnerLink {
  from: string;
  to: string;
  points: Point[];
}

export interface Owners {
  boxes: Map<string, Box>;
  pods: Map<string, PodBox>;
  links: OwnerLink[];
  bottom: number;
}

const COLUMN = 190;
const CARD = 44;
const POD = { w: 96, h: 34, gap: 6 };

export function layoutOwners(index: ClusterIndex, area: Box): Owners {
  const made: Owners = { boxes: new Map(), pods: new Map(), links: [], bottom: area.y };
  const column = Math.min(COLUMN, (area.w - 40) / 3.2);
  let y = area.y;
  for (const [key] of rootWorkloads(index)) y = branch(index, key, area, column, 0, y, made) + 14;
  const alone = [...index.pods].filter(([, pod]) => !isSystem(pod) && (!pod.owner || !index.workloads.has(pod.owner))).map(([key]) => key);
  if (alone.length) y = leaves(index, "", alone, area, area.x, y, made) + 14;
  made.bottom = y;
  return made;
}

/** Lays out a workload and what it owns from `y` down; returns the bottom. */
function branch(index: ClusterIndex, key: string, area: Box, column: number, depth: number, y: number, made: Owners): number {
  const x = area.x + depth * (column + 46);
  const children = [...(index.childrenOf.get(key) ?? [])];
  const workloads = children.filter((child) => index.workloads.has(child));
  const pods = children.filter((child) => index.pods.has(child));
  let bottom = y;
  for (const child of workloads) bottom = branch(index, child, area, column, depth + 1, bottom, made) + 10;
  if (workloads.length) bottom -= 10;
  if (pods.length) bottom = leaves(index, key, pods, area, x + column + 46, bottom, made);
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
