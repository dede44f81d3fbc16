// Where the nodes and their pods are, and how much of them is drawn: cards, then squares, then dots, as room gets scarce.
import type { ClusterIndex } from "../lab/index";
import { isControlPlane, isSystem } from "../lab/index";
import { taintsOf } from "./countdown";
import type { Box } from "./geometry";

export type NodeDetail = "full" | "compact" | "cell";
export type PodDetail = "card" | "mini" | "token" | "square" | "dot";

export interface NodeBox {
  box: Box;
  detail: NodeDetail;
  kubelet: Box | null;
  proxy: Box | null;
  runtime: Box | null;
  /** Where its wire runs down beside the cards above; null where nothing is above. */
  railX: number | null;
  /** Where its taints are told. */
  taints?: Box;
  hidden: number;
}

export interface PodBox {
  box: Box;
  detail: PodDetail;
  node: string;
}

/** Remembers which place each pod of a group has, so that pods that stay do not move when another goes. */
export class Slots {
  private readonly groups = new Map<string, Map<string, number>>();

  /** Places for the keys of a group: the old ones keep theirs, new ones take the first that is free. */
  assign(group: string, keys: Iterable<string>, room: number): Map<string, number> {
    const before = this.groups.get(group);
    const after = new Map<string, number>();
    const taken = new Set<number>();
    const fresh: string[] = [];
    for (const key of keys) {
      const slot = before?.get(key);
      if (slot === undefined || slot >= room) fresh.push(key);
      else {
        after.set(key, slot);
        taken.add(slot);
      }
    }
    let next = 0;
    for (const key of fresh) {
      while (taken.has(next)) next++;
      after.set(key, next++);
    }
    this.groups.set(group, after);
    return after;
  }
}

interface PodGrid {
  detail: PodDetail;
  leastW: number;
  mostW: number;
  h: number;
  gap: number;
}

const POD_GRIDS: PodGrid[] = [
  { detail: "card", leastW: 108, mostW: 168, h: 82, gap: 8 },
  { detail: "card", leastW: 100, mostW: 160, h: 64, gap: 6 },
  { detail: "card", leastW: 79, mostW: 140, h: 62, gap: 6 },
  { detail: "mini", leastW: 72, mostW: 110, h: 38, gap: 5 },
  { detail: "mini", leastW: 52, mostW: 90, h: 32, gap: 5 },
  { detail: "square", leastW: 16, mostW: 16, h: 16, gap: 4 },
  { detail: "square", leastW: 10, mostW: 10, h: 10, gap: 2 },
  { detail: "square", leastW: 8, mostW: 8, h: 8, gap: 2 },
  { detail: "dot", leastW: 6, mostW: 6, h: 6, gap: 1 },
  { detail: "dot", leastW: 3, mostW: 3, h: 3, gap: 1 },
];

const acrossOf = (grid: PodGrid, w: number): number => Math.max(1, Math.floor((w + grid.gap) / (grid.leastW + grid.gap)));
const roomOf = (grid: PodGrid, area: Box): number => acrossOf(grid, area.w) * Math.max(0, Math.floor((area.h + grid.gap) / (grid.h + grid.gap)));

/** The most detailed way to draw that many pods in an area; the last one if none fits. */
export function podGrid(area: Box, most: number, from = 0): PodGrid {
  const grids = POD_GRIDS.slice(from);
  return grids.find((grid) => grid.leastW <= area.w && roomOf(grid, area) >= most) ?? grids.at(-1)!;
}

interface Grid {
  detail: NodeDetail;
  cols: number;
  rows: number;
  w: number;
  h: number;
  gapX: number;
  gapY: number;
}

const FULL = { w: 150, h: 130 };
const COMPACT = { w: 54, h: 30 };

/** How many columns, and how much of a node is drawn. */
export function nodeGrid(count: number, area: Box, narrow: boolean): Grid {
  const gapX = narrow ? 8 : 14, gapY = 26;
  const across = Math.max(1, Math.floor((area.w + gapX) / (FULL.w + gapX)));
  const rows = Math.ceil(count / across);
  const fullH = (area.h - gapY * (rows - 1)) / rows;
  if (fullH >= FULL.h + 16 || count <= (narrow ? 8 : 12)) {
    const cols = Math.ceil(count / rows);
    return { detail: "full", cols, rows, w: (area.w - gapX * (cols - 1)) / cols, h: Math.min(330, Math.max(FULL.h, fullH)), gapX, gapY };
  }
  const small = tightGrid(count, area, 6, 1.4);
  if (small.w >= COMPACT.w && small.h >= COMPACT.h) return { ...small, detail: "compact" };
  return { ...tightGrid(count, area, 2, 1.15), detail: "cell" };
}

