// What counts down on a node: how long its taints leave its pods, and how far pulls of images have come. Pure.
// Mirrors clusterlab/controllers' taint eviction and clusterlab/runtime.
import { t } from "../i18n/t";
import type { Components } from "../stream/types";
import type { NodeView, PodView } from "../stream/views";
import { clamp } from "./geometry";

type Toleration = [key: string, value: string | null, seconds: number | null];
/** What the API server gives every pod. */
const USUAL: Toleration[] = [["node.kubernetes.io/not-ready", null, 300], ["node.kubernetes.io/unreachable", null, 300]];

export interface Eviction {
  /** When the pod is deleted, simulated ms. */
  at: number;
  /** How long it was given in all, ms. */
  of: number;
}

/** When a pod has to go for the taints of its node; null: it may stay, or the taint does not say since when it holds. */
export function evictionOf(pod: PodView, node: NodeView | undefined): Eviction | null {
  let first: Eviction | null = null;
  for (const taint of node?.taints ?? []) {
    if (taint.effect !== "NoExecute" || taint.added === undefined) continue;
    const bearing = (pod.tolerates ?? USUAL).filter(([key, value]) => (key === "" || key === taint.key) && (value === null || value === taint.value));
    if (bearing.some(([, , seconds]) => seconds === null)) continue;
    const of = Math.max(0, ...bearing.map(([, , seconds]) => seconds ?? 0)) && Math.min(...bearing.map(([, , seconds]) => seconds ?? Infinity)) * 1000;
    const at = taint.added + of;
    if (!first || at < first.at) first = { at, of };
  }
  return first;
}

/** A time that is left: 4:03, or 42 s. */
export function left(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  return seconds < 60 ? t("{seconds} s", { seconds }) : `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

const SAID_OTHERWISE = /^(node-role\.kubernetes\.io\/|node\.kubernetes\.io\/unschedulable$)/;

/** The taints that a node's card tells, one a key: what the control plane's card and "cordoned" say already is left out. */
export function taintsOf(node: NodeView | undefined): { words: string; hard: boolean }[] {
  const effects = new Map<string, string[]>();
  for (const taint of node?.taints ?? []) {
    if (SAID_OTHERWISE.test(taint.key)) continue;
    const name = taint.key.replace(/^node\.kubernetes\.io\//, "") + (taint.value ? `=${taint.value}` : "");
    effects.set(name, [...(effects.get(name) ?? []), taint.effect]);
  }
  return [...effects].map(([name, all]) => ({ words: `${name}: ${all.includes("NoExecute") ? "NoExecute" : all.join(", ")}`, hard: all.includes("NoExecute") }));
}

export interface Pull {
  /** 0 to 1. */
  part: number;
  /** The sizes of the layers that come, bytes. */
  layers: number[];
}

/** How far the image that a pod waits for has come; null where it waits for none. */
export function pullOf(components: Components, pod: PodView, time: number): Pull | null {
  if (!pod.node) return null;
  const pulls = components[`runtime/${pod.node}`]?.["pulls"] as [string, number, number, number[]][] | undefined;
  if (!pulls?.length) return null;
  const waiting = pod.containers.filter((container) => container.state === "waiting");
  const pull = pulls.find(([image]) => waiting.some((container) => container.image === image || container.image.endsWith(`/${image}`)));
  if (!pull || pull[2] <= pull[1]) return null;
  return { part: clamp((time - pull[1]) / (pull[2] - pull[1]), 0, 1), layers: pull[3] };
}
