// What a release costs while it runs: the CPU that all pods of an app ask for, against what the largest of its Services asks for. Pure.
import type { ClusterIndex } from "../lab/index";
import { appOf, isSystem } from "../lab/index";
import type { PodView, ServiceView } from "../stream/views";

export interface Capacity {
  app: string;
  /** In thousandths of a core. */
  asked: number;
  /** By the pods of the Service that has most of them: one version of the app, or all that share a Service. */
  serves: number;
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
  const found = new Map<string, { asked: number; by: Map<string, number> }>();
  for (const pod of index.pods.values()) {
    if (isSystem(pod) || over(pod) || !pod.cpu) continue;
    const app = familyOf(index, pod);
    const one = found.get(app) ?? { asked: 0, by: new Map<string, number>() };
    found.set(app, one);
    one.asked += pod.cpu;
    for (const [key, service] of services) if (chosen(service, pod)) one.by.set(key, (one.by.get(key) ?? 0) + pod.cpu);
  }
  return [...found].filter(([, one]) => one.by.size).map(([app, one]) => ({ app, asked: one.asked, serves: Math.max(...one.by.values()) }));
}

/** How many times what serves is asked for: "×2.0". */
export const times = (one: Capacity): string => `×${(one.asked / one.serves).toFixed(1)}`;

/** Thousandths of a core, in cores. */
export const cores = (milli: number): string => String(Math.round(milli / 10) / 100);
