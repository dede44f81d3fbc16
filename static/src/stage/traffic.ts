// The traffic lens: who asks, through which route and Service, which pod of which version answers, and how a release stands. Pure.
import type { ClusterIndex } from "../lab/index";
import { isSystem } from "../lab/index";
import type { Components } from "../stream/types";
import type { CanaryView, PodView, RolloutView, ServiceView } from "../stream/views";
import { t } from "../i18n/t";
import { podCard, type Board, type Card, type Wire } from "./board";
import { capacities, cores, familyOf, times } from "./capacity";
import { natural } from "./geometry";
import type { Tone } from "./pod";
import { ingressCards, percent, podKey, routeCards, routeOf, total, type Led, type Shares } from "./routes";
import { doorsOf } from "./service";

export interface SourceNote {
  rate: number;
  to: string;
  sent?: number;
  answered?: number;
  failed?: number;
  p50?: number;
  p99?: number;
}

interface PodNote {
  served: number;
  errors: number;
  waiting: number;
  ms: number;
}

/** The service that an address leads to: by name, or by cluster IP. */
export function serviceOf(index: ClusterIndex, address: string, from = "default"): string | null {
  const host = /^(?:[a-z]+:\/\/)?([^/:]+)/.exec(address)?.[1] ?? "";
  const parts = host.split(".");
  const named = `services/${parts[1] ?? from}/${parts[0]}`;
  if (index.services.has(named) && (parts.length === 1 || parts[2] === undefined || parts[2] === "svc")) return named;
  for (const [key, service] of index.services) if (service.clusterIP === host || (Array.isArray(service.external) && service.external.includes(host))) return key;
  return null;
}

const shownService = (key: string, view: ServiceView): boolean => !isSystem(view) && key !== "services/default/kubernetes";
const decimal = (value: number): string => (value >= 100 || Number.isInteger(value) ? String(Math.round(value)) : value.toFixed(1));

