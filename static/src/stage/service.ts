// Services and the wires to their endpoints; workloads with what is wanted and what there is. Mirrors clusterlab/proxy and network.
import { t } from "../i18n/t";
import type { ServiceView, WorkloadView } from "../stream/views";
import { resourceOf } from "../stream/views";
import { drawCard, type Drawing } from "./drawing";
import { bottomOf, topOf, type Box, type Point } from "./geometry";
import { VERSION_COLORS } from "./theme";

export function drawServices(d: Drawing): void {
  const { pen, at } = d;
  for (const [key, box] of at.services) {
    const service = d.index.services.get(key);
    if (service) drawService(d, key, service, box);
  }
  if (!at.hiddenServices) return;
  const last = [...at.services.values()].at(-1);
  if (last) pen.text(`+${at.hiddenServices}`, last.x + last.w + 12, last.y + last.h / 2 + 4, { size: 12, color: pen.theme.soft });
}

/** Where a Service is reached: its address in the cluster, or the name that it stands for; and its type, with what that adds to it. */
export function doorsOf(service: ServiceView): { address: string; type: string; nobody: string } {
  const port = service.ports?.[0]?.port, external = [service.external ?? []].flat().filter(Boolean).join(", ");
  if (service.type === "ExternalName") return { address: `→ ${external}`, type: service.type, nobody: t("only a name") };
  const nodePorts = (service.ports ?? []).map((one) => one.nodePort).filter(Boolean).join(", ");
  const more = service.type === "LoadBalancer" ? external : service.type === "NodePort" ? nodePorts : "";
  return {
    address: service.clusterIP === "None" ? t("headless") : `${service.clusterIP}${port ? `:${port}` : ""}`,
    type: more ? `${service.type} ${more}` : service.type, nobody: "",
  };
}

function drawService(d: Drawing, key: string, service: ServiceView, box: Box): void {
  const { pen } = d;
  const endpoints = d.index.endpointsOf(service);
  const ready = endpoints.filter((endpoint) => endpoint.ready).length;
  const { address, type, nobody } = doorsOf(service);
  const endpointWords = ready === 1 ? t("1 endpoint") : t("{count} endpoints", { count: ready });
  drawCard(d, box, { title: service.name, subtitle: ready ? [`${address} · ${endpointWords}`, endpointWords] : [address], selected: d.selected === key });
  pen.text(service.type === "ClusterIP" ? t("service") : type, box.x + box.w - 12, box.y + 21, { size: 10.5, align: "right", color: pen.theme.soft, max: box.w * 0.4 });
  if (!ready) pen.text(nobody || t("nobody answers"), box.x + box.w - 12, box.y + 38, { size: 10.5, align: "right", color: nobody ? pen.theme.soft : pen.theme.bad, max: box.w * 0.4 });
}

/** A wire from a service to each pod behind it: solid when it gets traffic, dashed while it does not. */
export function drawServiceWires(d: Drawing): void {
  const { pen, at } = d;
  for (const [key, box] of at.services) {
    const service = d.index.services.get(key);
    if (!service) continue;
    const lit = d.selected === key;
    for (const [pod, wire] of serviceWires(d, service, box)) {
      const color = wire.color ?? pen.theme.accent;
      pen.curve(...wire.curve, { stroke: color, width: lit ? 2.4 : 1.5, alpha: lit || d.selected === pod ? 0.95 : 0.42, dash: wire.ready ? undefined : [3, 5] });
    }
  }
}

interface ServiceWire {
  curve: [Point, Point, Point, Point];
  ready: boolean;
  color?: string;
}

const MOST_WIRES = 80;

export function serviceWires(d: Pick<Drawing, "at" | "index" | "pen">, service: ServiceView, box: Box): Map<string, ServiceWire> {
  const wires = new Map<string, ServiceWire>();
  const from = topOf(box);
  for (const endpoint of d.index.endpointsOf(service)) {
    if (wires.size >= MOST_WIRES) break;
    const key = endpoint.pod?.startsWith("pods/") ? endpoint.pod : `pods/${endpoint.pod?.includes("/") ? "" : `${service.namespace}/`}${endpoint.pod}`;
    const place = d.at.pods.get(key);
    const pod = d.index.pods.get(key);
    if (!place || !pod) continue;
    const to = bottomOf(place.box);
    const bend = Math.max(30, (from.y - to.y) * 0.5);
    const { color } = d.index.versionOf(pod);
    wires.set(key, {
      curve: [from, { x: from.x, y: from.y - bend }, { x: to.x, y: to.y + bend }, to], ready: endpoint.ready,
      color: color < 0 ? undefined : d.pen.theme.versions[color % VERSION_COLORS],
    });
  }
  return wires;
}

