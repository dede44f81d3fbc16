// Where everything is: cluster + size + lens -> boxes. Pure; the only memory is `Slots`, which keeps a pod where it was.
// One module each for what sits where: the control plane here, workers in layoutNodes.ts, the ownership graph in layoutOwners.ts.
import type { ClusterIndex } from "../lab/index";
import { isSystem } from "../lab/index";
import type { Components } from "../stream/types";
import type { PodView, WorkloadView } from "../stream/views";
import { clamp, columns, natural, type Box, type Point } from "./geometry";
import { layoutNodes, type NodeBox, type PodBox, type Slots } from "./layoutNodes";
import { layoutOwners, type OwnerLink } from "./layoutOwners";

export type Lens = "workloads" | "control-plane" | "scheduling" | "etcd" | "ownership";
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
  podsWaitingHidden: number;
  services: Map<string, Box>;
  hiddenServices: number;
  owners: Map<string, Box>;
  ownerLinks: OwnerLink[];
  labels: Label[];
}

export const STAGES = ["authentication", "authorization", "mutating", "schema", "validating", "storage", "watch"];
const MARGIN = 20;
const GAP = 14;
const WIRE_GAP = 40;

/** Little height, as with the drawer open: everything moves closer together. */
const isTight = (size: Size): boolean => size.height < 600 && size.width >= 620;

interface Plan {
  row: number;
  weights: [number, number, number, number];
}

/** How the control plane shares the stage, by lens: height of its row, widths of kubectl, etcd, controllers, scheduler. */
function planOf(lens: Lens, size: Size): Plan {
  const tall = clamp(Math.round(size.height * 0.42), 150, 330);
  switch (lens) {
    case "control-plane":
      return { row: tall, weights: [0.38, 1, 2, 1.05] };
    case "scheduling":
      return { row: tall, weights: [0.36, 0.9, 1, 2.5] };
    case "etcd":
      return { row: tall, weights: [0.36, 2.6, 1, 0.8] };
    case "ownership":
      return { row: 122, weights: [0.36, 1, 1.6, 1.1] };
    default:
      return { row: size.height > 820 ? 146 : isTight(size) ? 106 : 122, weights: [0.36, 1, 1.6, 1.1] };
  }
}

function share(box: Box, weights: number[], gap: number): Box[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const room = box.w - gap * (weights.length - 1);
  let x = box.x;
  return weights.map((weight) => {
    const w = (room * weight) / total;
    const part = { x, y: box.y, w, h: box.h };
    x += w + gap;
    return part;
  });
}

function controlPlane(lens: Lens, size: Size, narrow: boolean): [Box, Box, Box, Box] {
  const plan = planOf(lens, size);
  const row = { x: MARGIN, y: 30, w: size.width - 2 * MARGIN, h: plan.row };
  if (!narrow) return share(row, plan.weights, GAP) as [Box, Box, Box, Box];
  const edge = { ...row, x: 10, w: size.width - 20, h: Math.min(plan.row, 116) };
  const [kubectl, etcd, scheduler] = share(edge, [0.42, 1, 1], 8) as [Box, Box, Box];
  const controllers = { ...edge, y: edge.y + edge.h + 8, h: 98 };
  return [kubectl, etcd, controllers, scheduler];
}

/** The members of etcd side by side, as circles in boxes. */
function memberBoxes(etcd: Box, components: Components, lens: Lens): Map<string, Box> {
  const members = (components["etcd"]?.["members"] as { name: string }[] | undefined) ?? [];
  const area = { x: etcd.x + 10, y: etcd.y + 48, w: etcd.w - 20, h: etcd.h - 54 };
  const slots = columns(area, members.length, 8);
  const size = Math.min(area.h, slots[0]?.w ?? 0, lens === "etcd" ? 96 : 58);
  return new Map(members.map((member, i) => {
    const slot = slots[i]!;
    const y = lens === "etcd" ? area.y + 14 : area.y + (area.h - size) / 2;
    return [member.name, { x: slot.x + (slot.w - size) / 2, y, w: size, h: size }];
  }));
}

