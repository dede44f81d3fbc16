// What has to do with an object: who owns it, what it owns, where it runs, what selects it, what it mounts. Pure.
import type { View } from "../stream/types";
import { resourceOf, type PodView, type ServiceView, type WorkloadView } from "../stream/views";

export type Relation = [kind: string, key: string];
const MOST = 40;

const matches = (selector: Record<string, string> | null | undefined, labels: Record<string, string>): boolean => {
  const wanted = Object.entries(selector ?? {});
  return wanted.length > 0 && wanted.every(([name, value]) => labels[name] === value);
};

export function related(objects: Record<string, View>, key: string): Relation[] {
  const view = objects[key];
  if (!view) return [];
  const found: Relation[] = [];
  for (let owner = view.owner, depth = 0; owner && depth < 6; owner = objects[owner]?.owner ?? null, depth++) found.push(["owned by", owner]);
  const resource = resourceOf(key);
  if (resource === "pods") found.push(...ofPod(objects, key, view as PodView));
  for (const [other, one] of Object.entries(objects)) {
    if (found.length >= MOST) break;
    const relation = between(view, key, other, one);
    if (relation) found.push([relation, other]);
  }
  return found;
}

function ofPod(objects: Record<string, View>, key: string, pod: PodView): Relation[] {
  const found: Relation[] = pod.node ? [["runs on", `nodes/${pod.node}`]] : [];
  for (const claim of pod.claims ?? []) found.push(["mounts", `persistentvolumeclaims/${pod.namespace}/${claim}`]);
  for (const [other, one] of Object.entries(objects)) if (one.kind === "Service" && one.namespace === pod.namespace && matches((one as ServiceView).selector, pod.labels)) found.push(["reached through", other]);
  return found.filter(([, other]) => other in objects || other.startsWith("nodes/")).filter(([, other]) => other !== key);
}

function between(view: View, key: string, other: string, one: View): string {
  if (one.owner === key) return "owns";
  if (view.kind === "Service" && one.kind === "Pod" && one.namespace === view.namespace && matches((view as ServiceView).selector, one.labels)) return "sends to";
  if (view.kind === "Service" && other.startsWith("endpointslices/") && one.labels["kubernetes.io/service-name"] === view.name && one.namespace === view.namespace) return "endpoints";
  if (view.kind === "Node" && one.kind === "Pod" && (one as PodView).node === view.name) return "runs";
  if (one.kind === "HorizontalPodAutoscaler" && (one as View & { target?: string }).target === key) return "scaled by";
  if (one.kind === "PodDisruptionBudget" && one.namespace === view.namespace && matches((one as unknown as WorkloadView).selector, view.labels)) return "protected by";
  if (view.kind === "PersistentVolumeClaim" && one.kind === "Pod" && one.namespace === view.namespace && (one as PodView).claims?.includes(view.name)) return "mounted by";
  if (view.kind === "PersistentVolumeClaim" && other === `persistentvolumes/${(view as View & { volume?: string }).volume}`) return "bound to";
  if (view.kind === "PersistentVolume" && other === `persistentvolumeclaims/${(view as View & { claim?: string }).claim}`) return "bound to";
  return "";
}
