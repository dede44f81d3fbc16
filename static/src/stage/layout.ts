// Where everything is: cluster + size + lens -> boxes. Pure; the only memory is `Slots`, which keeps a pod where it was.
// One module each for what sits where: layoutControl.ts the control plane, layoutNodes.ts the nodes, layoutOwners.ts the graph.
import type { ClusterIndex } from "../lab/index";
import { isSystem } from "../lab/index";
import type { Components } from "../stream/types";
import type { WorkloadView } from "../stream/views";
import { boardOf, isBoard, NO_EXTRAS, placeBoard, type BoardExtras, type PlacedBoard } from "./board";
import type { Packet } from "./door";
import { natural, type Box } from "./geometry";
import { busBoxes, chipBoxes, chipLines, controllerNames, controlPlane, isLowest, isShort, isSlim, isTight, MARGIN, memberBoxes, share } from "./layoutControl";
import { layoutNodes, type NodeBox, type PodBox, type PodDetail, type Slots } from "./layoutNodes";
import { layoutOwners, type OwnerCard, type OwnerLink } from "./layoutOwners";

export type Lens = "workloads" | "control-plane" | "scheduling" | "etcd" | "ownership" | "traffic" | "storage" | "node" | "access";
export type { NodeBox, PodBox, Slots };

export interface Size {
  width: number;
  height: number;
}

export interface Label {
  text: string;
  x: number;
  y: number;
}

export interface Layout {
  width: number;
  height: number;
  lens: Lens;
  narrow: boolean;
  kubectl: Box;
  etcd: Box;
  members: Map<string, Box>;
  controllers: Box;
  chips: Map<string, Box>;
  hiddenControllers: string[];
  scheduler: Box;
  queue: Box;
  scores: Box;
  bus: Box;
  stages: Box[];
  shelf: Map<string, Box>;
  hiddenWorkloads: number;
  nodes: Map<string, NodeBox>;
  pods: Map<string, PodBox>;
  /** How much of a pod on a node is drawn. */
  podDetail: string;
  podsWaitingHidden: number;
  services: Map<string, Box>;
  hiddenServices: number;
  owners: Map<string, Box>;
  ownerLinks: OwnerLink[];
  /** Objects of the ownership graph of which no more is known than kind and name. */
  others: Map<string, OwnerCard>;
  /** Frames around the pods of one owner. */
  groups: Map<string, { box: Box; words: string }>;
  /** What to say when there is little to see. */
  note: string;
  labels: Label[];
  /** Requests that are held, before the API server; the scene puts them there. */
  door: Map<string, Packet>;
  /** Cards and wires, for the lenses that are tables of them. */
  board: PlacedBoard | null;
}

const WIRE_GAP = 40;
/** With more nodes than this they are an overview, with what looks nearer beneath it. */
export const OVERVIEW = 12;
const ZOOM_ROOM = 48;
/** So few nodes stand in one row, tall enough for their pods to be read: a low stage scrolls. */
const FEW_NODES = 6, LEAST_NODES_H = 196;

/** Workloads that nothing owns, in the order they were made. */
export function rootWorkloads(index: ClusterIndex): [string, WorkloadView][] {
  return [...index.workloads]
    .filter(([, view]) => !isSystem(view) && (!view.owner || !index.workloads.has(view.owner)))
    .sort((a, b) => a[1].created - b[1].created || natural(a[0], b[0]));
}

function row(keys: string[], area: Box, wanted: number, least: number, lines = 1): { boxes: Map<string, Box>; hidden: number; lines: number } {
  const across = Math.max(1, Math.floor((area.w + 10) / (least + 10)));
  const fit = across * lines;
  const shown = keys.length > fit ? keys.slice(0, Math.max(1, fit - 1)) : keys;
  const cols = Math.min(across, Math.max(1, shown.length));
  const w = Math.min(wanted, (area.w - 10 * (cols - 1) - (lines === 1 && shown.length < keys.length ? 46 : 0)) / cols);
  const boxes = new Map(shown.map((key, i) => [key, { x: area.x + (i % cols) * (w + 10), y: area.y + Math.floor(i / cols) * (area.h + 8), w, h: area.h }]));
  return { boxes, hidden: keys.length - shown.length, lines: Math.max(1, Math.ceil(shown.length / cols)) };
}