/** "deployment-controller" as people say it: Deployment. */
export function controllerTitle(name: string): string {
  const short = name.replace(/-controller$/, "");
  return TITLES[short] ?? short.replace(/(^|-)([a-z])/g, (_, dash: string, letter: string) => (dash ? " " : "") + letter.toUpperCase());
}

const TITLES: Record<string, string> = {
  replicaset: "ReplicaSet", statefulset: "StatefulSet", daemonset: "DaemonSet", cronjob: "CronJob", endpointslice: "EndpointSlice",
  endpoint: "Endpoints", endpoints: "Endpoints", "node-lifecycle": "Node", serviceaccount: "ServiceAccount", "garbage-collector": "GC",
  "generic-garbage-collector": "GC", replicationcontroller: "ReplicationController", horizontalpodautoscaler: "HPA", "horizontal-pod-autoscaler": "HPA",
  "horizontal-pod-autoscaling": "HPA", poddisruptionbudget: "PDB", disruption: "PDB", "pod-garbage-collector": "Pod GC", resourcequota: "Quota",
  "persistentvolume-binder": "Volumes", "ttl-after-finished": "TTL", "node-ipam": "Node IPAM", "root-ca-certificate-publisher": "Root CA",
  endpointslicemirroring: "Mirroring", "taint-eviction": "Taint eviction",
  "clusterrole-aggregation": "ClusterRoles", "endpointslice-mirroring": "Mirroring", ttl: "TTL", "service-lb": "Load balancers", "legacy-serviceaccount-token-cleaner": "Old tokens",
  "serviceaccount-token": "SA tokens", "persistentvolume-expander": "Expand volumes", "pvc-protection": "PVC protection", "pv-protection": "PV protection",
  "persistentvolumeclaim-protection": "PVC protection", "persistentvolume-protection": "PV protection", "persistentvolume-attach-detach": "Attach/detach", "ephemeral-volume": "Ephemeral volumes", "resource-quota": "Quota",
};
/** Which controllers come first where not all fit: those that a course names. */
const FIRST = ["deployment", "replicaset", "statefulset", "daemonset", "job", "endpointslice", "node-lifecycle", "garbage-collector", "namespace",
  "cronjob", "serviceaccount", "horizontalpodautoscaler"].map((name) => name + "-controller");

export function controllerNames(components: Components): string[] {
  const rank = (name: string): number => (FIRST.indexOf(name) + 1 || FIRST.length + 1);
  return Object.keys(components)
    .filter((name) => !name.includes("/") && name !== "kube-controller-manager" && name !== "kube-scheduler" && (name.endsWith("-controller") || "queue" in components[name]!))
    .sort((a, b) => rank(a) - rank(b) || natural(a, b));
}

function chipBoxes(card: Box, names: string[], top: number): { chips: Map<string, Box>; hidden: string[] } {
  const chips = new Map<string, Box>();
  let x = card.x + 12, y = card.y + top;
  const right = card.x + card.w - 12;
  for (let i = 0; i < names.length; i++) {
    const w = Math.ceil(controllerTitle(names[i]!).length * 5.9) + 17;
    if (x + w > right) [x, y] = [card.x + 12, y + 24];
    const last = y + 47 > card.y + card.h && i < names.length - 1;
    if (y + 21 > card.y + card.h - 2 || (last && x + w + 40 > right)) return { chips, hidden: names.slice(i) };
    chips.set(names[i]!, { x, y, w, h: 20 });
    x += w + 5;
  }
  return { chips, hidden: [] };
}