function tightGrid(count: number, area: Box, gap: number, shape: number): Omit<Grid, "detail"> {
  const ideal = Math.sqrt((count * area.w) / (area.h * shape));
  const cols = Math.max(1, Math.min(count, Math.round(ideal)));
  const rows = Math.ceil(count / cols);
  return { cols, rows, w: (area.w - gap * (cols - 1)) / cols, h: Math.min(90, (area.h - gap * (rows - 1)) / rows), gapX: gap, gapY: gap };
}

function nodeBoxes(names: string[], index: ClusterIndex, area: Box, grid: Grid): Map<string, NodeBox> {
  const boxes = new Map<string, NodeBox>();
  const control = names.filter((name) => isControlPlane(index.nodes.get(name)!)).length;
  const slim = grid.detail === "full" && grid.rows === 1 && control < names.length ? control : 0;
  const unit = slim ? (area.w - grid.gapX * (names.length - 1)) / (names.length - slim * 0.28) : grid.w;
  let x = area.x;
  names.forEach((name, i) => {
    const column = i % grid.cols, line = Math.floor(i / grid.cols);
    if (column === 0) x = area.x;
    const w = slim && i < slim ? unit * 0.72 : slim ? unit : grid.w;
    const box = { x, y: area.y + line * (grid.h + grid.gapY), w, h: grid.h };
    x += w + grid.gapX;
    boxes.set(name, grid.detail === "full" ? fullNode(box, line, grid) : { box, detail: grid.detail, kubelet: null, proxy: null, runtime: null, railX: null, hidden: 0 });
  });
  return boxes;
}

function fullNode(box: Box, line: number, grid: Grid): NodeBox {
  const plug = Math.min(74, (box.w - 26) / 2);
  return {
    box, detail: "full", hidden: 0,
    kubelet: { x: box.x + 10, y: box.y - 11, w: plug, h: 22 },
    proxy: { x: box.x + 16 + plug, y: box.y - 11, w: plug, h: 22 },
    runtime: { x: box.x + 8, y: box.y + box.h - 26, w: box.w - 16, h: 20 },
    railX: line === 0 ? null : box.x - grid.gapX / 2,
  };
}

/** With room for it, processor and memory have a line each with figures. */
export const hasFigures = (box: Box): boolean => box.h >= 188 && box.w >= 130;
const headerOf = (box: Box): number => (hasFigures(box) ? 80 : 60);
const FLOOR = 30;
const SYSTEM = 18;

export interface Workers {
  nodes: Map<string, NodeBox>;
  pods: Map<string, PodBox>;
  bottom: number;
  podDetail: PodDetail;
}

export function layoutNodes(index: ClusterIndex, area: Box, narrow: boolean, slots: Slots): Workers {
  const names = index.nodeNames;
  if (narrow && names.length <= MOST_ON_PHONE) return stackNodes(index, [...names.filter((name) => !isControlPlane(index.nodes.get(name)!)), ...names.filter((name) => isControlPlane(index.nodes.get(name)!))], area, slots);
  const grid = nodeGrid(Math.max(1, names.length), area, narrow);
  const nodes = nodeBoxes(names, index, area, grid);
  const pods = new Map<string, PodBox>();
  const split = new Map(names.map((name) => [name, splitPods(index, name)]));
  const anySystem = grid.detail === "full" && [...split.values()].some((part) => part.system.length);
  if (grid.detail === "full") for (const [name, node] of nodes) makeRoomForTaints(index, name, node);
  const inner = (box: Box, name: string): Box => belowTaints(podArea(box, grid.detail, anySystem ? split.get(name)!.system.length : 0), nodes.get(name)!);
  const from = grid.detail === "full" ? 0 : grid.detail === "compact" ? 6 : 8;
  const whole = names.filter((name) => !nodes.get(name)!.taints && split.get(name)!.own.length);
  const counted = whole.length ? whole : names;
  const most = Math.max(1, ...counted.map((name) => split.get(name)!.own.length));
  const fullest = counted.find((name) => split.get(name)!.own.length === most) ?? names.at(-1);
  const style = fullest ? podGrid(inner(nodes.get(fullest)!.box, fullest), most, from) : POD_GRIDS[0]!;
  // All pods are drawn alike, but where taints take some of a node's room.
  const styleOf = (name: string, own: number): PodGrid => (nodes.get(name)!.taints && roomOf(style, inner(nodes.get(name)!.box, name)) < own ? podGrid(inner(nodes.get(name)!.box, name), own, from) : style);
  for (const [name, node] of nodes) {
    const { own, system } = split.get(name)!;
    node.hidden = place(own, inner(node.box, name), styleOf(name, own.length), name, slots, pods);
    if (anySystem && system.length) place(system, systemArea(node, system.length), SYSTEM_GRID, name + "/system", slots, pods, name);
  }
  return { nodes, pods, podDetail: style.detail, bottom: area.y + grid.rows * grid.h + (grid.rows - 1) * grid.gapY };
}