/** Pods that no node has yet, in the scheduler's queue. */
function waitingPods(index: ClusterIndex, queue: Box, slots: Slots): { pods: Map<string, PodBox>; hidden: number } {
  const pods = new Map<string, PodBox>();
  const waiting = [...index.pending, ...[...index.podsByNode].filter(([node]) => node && !index.nodes.has(node)).flatMap(([, keys]) => [...keys])];
  // With room for it, whoever waits is told by name.
  const named = queue.w > 110 && queue.h > 90;
  const styles: [number, number, number, PodDetail][] = named ? [[queue.w, 34, 6, "mini"], [16, 16, 4, "square"], [8, 8, 2, "square"], [4, 4, 1, "dot"]] : [[26, 20, 5, "token"], [12, 12, 3, "square"], [7, 7, 2, "square"], [4, 4, 1, "dot"]];
  const acrossOf = (w: number, gap: number): number => Math.max(1, Math.floor((queue.w + gap) / (w + gap)));
  const roomOf = ([w, h, gap]: [number, number, number, PodDetail]): number => Math.max(1, acrossOf(w, gap) * Math.max(1, Math.floor((queue.h + gap) / (h + gap))));
  const style = styles.find((one) => one[0] <= queue.w && one[1] <= queue.h && waiting.length <= roomOf(one)) ?? styles.at(-1)!;
  const [w, h, gap, detail] = style;
  const across = acrossOf(w, gap), room = roomOf(style);
  const placed = slots.assign("", waiting, room);
  for (const [key, slot] of placed) {
    if (slot >= room) continue;
    const box = { x: queue.x + (slot % across) * (w + gap), y: queue.y + Math.floor(slot / across) * (h + gap), w, h };
    pods.set(key, { box, detail, node: "" });
  }
  return { pods, hidden: waiting.length - pods.size };
}

/** Inside the scheduler's card: the queue, and what it decided last. */
function schedulerBoxes(card: Box, lens: Lens): [Box, Box] {
  if (isSlim(card) && card.w < 130) return [{ x: card.x + card.w - 24, y: card.y + 30, w: 18, h: 14 }, { x: card.x, y: card.y, w: 0, h: 0 }];
  if (isSlim(card)) return [{ x: card.x + card.w * 0.62, y: card.y + 8, w: card.w * 0.38 - 12, h: 20 }, { x: card.x, y: card.y, w: 0, h: 0 }];
  const head = lens === "scheduling" ? 64 : 46;
  const inner: Box = { x: card.x + 12, y: card.y + head, w: card.w - 24, h: card.h - head - 8 };
  if (lens !== "scheduling") return share(inner, [1, 1.15], 14) as [Box, Box];
  return inner.w < 420 ? [{ ...inner, h: 20 }, { ...inner, y: inner.y + 58, h: inner.h - 58 }] : [{ ...inner, w: 126 }, { ...inner, x: inner.x + 146, w: inner.w - 146 }];
}

/** Services that a person made: not the system's own. */
export function shownServices(index: ClusterIndex): string[] {
  return [...index.services].filter(([, view]) => !isSystem(view) && !(view.namespace === "default" && view.name === "kubernetes"))
    .sort((a, b) => a[1].created - b[1].created || natural(a[0], b[0])).map(([key]) => key);
}

