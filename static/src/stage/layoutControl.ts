// Where the control plane is: kubectl, etcd, the controllers, the scheduler, and the API server's bar with its stages.
import type { Components } from "../stream/types";
import { clamp, columns, natural, type Box } from "./geometry";
import type { Lens, Size } from "./layout";

export const STAGES = ["authentication", "authorization", "mutating", "schema", "validating", "storage", "watch"];
export const MARGIN = 20;
const GAP = 14;

/** Little height, as with the drawer open: everything moves closer together. */
export const isTight = (size: Size): boolean => size.height < 600 && size.width >= 620;

/** So little height that frames are all there would be, as with the drawer open on a small laptop: they shrink to the least. */
export const isLowest = (size: Size): boolean => size.height < 430 && size.width >= 620;

/** Not much height, as on a laptop: what frames the nodes gives some of its own. */
export const isShort = (size: Size): boolean => size.height < 760;

/** As wide as a tablet: the logs of etcd stand under its members, not beside them. */
const isMedium = (size: Size): boolean => size.width < 800;

/** The component that a lens is about; "" where it is about something else. */
const ABOUT: Partial<Record<Lens, "controllers" | "scheduler" | "etcd">> = { "control-plane": "controllers", scheduling: "scheduler", etcd: "etcd" };
/** Lenses that are about what is below the API server: the control plane is a row of headings. */
const LOW = new Set<Lens>(["ownership", "traffic", "storage", "node", "access"]);
/** Where there is little height, the nodes get what there is. */
const isLow = (lens: Lens, size: Size): boolean => LOW.has(lens) || (lens === "workloads" && isTight(size));
const WEIGHTS = [0.36, 1, 1.6, 1.1];
export const SLIM = 54;
const GUTTER = 28;
/** What stands below the component that a lens is about: wires, the API server, and nodes of the least height. */
const BELOW_FOCUS = 318;

/** A card too low for more than its heading. */
export const isSlim = (box: Box): boolean => box.h <= 72;

