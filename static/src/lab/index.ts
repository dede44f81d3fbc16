// What the state holds, arranged as the stage asks for it: pods by node, slices by service, owners by object. Kept up to date
// key by key, so that a frame costs what it changes and not what the cluster holds.
import type { State } from "../stream/reducer";
import type { View } from "../stream/types";
import { nameOf, resourceOf, type CanaryView, type EndpointSliceView, type EventView, type IngressView, type NodeView, type PodView, type RouteView, type ServiceView, type WorkloadView } from "../stream/views";
import { natural } from "../stage/geometry";

const WORKLOADS = new Set(["deployments", "replicasets", "statefulsets", "daemonsets", "jobs", "cronjobs", "replicationcontrollers", "rollouts.argoproj.io"]);
const NOWHERE = "";
/** As they were made. Pods of a ReplicaSet, of which there may be thousands, have random names: they need not stand as people count. */
function inOrder([oneKey, one]: [string, View], [otherKey, other]: [string, View]): number {
  if (one.created !== other.created) return one.created - other.created;
  if (isRandom(one) && isRandom(other)) return oneKey < otherKey ? -1 : 1;
  return natural(oneKey, otherKey);
}
const isRandom = (view: View): boolean => view.labels["pod-template-hash"] !== undefined && view.kind === "Pod";

interface VersionLook {
  color: number;
  pattern: number;
}

export class ClusterIndex {
  readonly nodes = new Map<string, NodeView>();
  readonly pods = new Map<string, PodView>();
  readonly services = new Map<string, ServiceView>();
  readonly slices = new Map<string, EndpointSliceView>();
  /** Classes, volumes and claims. */
  readonly storage = new Map<string, View>();
  readonly workloads = new Map<string, WorkloadView>();
  readonly routes = new Map<string, RouteView>();
  readonly ingresses = new Map<string, IngressView>();
  /** Flagger's. */
  readonly canaries = new Map<string, CanaryView>();
  /** Pod keys by node name; those without a node under "". */
  readonly podsByNode = new Map<string, Set<string>>();
  readonly childrenOf = new Map<string, Set<string>>();
  /** "namespace/app/version" in the order in which they first appeared in the cluster, as it tells: it decides colours and patterns. */
  readonly palette: string[] = [];
  private readonly looks = new Map<string, VersionLook>();
  /** When a probe of a pod failed last, by pod and kind: from the kubelet's events. */
  readonly failures = new Map<string, number>();
  /** Whether a pod of a person's own has, or had, a probe. */
  probed = false;
  private sortedNodes: string[] | null = null;
  private readonly placeOf = new Map<string, string>();
  private readonly ownerOf = new Map<string, string>();

  static of(state: State): ClusterIndex {
    const index = new ClusterIndex();
    index.number(state.components["versions"]);
    const entries = Object.entries(state.objects).sort(inOrder);
    for (const [key, view] of entries) index.put(key, view);
    return index;
  }

  /** Node names, control plane first, then as people count. */
  get nodeNames(): string[] {
    this.sortedNodes ??= [...this.nodes.values()]
      .sort((a, b) => Number(isControlPlane(b)) - Number(isControlPlane(a)) || natural(a.name, b.name))
      .map((node) => node.name);
    return this.sortedNodes;
  }

  get pending(): Set<string> {
    return this.podsByNode.get(NOWHERE) ?? new Set();
  }

  podsOn(node: string): Set<string> {
    return this.podsByNode.get(node) ?? new Set();
  }

  /** What is known of an object that the stage shows. */
  get(key: string): View | undefined {
    return this.pods.get(key) ?? this.workloads.get(key) ?? this.services.get(key) ?? this.slices.get(key) ?? this.storage.get(key) ?? (key.startsWith("nodes/") ? this.nodes.get(key.slice(6)) : undefined);
  }

  /** Takes in which versions there are: component `versions`. */
  number(versions: Record<string, unknown> = {}): void {
    for (const [name, color] of Object.entries(versions) as [string, number][]) {
      const app = name.slice(0, name.lastIndexOf("/") + 1);
      this.looks.set(name, { color, pattern: this.palette.filter((one) => one.startsWith(app)).length });
      this.palette[color] = name;
    }
  }

