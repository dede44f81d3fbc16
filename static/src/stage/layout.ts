// Where everything is: cluster + size + lens -> boxes. Pure; the only memory is `Slots`, which keeps a pod where it was.
// One module each for what sits where: layoutControl.ts the control plane, layoutNodes.ts the nodes, layoutOwners.ts the graph.
import type { ClusterIndex } from "../lab/index";
import { isSystem } from "../lab/index";
import type { Components } from "../stream/types";
import type { WorkloadView } from "../stream/views";
import { boardOf, isBoard, placeBoard, type PlacedBoard } from "./board";
import { natural, type Box } from "./geometry";
import { busBoxes, chipBoxes, chipLines, controllerNames, controlPlane, isTight, MARGIN, memberBoxes, share } from "./layoutControl";
import { layoutNodes, type NodeBox, type PodBox, type Slots } from "./layoutNodes";
import { layoutOwners, type OwnerLink } from "./layoutOwners";

export type Lens = "workloads" | "control-plane" | "scheduling" | "etcd" | "ownership" | "traffic" | "storage" | "node";
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
  labels: Label[];
  /** Cards and wires, for the lenses that are tables of them. */
  board: PlacedBoard | null;
}

const WIRE_GAP = 40;

/** Workloads that nothing owns, in the order they were made. */
export function rootWorkloads(index: ClusterIndex): [string, WorkloadView][] {
  return [...index.workloads]
    .filter(([, view]) => !isSystem(view) && (!view.owner || !index.workloads.has(view.owner)))
    .sort((a, b) => a[1].created - b[1].created || natural(a[0], b[0]));
}

function row(keys: string[], area: Box, wanted: number, least: number): { boxes: Map<string, Box>; hidden: number } {
  const fit = Math.max(1, Math.floor((area.w + 10) / (least + 10)));
  const shown = keys.length > fit ? keys.slice(0, Math.max(1, fit - 1)) : keys;
  const w = Math.min(wanted, (area.w - 10 * (shown.length - 1) - (shown.length < keys.length ? 46 : 0)) / Math.max(1, shown.length));
  const boxes = new Map(shown.map((key, i) => [key, { x: area.x + i * (w + 10), y: area.y, w, h: area.h }]));
  return { boxes, hidden: keys.length - shown.length };
}

/** Pods that no node has yet, in the scheduler's queue. */
function waitingPods(index: ClusterIndex, queue: Box, slots: Slots): { pods: Map<string, PodBox>; hidden: number } {
  const pods = new Map<string, PodBox>();
  const waiting = [...index.pending, ...[...index.podsByNode].filter(([node]) => node && !index.nodes.has(node)).flatMap(([, keys]) => [...keys])];
  const [w, h, gap] = [26, 20, 5];
  const across = Math.max(1, Math.floor((queue.w + gap) / (w + gap)));
  const room = Math.max(1, across * Math.max(1, Math.floor((queue.h + gap) / (h + gap))));
  const placed = slots.assign("", waiting, room);
  for (const [key, slot] of placed) {
    if (slot >= room) continue;
    const box = { x: queue.x + (slot % across) * (w + gap), y: queue.y + Math.floor(slot / across) * (h + gap), w, h };
    pods.set(key, { box, detail: "token", node: "" });
  }
  return { pods, hidden: waiting.length - pods.size };
}

/** Services that a person made: not the system's own. */
export function shownServices(index: ClusterIndex): string[] {
  return [...index.services].filter(([, view]) => !isSystem(view) && !(view.namespace === "default" && view.name === "kubernetes"))
    .sort((a, b) => a[1].created - b[1].created || natural(a[0], b[0])).map(([key]) => key);
}

/** Lays out the whole stage. `slots` remembers which place a pod had. */
export function layout(index: ClusterIndex, components: Components, size: Size, lens: Lens, slots: Slots, selected = ""): Layout {
  const narrow = size.width < 620;
  const margin = narrow ? 10 : MARGIN;
  const [kubectl, etcd, controllers, scheduler] = controlPlane(lens, size, narrow);
  const belowControl = Math.max(etcd.y + etcd.h, controllers.y + controllers.h);
  const { bus, stages } = busBoxes(belowControl + (narrow || isTight(size) ? 27 : WIRE_GAP), size, narrow);
  const labels: Label[] = [{ text: "CONTROL PLANE", x: margin, y: 20 }];

  const roots = lens === "workloads" ? rootWorkloads(index).map(([key]) => key) : [];
  let y = bus.y + bus.h + 12;
  const shelf = row(roots, { x: margin, y, w: bus.w, h: 40 }, 250, narrow ? 130 : 170);
  if (roots.length) y += 48;
  y += narrow || isTight(size) ? 26 : 32;

  const serviceKeys = lens === "workloads" ? shownServices(index) : [];
  const footer = serviceKeys.length ? 54 + (isTight(size) ? 28 : 46) : 8;
  const area: Box = { x: margin, y, w: bus.w, h: Math.max(isTight(size) ? 120 : 150, size.height - y - footer - 8) };
  const head = lens === "scheduling" ? 66 : 46;
  const inner: Box = { x: scheduler.x + 12, y: scheduler.y + head, w: scheduler.w - 24, h: scheduler.h - head - 8 };
  const [queue, scores] = share(inner, lens === "scheduling" ? [0.7, 2.3] : [1, 1.15], 14) as [Box, Box];
  const waiting = waitingPods(index, { ...queue, y: queue.y + 2, h: queue.h - 2 }, slots);

  const ownership = lens === "ownership" ? layoutOwners(index, area) : null;
  const board = isBoard(lens) ? placeBoard(boardOf(lens, index, components, selected), { ...area, y: area.y + 2 }, narrow) : null;
  const workers = ownership || board ? null : layoutNodes(index, area, narrow, slots);
  if (workers) labels.push({ text: "NODES", x: margin, y: y - 17 });
  const bottom = board?.bottom ?? ownership?.bottom ?? workers!.bottom;
  const serviceRow = { x: margin, y: Math.max(bottom + (isTight(size) ? 22 : 34), size.height - 54 - 12), w: bus.w, h: 54 };
  const services = row(serviceKeys, serviceRow, 250, narrow ? 120 : 150);
  if (serviceKeys.length) labels.push({ text: "SERVICES", x: margin, y: serviceRow.y - 9 });
  const names = controllerNames(components);
  const { chips, hidden } = lens === "control-plane" && !narrow ? chipLines(controllers, names) : chipBoxes(controllers, names, 46);
  return {
    width: size.width, height: Math.max(size.height, serviceKeys.length ? serviceRow.y + 66 : bottom + (board?.note ? 40 : 12)), lens, narrow,
    kubectl, etcd, members: memberBoxes(etcd, components, lens), controllers, chips, hiddenControllers: hidden,
    scheduler, queue, scores, bus, stages, shelf: shelf.boxes, hiddenWorkloads: shelf.hidden,
    nodes: workers?.nodes ?? new Map(), pods: new Map([...waiting.pods, ...(ownership?.pods ?? workers?.pods ?? [])]), podsWaitingHidden: waiting.hidden, podDetail: workers?.podDetail ?? "",
    services: services.boxes, hiddenServices: services.hidden, owners: ownership?.boxes ?? new Map(), ownerLinks: ownership?.links ?? [], labels, board,
  };
}
