// What the stage knows of an object, by kind. The stream's schema fixes the common fields only; docs/stream-protocol.md the rest.
import type { View } from "./types";

export interface ContainerView {
  name: string;
  image: string;
  state: string;
  reason: string;
  ready: boolean;
  restarts: number;
  init: boolean;
  /** Its probes and their periods in seconds; absent where it has none, as the two that follow. */
  probes?: Partial<Record<"startup" | "liveness" | "readiness", number>>;
  started?: boolean;
  /** When it was started, simulated ms. */
  since?: number;
}

export interface PodView extends View {
  phase: string;
  status: string;
  ready: boolean;
  readyText: string;
  restarts: number;
  node: string | null;
  ip: string;
  containers: ContainerView[];
  version: string;
  app: string;
  cpu: number;
  memory: number;
  /** Where any container has one. */
  cpuLimit?: number;
  memoryLimit?: number;
  graceUntil: number | null;
  qos: string;
  /** Names of the claims that it mounts; absent where it mounts none. */
  claims?: string[];
  /** The NoExecute taints that it bears: key ("" for all), value (null for any), seconds (null for ever). Absent: the usual two. */
  tolerates?: [string, string | null, number | null][];
}

export interface NodeView extends View {
  ready: string;
  schedulable: boolean;
  roles: string[];
  /** `added`: since when it holds, simulated ms. */
  taints: { key: string; value: string; effect: string; added?: number }[];
  cpu: number;
  memory: number;
  pods: number;
  ip: string;
  runtime: string;
  conditions: { type: string; status: string; reason: string }[];
}

export interface ServiceView extends View {
  type: string;
  clusterIP: string;
  ports: { name: string; port: number; targetPort: number | string; nodePort: number; protocol: string }[];
  selector: Record<string, string> | null;
  external: string[] | string;
}

export interface EndpointSliceView extends View {
  service: string;
  endpoints: { ip: string; ready: boolean; terminating: boolean; node: string; pod: string }[];
}

export interface WorkloadView extends View {
  desired: number;
  current: number;
  ready: number;
  updated: number;
  available: number;
  revision: string;
  selector: Record<string, string> | null;
  paused: boolean;
  images: string[];
}

/** A Rollout of Argo's kind: a workload, and where its release is. */
export interface RolloutView extends WorkloadView {
  phase: string;
  message: string;
  strategy: "canary" | "blueGreen";
  steps: string[];
  step: number;
  aborted: boolean;
  stable: string;
  new: string;
  active: string;
  preview: string;
  weights: Record<string, { weight: number; service: string }>;
}

export interface MetricView {
  name: string;
  condition: string;
  phase: string;
  count: number;
  wanted?: number | string | null;
  failed: number;
  limit: number | string;
  inconclusive: number;
  errors: number;
  measurements: { phase: string; value: string; time: number }[];
}

/** A Canary of Flagger's: the Deployment that it has taken over, and how far its release is. */
export interface CanaryView extends View {
  target: string;
  phase: string;
  message: string;
  provider: string;
  weight: number;
  wanted: number;
  iteration: number;
  iterations: number;
  failed: number;
  threshold: number;
  skip: boolean;
  suspended: boolean;
  /** Webhooks that people open and close; `path`: where the address stands in the spec. */
  gates: { name: string; type: string; url: string; path: string }[];
}

export interface AnalysisRunView extends View {
  phase: string;
  message: string;
  metrics: MetricView[];
}

export interface RouteView extends View {
  hostnames: string[];
  rules: { backends: { service: string; weight: number }[]; headers: string[]; mirrors: string[] }[];
}

/** An Ingress; with `canary`, of ingress-nginx, it stands beside another one of the same host and path. */
export interface IngressView extends View {
  paths: { host: string; path: string; service: string }[];
  canary?: { weight: number; total: number; header?: string; cookie?: string };
}

export interface EventView extends View {
  reason: string;
  type: string;
  message: string;
  about: string;
  count: number;
  source: string;
  last: number;
  /** The revision at which it was written last. */
  written: number;
}

/** The plural resource name that starts an object's key: "pods" in "pods/default/web-1". */
export const resourceOf = (key: string): string => key.slice(0, key.indexOf("/") < 0 ? key.length : key.indexOf("/"));

/** The last part of an object's key. */
export const nameOf = (key: string): string => key.slice(key.lastIndexOf("/") + 1);

/** The namespace in an object's key; "" for a cluster-scoped one. */
export const namespaceOf = (key: string): string => {
  const parts = key.split("/");
  return parts.length > 2 ? (parts[1] ?? "") : "";
};