  /** Takes in one object; null when it is gone. */
  put(key: string, view: View | null): void {
    switch (resourceOf(key)) {
      case "pods":
        return this.putPod(key, view as PodView | null);
      case "nodes": {
        const name = key.slice("nodes/".length);
        if (view) this.nodes.set(name, view as NodeView);
        else this.nodes.delete(name);
        this.sortedNodes = null;
        return;
      }
      case "httproutes.gateway.networking.k8s.io":
        return void (view ? this.routes.set(key, view as RouteView) : this.routes.delete(key));
      case "ingresses":
        return void (view ? this.ingresses.set(key, view as IngressView) : this.ingresses.delete(key));
      case "canaries.flagger.app":
        return void (view ? this.canaries.set(key, view as CanaryView) : this.canaries.delete(key));
      case "services":
        return void (view ? this.services.set(key, view as ServiceView) : this.services.delete(key));
      case "storageclasses":
      case "persistentvolumes":
      case "persistentvolumeclaims":
      case "volumeattachments":
        return void (view ? this.storage.set(key, view) : this.storage.delete(key));
      case "events":
        return this.putEvent(view as EventView | null);
      case "endpointslices":
        return void (view ? this.slices.set(key, view as EndpointSliceView) : this.slices.delete(key));
    }
    if (!WORKLOADS.has(resourceOf(key))) return;
    if (view) this.workloads.set(key, view as WorkloadView);
    else this.workloads.delete(key);
    this.own(key, view?.owner ?? null);
  }

  private putEvent(view: EventView | null): void {
    const kind = view?.reason === "Unhealthy" ? /^(Startup|Liveness|Readiness) probe/.exec(view.message)?.[1] : undefined;
    if (kind) this.failures.set(`${view!.about}/${kind.toLowerCase()}`, view!.last);
  }

  private putPod(key: string, view: PodView | null): void {
    const before = this.placeOf.get(key);
    const place = view ? (view.node ?? NOWHERE) : undefined;
    if (before !== place) {
      if (before !== undefined) this.podsByNode.get(before)?.delete(key);
      if (place === undefined) this.placeOf.delete(key);
      else {
        this.placeOf.set(key, place);
        let there = this.podsByNode.get(place);
        if (!there) this.podsByNode.set(place, (there = new Set()));
        there.add(key);
      }
    }
    if (view) {
      this.pods.set(key, view);
      this.probed ||= !isSystem(view) && (view.containers?.some((one) => one.probes) ?? false);
    } else this.pods.delete(key);
    this.own(key, view?.owner ?? null);
  }

  private own(key: string, owner: string | null): void {
    const before = this.ownerOf.get(key);
    if (before === (owner ?? undefined)) return;
    if (before) this.childrenOf.get(before)?.delete(key);
    if (!owner) return void this.ownerOf.delete(key);
    this.ownerOf.set(key, owner);
    const children = this.childrenOf.get(owner);
    if (children) children.add(key);
    else this.childrenOf.set(owner, new Set([key]));
  }

  /** The colour and the pattern of a pod's version: indexes that count in the order of first appearance; -1 for the system's. */
  versionOf(pod: PodView): VersionLook {
    if (isSystem(pod)) return { color: -1, pattern: 0 };
    const name = `${plainOf(appOf(pod))}/${pod.version}`, look = this.looks.get(name);
    if (look) return look;
    // The cluster numbers only so many: the others look like their names, which is the same for everyone, too.
    let sum = 0;
    for (const letter of name) sum = (sum * 31 + letter.charCodeAt(0)) % 9973;
    return { color: sum, pattern: sum };
  }

  /** Slices of a service. */
  endpointsOf(service: ServiceView): EndpointSliceView["endpoints"] {
    const found = [];
    for (const slice of this.slices.values()) {
      if (slice.namespace === service.namespace && serviceOf(slice) === service.name) found.push(...slice.endpoints);
    }
    return found;
  }
}

/** The app that an operator's primary was made of (Flagger's NAME-primary): its versions look the same. */
const plainOf = (app: string): string => app.replace(/-primary$/, "");
/** What a version is a version of: the app by its labels, or else as its controller or itself is called. */
export const appOf = (view: { namespace?: string; app: string; name: string; owner?: string | null }): string =>
  `${view.namespace}/${view.app || nameOf(view.owner ?? view.name)}`;

const serviceOf = (slice: EndpointSliceView): string => {
  const name = slice.service ?? slice.labels["kubernetes.io/service-name"] ?? "";
  return name.slice(name.lastIndexOf("/") + 1);
};

export const isControlPlane = (node: NodeView): boolean => node.roles?.includes("control-plane") ?? false;
export const isSystem = (view: View): boolean => view.namespace === "kube-system";