const TAINT_H = 19;

function makeRoomForTaints(index: ClusterIndex, name: string, node: NodeBox): void {
  const { box } = node;
  if (box.h >= 118 && taintsOf(index.nodes.get(name)).length) node.taints = { x: box.x + 12, y: box.y + headerOf(box) - 7, w: box.w - 24, h: TAINT_H - 3 };
}

const belowTaints = (area: Box, node: NodeBox): Box => (node.taints ? { ...area, y: area.y + TAINT_H, h: area.h - TAINT_H } : area);

const MOST_ON_PHONE = 12;

/** On a phone nodes stand under one another in full width, each as tall as its pods ask. */
function stackNodes(index: ClusterIndex, names: string[], area: Box, slots: Slots): Workers {
  const nodes = new Map<string, NodeBox>();
  const pods = new Map<string, PodBox>();
  const probed = names.some((name) => [...index.podsOn(name)].some((key) => index.pods.get(key)?.containers?.some((one) => one.probes)));
  const style = probed ? { ...POD_GRIDS[0]!, leastW: POD_GRIDS[1]!.leastW, gap: POD_GRIDS[1]!.gap } : POD_GRIDS[1]!;
  const across = acrossOf(style, area.w - 20);
  let y = area.y;
  names.forEach((name, line) => {
    const { own, system } = splitPods(index, name);
    const rows = Math.min(4, Math.ceil(own.length / across));
    const told = taintsOf(index.nodes.get(name)).length ? TAINT_H : 0;
    const h = Math.max(116, 84 + rows * (style.h + style.gap) + FLOOR + (system.length > FEW && rows ? SYSTEM : 0)) + told;
    const node = fullNode({ x: area.x, y, w: area.w, h }, line, { detail: "full", cols: 1, rows: names.length, w: area.w, h, gapX: 10, gapY: 26 });
    nodes.set(name, node);
    makeRoomForTaints(index, name, node);
    node.hidden = place(own, { x: area.x + 10, y: y + headerOf(node.box) + told, w: area.w - 20, h: rows * (style.h + style.gap) }, style, name, slots, pods);
    if (system.length) place(system, systemArea(node, system.length), SYSTEM_GRID, name + "/system", slots, pods, name);
    y += h + 26;
  });
  return { nodes, pods, podDetail: style.detail, bottom: y - 26 };
}

const SYSTEM_GRID: PodGrid = { detail: "square", leastW: 11, mostW: 11, h: 11, gap: 3 };

/** A low card has no row of its own for the system's pods: they stand beside the runtime, as a few do everywhere. */
const isBeside = (box: Box, count: number): boolean => box.h < 156 || count <= FEW;
const FEW = 3;
const MOST_BESIDE = 5;

function systemArea(node: NodeBox, count: number): Box {
  const { box } = node;
  if (!isBeside(box, count)) return { x: box.x + 12, y: box.y + box.h - FLOOR - SYSTEM + 2, w: box.w - 24, h: 12 };
  const w = Math.min(count, MOST_BESIDE) * 14;
  if (node.runtime && w) node.runtime = { ...node.runtime, w: node.runtime.w - w - 4 };
  return { x: box.x + box.w - 6 - w, y: box.y + box.h - 21, w, h: 12 };
}

function podArea(box: Box, detail: NodeDetail, count: number): Box {
  const system = !isBeside(box, count);
  if (detail === "full") return { x: box.x + 10, y: box.y + headerOf(box), w: box.w - 20, h: box.h - headerOf(box) - FLOOR - (system ? SYSTEM : 0) };
  if (detail === "compact") return { x: box.x + 5, y: box.y + 20, w: box.w - 10, h: box.h - 23 };
  return { x: box.x + 2, y: box.y + 2, w: box.w - 4, h: box.h - 5 };
}

function splitPods(index: ClusterIndex, node: string): { own: string[]; system: string[] } {
  const own: string[] = [], system: string[] = [];
  for (const key of index.podsOn(node)) (isSystem(index.pods.get(key)!) ? system : own).push(key);
  return { own, system };
}

/** Puts pods in a grid; returns how many found no place. */
function place(keys: string[], area: Box, grid: PodGrid, group: string, slots: Slots, into: Map<string, PodBox>, node = group): number {
  const across = acrossOf(grid, area.w);
  const room = Math.max(1, roomOf(grid, area));
  const w = Math.min(grid.mostW, (area.w - grid.gap * (across - 1)) / across);
  let hidden = 0;
  for (const [key, slot] of slots.assign(group, keys, room)) {
    if (slot >= room) {
      hidden++;
      continue;
    }
    const box = { x: area.x + (slot % across) * (w + grid.gap), y: area.y + Math.floor(slot / across) * (grid.h + grid.gap), w, h: grid.h };
    into.set(key, { box, detail: grid.detail, node });
  }
  return hidden;
}