export function share(box: Box, weights: number[], gap: number): Box[] {
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

/** The boxes of kubectl, etcd, the controllers and the scheduler. What the lens is about gets the room; the others shrink to headings. */
export function controlPlane(lens: Lens, size: Size, narrow: boolean): [Box, Box, Box, Box] {
  if (narrow) return narrowControl(lens, size);
  const row = { x: MARGIN, y: 30, w: size.width - 2 * MARGIN, h: size.height > 820 ? 146 : isShort(size) ? 108 : 122 };
  const about = ABOUT[lens];
  if (!about) return share(isLow(lens, size) ? { ...row, ...(isLowest(size) ? { y: 10, h: 46 } : { h: SLIM }) } : row, isLow(lens, size) ? [0.6, 1, 1.1, 1.1] : WEIGHTS, GAP) as [Box, Box, Box, Box];
  const tall = { ...row, h: clamp(Math.round(Math.min(size.height * (lens === "etcd" ? 0.52 : 0.46), size.height - BELOW_FOCUS)), lens === "etcd" && isMedium(size) ? 246 : 190, 470) };
  const side = clamp(row.w * 0.2, 150, 230);
  const focus = { ...tall, x: row.x + side + GUTTER, w: row.w - side - GUTTER };
  const stack = (i: number): Box => ({ x: row.x, y: tall.y + (i * (tall.h + 10)) / 3, w: side, h: (tall.h + 10) / 3 - 10 });
  if (about === "controllers") return [stack(0), stack(1), focus, stack(2)];
  return about === "scheduler" ? [stack(0), stack(1), stack(2), focus] : [stack(0), focus, stack(1), stack(2)];
}

/** On a phone the control plane is a row of headings; what the lens is about follows in full width. */
function narrowControl(lens: Lens, size: Size): [Box, Box, Box, Box] {
  const row = { x: 10, y: 28, w: size.width - 20, h: 50 };
  const about = ABOUT[lens];
  if (!about) return share(row, [0.72, 1, 1.25, 1.15], 7) as [Box, Box, Box, Box];
  const focus = { ...row, y: row.y + row.h + 14, h: lens === "etcd" ? 330 : 300 };
  const [a, b, c] = share(row, [0.72, 1, 1.2], 7) as [Box, Box, Box];
  if (about === "controllers") return [a, b, focus, c];
  return about === "scheduler" ? [a, b, c, focus] : [a, focus, b, c];
}

/** The members of etcd as circles in boxes: side by side, or small ones in the corner of a slim card. */
export function memberBoxes(etcd: Box, components: Components, lens: Lens): Map<string, Box> {
  const members = (components["etcd"]?.["members"] as { name: string }[] | undefined) ?? [];
  if (isSlim(etcd)) {
    const size = Math.min(15, (etcd.w - 20) / Math.max(1, members.length) - 5);
    const left = etcd.w > 150 ? etcd.x + etcd.w - 12 - members.length * (size + 5) + 5 : etcd.x + 10;
    const y = etcd.w > 150 ? etcd.y + 10 : etcd.y + etcd.h - size - 7;
    return new Map(members.map((member, i) => [member.name, { x: left + i * (size + 5), y, w: size, h: size }]));
  }
  if (lens === "etcd") return ring(etcd, members.map((member) => member.name));
  const area = { x: etcd.x + 10, y: etcd.y + 53, w: etcd.w - 20, h: etcd.h - 59 };
  const slots = columns(area, members.length, 8);
  const size = Math.min(area.h, slots[0]?.w ?? 0, 58);
  return new Map(members.map((member, i) => [member.name, { x: slots[i]!.x + (slots[i]!.w - size) / 2, y: area.y + (area.h - size) / 2, w: size, h: size }]));
}

/** The room of the etcd lens that the ring of members takes; the logs have the rest. */
export function ringArea(etcd: Box): Box {
  const wide = etcd.w > 520;
  return wide ? { x: etcd.x + 14, y: etcd.y + 52, w: Math.min(etcd.w * 0.42, etcd.h * 1.15), h: etcd.h - 64 } : { x: etcd.x + 10, y: etcd.y + 46, w: etcd.w - 20, h: clamp(etcd.h - 176, 72, 120) };
}

function ring(etcd: Box, names: string[]): Map<string, Box> {
  const area = ringArea(etcd);
  const count = Math.max(1, names.length);
  const flat = area.w > area.h * 1.6;
  const size = clamp(Math.min(flat ? area.w / count - 14 : (area.w / (count > 4 ? 4.1 : 3.1)), area.h / (flat ? 1.4 : count > 2 ? 2.7 : 1.6)), 30, 92);
  const rx = (area.w - size) / 2 - 4, ry = (area.h - size) / 2 - 10;
  return new Map(names.map((name, i) => {
    const angle = -Math.PI / 2 + (2 * Math.PI * i) / count;
    const spot = flat ? { x: area.x + (area.w / count) * (i + 0.5), y: area.y + area.h / 2 } : { x: area.x + area.w / 2 + (count > 1 ? rx * Math.cos(angle) : 0), y: area.y + area.h / 2 + (count > 1 ? ry * Math.sin(angle) : 0) };
    return [name, { x: spot.x - size / 2, y: spot.y - size / 2, w: size, h: size }];
  }));
}

/** "deployment-controller" as people say it: Deployment. */
export function controllerTitle(name: string): string {
  const short = name.replace(/-controller$/, "");
  return TITLES[short] ?? short.replace(/(^|-)([a-z])/g, (_, dash: string, letter: string) => (dash ? " " : "") + letter.toUpperCase());
}

const TITLES: Record<string, string> = {
  replicaset: "ReplicaSet", analysisrun: "AnalysisRun", statefulset: "StatefulSet", daemonset: "DaemonSet", cronjob: "CronJob", endpointslice: "EndpointSlice",
  endpoint: "Endpoints", endpoints: "Endpoints", "node-lifecycle": "Node", serviceaccount: "ServiceAccount", "garbage-collector": "GC",
  "generic-garbage-collector": "GC", replicationcontroller: "ReplicationController", horizontalpodautoscaler: "HPA", "horizontal-pod-autoscaler": "HPA",
  "horizontal-pod-autoscaling": "HPA", poddisruptionbudget: "PDB", disruption: "PDB", "pod-garbage-collector": "Pod GC", resourcequota: "Quota",
  "persistentvolume-binder": "Volumes", "ttl-after-finished": "TTL", "node-ipam": "Node IPAM", "root-ca-certificate-publisher": "Root CA",
  endpointslicemirroring: "Mirroring", "taint-eviction": "Taint eviction",
  "clusterrole-aggregation": "ClusterRoles", "endpointslice-mirroring": "Mirroring", ttl: "TTL", "service-lb": "Load balancers", "legacy-serviceaccount-token-cleaner": "Old tokens",
  "serviceaccount-token": "SA tokens", "persistentvolume-expander": "Expand volumes", "pvc-protection": "PVC protection", "pv-protection": "PV protection",
  "persistentvolumeclaim-protection": "PVC protection", "persistentvolume-protection": "PV protection", "persistentvolume-attach-detach": "Attach/detach", "ephemeral-volume": "Ephemeral volumes", "resource-quota": "Quota", "certificatesigningrequest-signing": "CSR signing", "certificatesigningrequest-approving": "CSR approval", "certificatesigningrequest-cleaner": "CSR cleaner", "csi-provisioner": "Provisioner",
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

export function chipBoxes(card: Box, names: string[], top: number): { chips: Map<string, Box>; hidden: string[] } {
  const chips = new Map<string, Box>();
  let x = card.x + 12, y = card.y + top;
  const right = card.x + card.w - 12;
  for (let i = 0; i < names.length; i++) {
    const w = Math.ceil(controllerTitle(names[i]!).length * 6.35) + 18;
    if (x + w > right) [x, y] = [card.x + 12, y + 24];
    const last = y + 47 > card.y + card.h && i < names.length - 1;
    if (y + 21 > card.y + card.h - 2 || (last && x + w + 40 > right)) return { chips, hidden: names.slice(i) };
    chips.set(names[i]!, { x, y, w, h: 20 });
    x += w + 5;
  }
  return { chips, hidden: [] };
}

/** With room for it, each controller has a line of its own: what it watches, what waits, what is wanted and there, what it did last. */
export function chipLines(card: Box, names: string[]): { chips: Map<string, Box>; hidden: string[] } {
  const pitch = 26;
  const rows = Math.max(1, Math.floor((card.h - 72) / pitch));
  const cols = names.length > rows && card.w > 1000 ? 2 : 1;
  const area = columns({ x: card.x + 12, y: card.y + 64, w: card.w - 24, h: 23 }, cols, 22);
  const shown = names.slice(0, rows * cols);
  const chips = new Map(shown.map((name, i) => {
    const column = area[Math.floor(i / rows)]!;
    return [name, { ...column, y: column.y + (i % rows) * pitch }];
  }));
  return { chips, hidden: names.slice(shown.length) };
}

export function busBoxes(y: number, size: Size, narrow: boolean): { bus: Box; stages: Box[] } {
  const margin = narrow ? 10 : MARGIN;
  const bus = { x: margin, y, w: size.width - 2 * margin, h: narrow ? 62 : isLowest(size) ? 46 : 54 };
  const title = Math.min(230, bus.w * 0.26);
  const track = narrow
    ? { x: bus.x + 8, y: bus.y + 29, w: bus.w - 16, h: 25 }
    : { x: bus.x + title, y: bus.y + (bus.h - 26) / 2, w: bus.w - title - 12, h: 26 };
  return { bus, stages: columns(track, STAGES.length, narrow ? 3 : 7) };
}