export function trafficBoard(index: ClusterIndex, components: Components): Board {
  const notes = (components["traffic"] ?? {}) as { sources?: Record<string, SourceNote>; pods?: Record<string, PodNote>; shares?: Shares; led?: Led };
  const wires: Wire[] = [];
  const looks = looksOf(index);
  const routes = [...routeCards(index, notes.shares ?? {}, wires, notes.led), ...ingressCards(index, notes.shares ?? {}, wires, notes.led)];
  const sources = Object.entries(notes.sources ?? {}).map(([name, source]): Card => {
    const to = serviceOf(index, source.to);
    const failed = source.failed ?? 0;
    const route = to ? undefined : routeOf(index, source.to);
    if (to ?? route) wires.push({ from: `traffic/${name}`, to: (to ?? route)!, rate: source.rate, errors: to && !index.endpointsOf(index.services.get(to)!).some((endpoint) => endpoint.ready) ? source.rate : 0 });
    const latency = source.p50 ? t("half within {p50} ms, 99 % within {p99} ms", { p50: decimal(source.p50), p99: decimal(source.p99 ?? 0) }) : "";
    return {
      id: `traffic/${name}`, title: name, lines: [`${decimal(source.rate)}/s → ${source.to.replace(/^http:\/\//, "")}`, latency].filter(Boolean),
      tag: failed ? t("{count} failed", { count: failed }) : "", tone: "bad", link: false,
    };
  });
  const services = [...index.services].filter(([key, view]) => shownService(key, view)).sort((a, b) => natural(a[0], b[0]));
  const pods = new Map<string, Card>();
  const leading = new Map<string, string[]>();
  for (const [key, service] of services) for (const endpoint of index.endpointsOf(service)) {
    const pod = podKey(endpoint, service.namespace ?? "default");
    leading.set(pod, [...(leading.get(pod) ?? []), key]);
  }
  /** What a pod served came through the Services that lead to it, as much as each was asked. */
  const partOf = (service: string, pod: string, version: string): number => {
    const asked = (key: string): number => notes.shares?.[key]?.[version] ?? 0;
    const whole = (leading.get(pod) ?? []).reduce((sum, key) => sum + asked(key), 0);
    return whole ? asked(service) / whole : 1;
  };
  const cards = services.map(([key, service]): Card => {
    const endpoints = index.endpointsOf(service);
    for (const endpoint of endpoints) {
      const pod = podKey(endpoint, service.namespace ?? "default");
      const view = index.pods.get(pod);
      if (!view) continue;
      const note = notes.pods?.[`${view.namespace}/${view.name}`] ?? notes.pods?.[view.name] ?? notes.pods?.[pod];
      const mine = partOf(key, pod, view.version);
      wires.push({ from: key, to: pod, dashed: !endpoint.ready, rate: (note?.served ?? 0) * mine, errors: (note?.errors ?? 0) * mine, pod });
      pods.set(pod, trafficPod(pod, view, note));
    }
    const ready = endpoints.filter((endpoint) => endpoint.ready).length;
    const { address, type, nobody } = doorsOf(service);
    const measured = notes.shares?.[key] ?? {}, whole = total(measured);
    const shares = Object.entries(measured).filter(([, count]) => count).map(([version, count]) => ({ part: count / whole, pod: looks.get(`${service.namespace}/${version}`) }));
    return {
      id: key, title: service.name, link: true, ...(whole ? { shares } : {}),
      lines: [address, ...(sharesOf(notes.shares?.[key], versionsOf(index, service)) || [type])],
      tag: ready ? (ready === 1 ? t("1 endpoint") : t("{count} endpoints", { count: ready })) : nobody || t("nobody answers"), tone: ready || nobody ? "soft" : "bad",
    };
  });
  // Pods of the same apps that no Service leads to: they stand by, and cost what the others do.
  const apps = new Set([...pods.keys()].map((pod) => familyOf(index, index.pods.get(pod)!)));
  const idle = new Map<string, string[]>();
  for (const [key, pod] of index.pods) {
    if (pods.has(key) || isSystem(pod) || !apps.has(familyOf(index, pod))) continue;
    if (pod.ready && pod.owner) idle.set(pod.owner, [...(idle.get(pod.owner) ?? []), key]);
    else pods.set(key, { ...trafficPod(key, pod, undefined), ...(pod.ready ? { tag: t("idle"), tone: "soft" as const } : {}), dashed: true });
  }
  for (const [owner, keys] of idle) for (const card of idleCards(index, owner, keys)) pods.set(card.id, card);
  const costs = capacities(index).filter((one) => one.asked > one.needed * 1.001).map((one): Card => ({
    id: `capacity/${one.app}`, title: t("CPU of {app}", { app: one.app.split("/").at(-1)! }), lines: [t("{asked} cores requested, {needed} without a release", { asked: cores(one.asked), needed: cores(one.needed) }), ""],
    tag: times(one), tone: "warn", link: false, part: one.needed / one.asked,
  }));
  const note = notes.sources && Object.keys(notes.sources).length ? "" : t("No requests come from outside: this cluster has no sources of traffic. The wires show where they would go.");
  return { columns: [{ title: t("FROM"), cards: sources, below: { title: t("RELEASE"), cards: [...releaseCards(index), ...costs] } }, { title: t("ROUTES"), cards: routes }, { title: t("SERVICES"), cards }, { title: t("PODS"), cards: [...pods.values()] }].filter((column) => column.cards.length || column.below?.cards.length), wires, note };
}

/** A pod of each version that is there, by "namespace/version": what is counted by version gets its colour and pattern from it. */
function looksOf(index: ClusterIndex): Map<string, string> {
  const found = new Map<string, string>();
  for (const [key, pod] of index.pods) if (!isSystem(pod)) found.set(`${pod.namespace}/${pod.version}`, key);
  return found;
}

/** Pods of one owner that no Service leads to: a few one by one, more of them as one card. */
function idleCards(index: ClusterIndex, owner: string, keys: string[]): Card[] {
  const cards = keys.map((key): Card => ({ ...trafficPod(key, index.pods.get(key)!, undefined), tag: t("idle"), tone: "soft", dashed: true }));
  if (keys.length < 3 || !index.workloads.has(owner)) return cards;
  const first = index.pods.get(keys[0]!)!;
  return [{ ...cards[0]!, id: owner, short: undefined, title: owner.split("/").at(-1)!, lines: [t("{count} pods of {version} stand by", { count: keys.length, version: first.version })] }];
}

// Releases: where each one is.

