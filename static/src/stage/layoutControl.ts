// Where the control plane is: kubectl, etcd, the controllers, the scheduler, and the API server's bar with its stages.
import type { Components } from "../stream/types";
import { clamp, columns, natural, type Box } from "./geometry";
import type { Lens, Size } from "./layout";

export const STAGES = ["authentication", "authorization", "mutating", "schema", "validating", "storage", "watch"];
export const MARGIN = 20;
const GAP = 14;

/** Little height, as with the drawer open: everything moves closer together. */
export const isTight = (size: Size): boolean => size.height < 600 && size.width >= 620;

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
    case "traffic":
    case "storage":
    case "node":
      return { row: 122, weights: [0.36, 1, 1.6, 1.1] };
    default:
      return { row: size.height > 820 ? 146 : isTight(size) ? 106 : 122, weights: [0.36, 1, 1.6, 1.1] };
  }
}

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

export function controlPlane(lens: Lens, size: Size, narrow: boolean): [Box, Box, Box, Box] {
  const plan = planOf(lens, size);
  const row = { x: MARGIN, y: 30, w: size.width - 2 * MARGIN, h: plan.row };
  if (!narrow) return share(row, plan.weights, GAP) as [Box, Box, Box, Box];
  const edge = { ...row, x: 10, w: size.width - 20, h: Math.min(plan.row, 116) };
  const [kubectl, etcd, scheduler] = share(edge, [0.42, 1, 1], 8) as [Box, Box, Box];
  const controllers = { ...edge, y: edge.y + edge.h + 8, h: 98 };
  return [kubectl, etcd, controllers, scheduler];
}

/** The members of etcd side by side, as circles in boxes. */
export function memberBoxes(etcd: Box, components: Components, lens: Lens): Map<string, Box> {
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

export function chipBoxes(card: Box, names: string[], top: number): { chips: Map<string, Box>; hidden: string[] } {
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
export function chipLines(card: Box, names: string[]): { chips: Map<string, Box>; hidden: string[] } {
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

export function busBoxes(y: number, size: Size, narrow: boolean): { bus: Box; stages: Box[] } {
  const margin = narrow ? 10 : MARGIN;
  const bus = { x: margin, y, w: size.width - 2 * margin, h: narrow ? 62 : 54 };
  const title = Math.min(230, bus.w * 0.26);
  const track = narrow
    ? { x: bus.x + 8, y: bus.y + 29, w: bus.w - 16, h: 25 }
    : { x: bus.x + title, y: bus.y + 14, w: bus.w - title - 12, h: 26 };
  return { bus, stages: columns(track, STAGES.length, narrow ? 3 : 7) };
}
