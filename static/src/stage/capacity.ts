// What a release costs while it runs: the CPU that all pods of an app ask for, against what they would ask for without one. Pure.
import type { ClusterIndex } from "../lab/index";
import { appOf, isSystem } from "../lab/index";
import type { PodView, ServiceView } from "../stream/views";

export interface Capacity {
  app: string;
  /** In thousandths of a core. */
  asked: number;
  /** By the pods that the app's busiest Service leads to, of each workload no more than it has pods in peace, each as large as before. */
  needed: number;
}

const over = (pod: PodView): boolean => pod.phase === "Succeeded" || pod.phase === "Failed";
const chosen = (service: ServiceView, pod: PodView): boolean => {
  const wanted = Object.entries(service.selector ?? {});
  return wanted.length > 0 && service.namespace === pod.namespace && wanted.every(([name, value]) => pod.labels?.[name] === value);
};

/** The app of a pod; an operator's primary belongs to the app that it was made of. */
export function familyOf(index: ClusterIndex, pod: PodView): string {
  const app = appOf(pod);
  const plain = app.replace(/-primary$/, "");
  return plain !== app && index.services.has(`services/${pod.namespace}/${plain.split("/").at(-1)}-canary`) ? plain : app;
}

/** Every app that a Service leads to, whose pods ask for CPU. */
export function capacities(index: ClusterIndex): Capacity[] {
  const services = [...index.services].filter(([, service]) => !isSystem(service));
  const found = new Map<string, { asked: number; by: Map<string, Map<string, PodView[]>> }>();
  for (const pod of index.pods.values()) {
    if (isSystem(pod) || over(pod) || !pod.cpu) continue;
    const app = familyOf(index, pod);
    const one = found.get(app) ?? { asked: 0, by: new Map<string, Map<string, PodView[]>>() };
    found.set(app, one);
    one.asked += pod.cpu;
    for (const [key, service] of services) {
      if (!chosen(service, pod)) continue;
      const roots = one.by.get(key) ?? new Map<string, PodView[]>(), root = rootOf(index, pod.owner);
      one.by.set(key, roots.set(root, [...(roots.get(root) ?? []), pod]));
    }
  }
  const needs = (roots: Map<string, PodView[]>): number => [...roots].reduce((sum, [root, pods]) => sum + inPeace(index, root, pods), 0);
  return [...found].filter(([, one]) => one.by.size).map(([app, one]) => ({ app, asked: one.asked, needed: Math.max(...[...one.by.values()].map(needs)) }));
}

/** The workload that people wrote: the owner's owner, as far as it goes. */
function rootOf(index: ClusterIndex, owner: string | null): string {
  for (let up = owner; up; up = index.workloads.get(up)?.owner ?? null) if (!index.workloads.get(up)?.owner) return up;
  return "";
}

/** What a workload's pods would ask for were none of them made or kept for a release: as many as it is to have, each of the oldest version's size. */
function inPeace(index: ClusterIndex, root: string, pods: PodView[]): number {
  const all = pods.reduce((sum, pod) => sum + pod.cpu!, 0), view = index.workloads.get(root);
  if (!view || view.kind === "Job" || view.kind === "DaemonSet") return all;
  const age = (pod: PodView): number => index.workloads.get(pod.owner ?? "")?.created ?? pod.created;
  const oldest = pods.reduce((first, pod) => (age(pod) < age(first) ? pod : first));
  return Math.min(all, view.desired * oldest.cpu!);
}

/** How many times what is needed is asked for: "×2.0". */
export const times = (one: Capacity): string => `×${(one.asked / one.needed).toFixed(1)}`;

/** Thousandths of a core, in cores. */
export const cores = (milli: number): string => String(Math.round(milli / 10) / 100);