/** With room for it, each controller has a line of its own, where its last deed is told. */
function chipLines(card: Box, names: string[]): { chips: Map<string, Box>; hidden: string[] } {
  const pitch = 27;
  const rows = Math.max(1, Math.floor((card.h - 54) / pitch));
  const cols = names.length > rows && card.w > 340 ? 2 : 1;
  const area = columns({ x: card.x + 12, y: card.y + 48, w: card.w - 24, h: 22 }, cols, 12);
  const shown = names.slice(0, rows * cols);
  const chips = new Map(shown.map((name, i) => {
    const column = area[Math.floor(i / rows)]!;
    return [name, { ...column, y: column.y + (i % rows) * pitch, h: 22 }];
  }));
  return { chips, hidden: names.slice(shown.length) };
}

function busBoxes(y: number, size: Size, narrow: boolean): { bus: Box; stages: Box[] } {
  const margin = narrow ? 10 : MARGIN;
  const bus = { x: margin, y, w: size.width - 2 * margin, h: narrow ? 62 : 54 };
  const title = Math.min(230, bus.w * 0.26);
  const track = narrow
    ? { x: bus.x + 8, y: bus.y + 29, w: bus.w - 16, h: 25 }
    : { x: bus.x + title, y: bus.y + 14, w: bus.w - title - 12, h: 26 };
  return { bus, stages: columns(track, STAGES.length, narrow ? 3 : 7) };
}

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
export function layout(index: ClusterIndex, components: Components, size: Size, lens: Lens, slots: Slots): Layout {
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
  const workers = ownership ? null : layoutNodes(index, area, narrow, slots);
  if (workers) labels.push({ text: "NODES", x: margin, y: y - 17 });
  const bottom = ownership ? ownership.bottom : workers!.bottom;
  const serviceRow = { x: margin, y: Math.max(bottom + (isTight(size) ? 22 : 34), size.height - 54 - 12), w: bus.w, h: 54 };
  const services = row(serviceKeys, serviceRow, 250, narrow ? 120 : 150);
  if (serviceKeys.length) labels.push({ text: "SERVICES", x: margin, y: serviceRow.y - 9 });
  const names = controllerNames(components);
  const { chips, hidden } = lens === "control-plane" && !narrow ? chipLines(controllers, names) : chipBoxes(controllers, names, 46);
  return {
    width: size.width, height: Math.max(size.height, serviceKeys.length ? serviceRow.y + 66 : bottom + 12), lens, narrow,
    kubectl, etcd, members: memberBoxes(etcd, components, lens), controllers, chips, hiddenControllers: hidden,
    scheduler, queue, scores, bus, stages, shelf: shelf.boxes, hiddenWorkloads: shelf.hidden,
    nodes: workers?.nodes ?? new Map(), pods: new Map([...waiting.pods, ...(ownership?.pods ?? workers!.pods)]), podsWaitingHidden: waiting.hidden,
    services: services.boxes, hiddenServices: services.hidden, owners: ownership?.boxes ?? new Map(), ownerLinks: ownership?.links ?? [], labels,
  };
}

/** The component behind a user name such as system:node:node-1. */
export function componentOf(actor: string): string {
  if (actor.startsWith("system:node:")) return `kubelet/${actor.slice("system:node:".length)}`;
  const service = /^system:serviceaccount:kube-system:(.*)$/.exec(actor)?.[1];
  return service ?? (actor.startsWith("system:kube-") ? actor.slice("system:".length) : actor);
}

/** The box of whoever acts: a component, a controller, a node's kubelet. */
export function actorBox(at: Layout, who: string): Box | null {
  const actor = componentOf(who);
  const [program, node] = actor.split("/", 2) as [string, string?];
  if (node !== undefined) {
    const worker = at.nodes.get(node);
    if (worker) {
      if (program === "kubelet") return worker.kubelet ?? worker.box;
      if (program === "kube-proxy") return worker.proxy ?? worker.box;
      return worker.runtime ?? worker.box;
    }
  }
  if (actor.startsWith("etcd")) return at.members.get(actor) ?? at.etcd;
  if (actor === "kube-scheduler") return at.scheduler;
  if (actor === "kube-apiserver") return at.bus;
  if (actor === "kube-controller-manager") return at.controllers;
  if (at.chips.has(actor)) return at.chips.get(actor)!;
  if (actor.endsWith("-controller")) return at.controllers;
  return node === undefined ? at.kubectl : null;
}