/** Rollouts, Flagger's Canaries, and Deployments that are between two versions. */
function releaseCards(index: ClusterIndex): Card[] {
  const made: Card[] = [];
  const add = (id: string, title: string, tag: string, tone: Tone, lines: string[]): void => void made.push({ id, title, tag, tone, lines: lines.filter(Boolean), link: true });
  for (const [key, canary] of index.canaries) add(key, canary.name, canary.phase || "–", toneOf(canary.phase), canaryLines(canary));
  for (const [key, view] of index.workloads) {
    if (isSystem(view)) continue;
    if (view.kind === "Rollout") add(key, view.name, (view as RolloutView).phase || "–", toneOf((view as RolloutView).phase), rolloutLines(view as RolloutView));
    if (view.kind === "Deployment" && view.desired && (view.updated < view.desired || view.current > view.updated)) add(key, view.name, view.paused ? t("paused") : "Deployment", view.paused ? "warn" : "soft", [t("{updated} of {count} new, {available} available", { updated: view.updated, count: view.desired, available: view.available })]);
  }
  return made.slice(0, MOST_RELEASES);
}

const MOST_RELEASES = 6;

const toneOf = (phase: string): Tone => {
  if (phase === "Healthy" || phase === "Succeeded" || phase === "Initialized") return "ok";
  if (phase === "Degraded" || phase === "Failed") return "bad";
  return phase === "Paused" || phase.startsWith("Waiting") ? "warn" : "soft";
};

function rolloutLines(view: RolloutView): string[] {
  const kind = view.strategy === "blueGreen" ? "Rollout, blue-green" : "Rollout, canary";
  if (view.aborted) return [kind, t("aborted: {message}", { message: view.message.replace(/^RolloutAborted: /, "") })];
  if (view.strategy === "blueGreen") return [kind, view.active && view.new !== view.active ? t("active {active}, preview {preview}", { active: view.active, preview: view.new }) : ""];
  const weight = view.weights?.["canary"]?.weight;
  const at = view.step < view.steps.length && view.new !== view.stable ? t("step {step} of {count}: {text}", { step: view.step + 1, count: view.steps.length, text: view.steps[view.step]! }) : "";
  return [kind, [at, at && weight !== undefined ? t("weight {weight}", { weight }) : ""].filter(Boolean).join(" · ")];
}

function canaryLines(view: CanaryView): string[] {
  const at = view.iterations ? t("iteration {iteration} of {count}", { iteration: view.iteration, count: view.iterations }) : t("weight {weight}", { weight: view.weight });
  return ["Canary, Flagger", `${at} · ${t("{failed} of {count} checks failed", { failed: view.failed, count: view.threshold })}`];
}

/** How many ready pods of each version a service leads to. */
function versionsOf(index: ClusterIndex, service: ServiceView): Map<string, number> {
  const found = new Map<string, number>();
  for (const endpoint of index.endpointsOf(service)) {
    const pod = endpoint.ready ? index.pods.get(podKey(endpoint, service.namespace ?? "default")) : undefined;
    if (pod) found.set(pod.version, (found.get(pod.version) ?? 0) + 1);
  }
  return found;
}

/** How a service's requests were shared by version, beside the share of pods that decides it: "v1 9/10 · 90 %", "v2 1/10 · 10 %". */
export function sharesOf(versions: Record<string, number> | undefined, pods = new Map<string, number>()): string[] | null {
  const whole = total(versions), ready = [...pods.values()].reduce((sum, count) => sum + count, 0);
  const exact = (version: string): string => (pods.size > 1 && pods.has(version) ? `${pods.get(version)}/${ready} · ` : "");
  const lines = whole ? Object.entries(versions!).filter(([, count]) => count).map(([version, count]) => `${version === "nobody" ? t("no one") : version} ${exact(version)}${percent(count, whole)}`) : [];
  if (!lines.length) return null;
  return pods.size > 1 ? lines.slice(0, 3) : [lines.join(" · ")];
}

function trafficPod(key: string, pod: PodView, note: PodNote | undefined): Card {
  const figures = note ? [t("{count}/s in {ms} ms", { count: note.served, ms: decimal(note.ms) }), note.waiting ? t("{count} wait", { count: note.waiting }) : ""] : [];
  return { ...podCard(key, pod), short: note?.served ? t("{count}/s", { count: note.served }) : "", lines: [[pod.ip, pod.node].filter(Boolean).join(" · "), figures.filter(Boolean).join(" · ")].filter(Boolean), ...(note?.errors ? { tag: note.errors === 1 ? t("1 error") : t("{count} errors", { count: note.errors }), short: "", tone: "bad" as const } : {}) };
}