const SHORT: Record<string, string> = {
  deployments: "Deployment", replicasets: "ReplicaSet", statefulsets: "StatefulSet", daemonsets: "DaemonSet", "rollouts.argoproj.io": "Rollout", jobs: "Job", cronjobs: "CronJob",
  replicationcontrollers: "RC",
};

/** A workload: wanted and there, and for a Deployment how its ReplicaSets share it. */
export function drawWorkload(d: Drawing, key: string, box: Box, graph = false): void {
  const workload = d.index.workloads.get(key);
  if (!workload) return;
  const { pen } = d;
  const { theme } = pen;
  const gone = workload.deleting !== null && workload.deleting !== undefined;
  pen.rect(box, { fill: theme.panel, stroke: d.selected === key ? theme.accent : theme.line, width: d.selected === key ? 2 : 1.1, radius: 10, dash: gone ? [4, 4] : undefined });
  const wanted = workload.desired ?? 0, ready = workload.ready ?? 0;
  const count = `${ready}/${wanted}`;
  const rolls = /^(deployments|statefulsets|daemonsets|rollouts\.argoproj\.io)\//.test(key);
  const done = ready === wanted && (!rolls || workload.updated === wanted);
  const countW = pen.width(count, { size: 13, weight: 700 });
  pen.text(count, box.x + box.w - 11, box.y + 17, { size: 13, weight: 700, align: "right", color: done ? theme.ok : theme.warn });
  pen.text(workload.name, box.x + 11, box.y + 17, { size: 12.2, weight: 650, max: box.w - 30 - countW });
  const kind = SHORT[resourceOf(key)] ?? workload.kind;
  const sets = graph ? [] : replicaSets(d, key);
  const kindW = pen.width(kind, { size: 10.4 });
  pen.text(kind, box.x + 11, box.y + 32, { size: 10.4, color: theme.soft, max: box.w - 22 });
  shares(d, sets, { x: box.x + 20 + kindW, y: box.y + 23, w: box.w - kindW - 31, h: 11 });
}

const replicaSets = (d: Drawing, key: string): WorkloadView[] =>
  [...(d.index.childrenOf.get(key) ?? [])].map((child) => d.index.workloads.get(child)).filter((child): child is WorkloadView => !!child && (child.desired > 0 || child.current > 0))
    .sort((a, b) => a.created - b.created);

/** One segment a ReplicaSet, as long as its share, in the colour and pattern of its version. */
function shares(d: Drawing, sets: WorkloadView[], box: Box): void {
  const whole = sets.reduce((sum, set) => sum + Math.max(set.desired, set.current), 0);
  if (!whole || box.w < 20) return;
  let x = box.x;
  for (const set of sets) {
    const part = { ...box, x, w: (box.w * Math.max(set.desired, set.current)) / whole - 2 };
    const look = versionOfSet(d, set);
    d.pen.rect(part, { stroke: look.color, radius: 4, dash: set.ready < set.desired ? [3, 3] : undefined });
    const filled = { ...part, w: (part.w * Math.min(set.ready, Math.max(set.desired, set.current))) / Math.max(1, set.desired, set.current) };
    d.pen.rect(filled, { fill: look.color, fillAlpha: 0.5, radius: 4 });
    d.pen.pattern(filled, 4, look.pattern, look.color, 0.9);
    x += part.w + 2;
  }
}

function versionOfSet(d: Drawing, set: WorkloadView): { color: string; pattern: number } {
  for (const key of d.index.childrenOf.get(`replicasets/${set.namespace}/${set.name}`) ?? []) {
    const pod = d.index.pods.get(key);
    if (!pod) continue;
    const { color, pattern } = d.index.versionOf(pod);
    return { color: color < 0 ? d.pen.theme.soft : d.pen.theme.versions[color % VERSION_COLORS]!, pattern };
  }
  return { color: d.pen.theme.soft, pattern: 0 };
}