/** The boxes of whoever acts: one, or those of every node where an actor stands for all of its kind ("kube-proxy"). */
export function actorBoxes(at: Layout, actor: string): Box[] {
  const all = actor === "kube-proxy" ? "proxy" : actor === "kubelet" ? "kubelet" : null;
  if (all) return [...at.nodes.values()].map((node) => node[all] ?? node.box);
  const box = actorBox(at, actor);
  return box ? [box] : [];
}

/** The wire from an actor to the API server's bar, ending on the bar. */
export function wireOf(at: Layout, who: string): Point[] {
  const actor = componentOf(who);
  const box = actorBoxes(at, actor)[0] ?? at.kubectl;
  const { bus } = at;
  const x = box.x + box.w / 2;
  if (box.y >= bus.y + bus.h) {
    const worker = at.nodes.get(actor.slice(actor.indexOf("/") + 1));
    const rail = worker && worker.railX !== null ? worker.railX : x;
    const points = [{ x, y: box.y }, { x, y: box.y - 9 }];
    if (rail !== x) points.push({ x: rail, y: box.y - 9 });
    return [...points, { x: rail, y: bus.y + bus.h }];
  }
  if (at.chips.has(actor)) {
    const { controllers } = at;
    const middle = controllers.x + controllers.w / 2;
    return [{ x: clamp(middle, box.x + 8, box.x + Math.min(box.w, 120) - 8), y: box.y + box.h }, { x: middle, y: controllers.y + controllers.h }, { x: middle, y: bus.y }];
  }
  if (box === at.bus) return [{ x: bus.x + 20, y: bus.y + bus.h / 2 }];
  // In the narrow layout the controllers lie between the upper cards and the bar: their wire runs down the edge.
  const blocked = at.narrow && box.y + box.h < at.controllers.y;
  const side = box.x > at.width / 2 ? at.width - 5 : 5;
  if (blocked) return [{ x, y: box.y + box.h }, { x, y: box.y + box.h + 4 }, { x: side, y: box.y + box.h + 4 }, { x: side, y: bus.y + 10 }, { x: bus.x + 2, y: bus.y + 10 }].map((p, i) => (i === 4 && side > at.width / 2 ? { ...p, x: bus.x + bus.w - 2 } : p));
  return [{ x, y: box.y + box.h }, { x, y: bus.y }];
}

/** Everything that can be pointed at, topmost first where boxes overlap. */
export function targets(at: Layout): { id: string; box: Box }[] {
  const found: { id: string; box: Box }[] = [];
  for (const [key, pod] of at.pods) found.push({ id: key, box: pod.box });
  for (const [name, node] of at.nodes) {
    if (node.kubelet) found.push({ id: `kubelet/${name}`, box: node.kubelet });
    if (node.proxy) found.push({ id: `kube-proxy/${name}`, box: node.proxy });
    if (node.runtime) found.push({ id: `runtime/${name}`, box: node.runtime });
    found.push({ id: `nodes/${name}`, box: node.box });
  }
  for (const [key, box] of [...at.shelf, ...at.services, ...at.owners]) found.push({ id: key, box });
  for (const [name, box] of at.chips) found.push({ id: name, box });
  for (const [name, box] of at.members) found.push({ id: name, box });
  found.push({ id: "kubectl", box: at.kubectl }, { id: "etcd", box: at.etcd }, { id: "kube-controller-manager", box: at.controllers },
    { id: "kube-scheduler", box: at.scheduler }, { id: "kube-apiserver", box: at.bus });
  return found;
}

export const podTitle = (pod: PodView): string => pod.app || pod.name;