/** Lays out the whole stage. `slots` remembers which place a pod had. */
export function layout(index: ClusterIndex, components: Components, size: Size, lens: Lens, slots: Slots, selected = "", extras: BoardExtras = NO_EXTRAS): Layout {
  const narrow = size.width < 620;
  const margin = narrow ? 10 : MARGIN;
  const [kubectl, etcd, controllers, scheduler] = controlPlane(lens, size, narrow);
  const belowControl = Math.max(...[etcd, controllers, scheduler].map((box) => box.y + box.h));
  const { bus, stages } = busBoxes(belowControl + (narrow || isTight(size) || isSlim(etcd) ? 24 : isShort(size) ? 30 : WIRE_GAP), size, narrow);
  const labels: Label[] = etcd.y > 20 || narrow ? [{ text: "CONTROL PLANE", x: margin, y: 20 }] : [];

  const roots = lens === "workloads" && !isLowest(size) ? rootWorkloads(index).map(([key]) => key) : [];
  let y = bus.y + bus.h + 12;
  const shelf = row(roots, { x: margin, y, w: bus.w, h: 40 }, 250, narrow ? 150 : 170, narrow ? 3 : 1);
  if (roots.length) y += 48 * shelf.lines;
  y += narrow || isTight(size) ? 26 : 32;

  const serviceKeys = lens === "workloads" ? shownServices(index) : [];
  const footer = serviceKeys.length ? 54 + (isTight(size) ? 28 : isShort(size) ? 36 : 46) : !narrow && index.nodes.size > OVERVIEW ? ZOOM_ROOM : 8;
  const area: Box = { x: margin, y, w: bus.w, h: Math.max(lens === "workloads" && index.nodeNames.length <= FEW_NODES ? LEAST_NODES_H : isTight(size) ? 120 : 150, size.height - y - footer - 8) };
  const [queue, scores] = schedulerBoxes(scheduler, lens);
  const waiting = waitingPods(index, queue, slots);

  const ownership = lens === "ownership" ? layoutOwners(index, { ...area, y: area.y + 4 }, extras.owners, slots, narrow) : null;
  const board = isBoard(lens) ? placeBoard(boardOf(lens, index, components, selected, extras), { ...area, y: area.y + 2 }, narrow) : null;
  const workers = ownership || board ? null : layoutNodes(index, area, narrow, slots);
  for (const title of ownership?.titles ?? []) labels.push({ ...title, y: y - 10 });
  if (workers) labels.push({ text: "NODES", x: margin, y: y - 17 });
  const bottom = board?.bottom ?? ownership?.bottom ?? workers!.bottom;
  const serviceRow = { x: margin, y: Math.max(bottom + (isTight(size) ? 22 : isShort(size) ? 28 : 34), size.height - 54 - 12), w: bus.w, h: 54 };
  const services = row(serviceKeys, serviceRow, 250, 150, narrow ? 3 : 1);
  if (serviceKeys.length) labels.push({ text: "SERVICES", x: margin, y: serviceRow.y - 9 });
  const names = controllerNames(components);
  const { chips, hidden } = isSlim(controllers) ? { chips: new Map<string, Box>(), hidden: [] } : lens === "control-plane" ? chipLines(controllers, names) : chipBoxes(controllers, names, 46);
  return {
    width: size.width, height: Math.max(size.height, serviceKeys.length ? serviceRow.y + 62 * services.lines + 4 : bottom + (board?.note ? 40 : 12)), lens, narrow,
    kubectl, etcd, members: memberBoxes(etcd, components, lens), controllers, chips, hiddenControllers: hidden,
    scheduler, queue, scores, bus, stages, shelf: shelf.boxes, hiddenWorkloads: shelf.hidden,
    nodes: workers?.nodes ?? new Map(), pods: new Map([...waiting.pods, ...(ownership?.pods ?? workers?.pods ?? [])]), podsWaitingHidden: waiting.hidden, podDetail: workers?.podDetail ?? "",
    services: ownership?.services ?? services.boxes, hiddenServices: services.hidden, owners: ownership?.boxes ?? new Map(), ownerLinks: ownership?.links ?? [], others: ownership?.others ?? new Map(), groups: ownership?.groups ?? new Map(), note: ownership?.note ?? "", labels, door: new Map(), board,
  };
}
