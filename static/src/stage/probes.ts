// What the probes of a pod's containers say, as the API server lets one know it: from statuses, and from events about probes that failed. Pure.
import { t } from "../i18n/t";
import type { ClusterIndex } from "../lab/index";
import type { PodView } from "../stream/views";
import type { Box } from "./geometry";
import type { Pen } from "./pen";

export type ProbeState = "ok" | "waiting" | "failing";
export type ProbeKind = "startup" | "liveness" | "readiness";
const KINDS: ProbeKind[] = ["startup", "liveness", "readiness"];
const RANK: ProbeState[] = ["ok", "waiting", "failing"];
/** An event's time is a whole second. */
const ROUNDING_MS = 1000;

/** Each kind of probe that the pod has, with the worst that is known of it over its containers. */
export function probesOf(pod: PodView, key: string, index: ClusterIndex, time: number): [ProbeKind, ProbeState][] {
  const found = new Map<ProbeKind, ProbeState>();
  for (const container of pod.containers ?? []) {
    for (const kind of KINDS) {
      const period = container.probes?.[kind];
      if (period === undefined || (container.init && container.state === "terminated")) continue;
      const failed = (index.failures.get(`${key}/${kind}`) ?? -1) + ROUNDING_MS > (container.since ?? 0);
      const running = container.state === "running";
      let state: ProbeState = "waiting";
      if (running && kind === "startup") state = container.started ? "ok" : failed ? "failing" : "waiting";
      else if (running && container.started && kind === "readiness") state = container.ready ? "ok" : failed ? "failing" : "waiting";
      // A liveness probe that failed and was not heard of for two periods has come to succeed again.
      else if (running && container.started && kind === "liveness") state = failed && time - index.failures.get(`${key}/${kind}`)! <= 2 * period * 1000 + ROUNDING_MS ? "failing" : "ok";
      const known = found.get(kind);
      if (!known || RANK.indexOf(state) > RANK.indexOf(known)) found.set(kind, state);
    }
  }
  return KINDS.flatMap((kind) => (found.has(kind) ? [[kind, found.get(kind)!] as [ProbeKind, ProbeState]] : []));
}

const WORDS: Record<ProbeState, string> = { ok: "succeeds", waiting: "waits", failing: "fails" };
/** "readiness fails": for those who cannot see it. */
export const probeWords = (probes: [ProbeKind, ProbeState][]): string => probes.map(([kind, state]) => `${t(kind)} ${t(WORDS[state])}`).join(", ");

const W = 17, H = 13, GAP = 4;
export const probesWidth = (count: number): number => count * (W + GAP) - GAP;

/** One small plate for each kind: its letter, filled when it succeeds, dashed while it waits, crossed out when it fails. */
export function drawProbes(pen: Pen, probes: [ProbeKind, ProbeState][], x: number, y: number, alpha: number): void {
  const { theme } = pen;
  for (const [kind, state] of probes) {
    const color = state === "ok" ? theme.ok : state === "failing" ? theme.bad : theme.soft;
    const box: Box = { x, y, w: W, h: H };
    pen.rect(box, { fill: theme.panel, alpha: alpha * 0.8, radius: 4 });
    pen.rect(box, { fill: color, fillAlpha: state === "waiting" ? 0 : 0.16, stroke: color, width: state === "failing" ? 1.6 : 1.1, dash: state === "waiting" ? [2, 2] : undefined, radius: 4, alpha });
    pen.text(kind[0]!.toUpperCase(), x + W / 2, y + H - 3, { size: 9.6, weight: 700, align: "center", color, alpha });
    if (state === "failing") pen.line([{ x: x + 1, y: y + H - 1 }, { x: x + W - 1, y: y + 1 }], { stroke: color, width: 1.2, alpha });
    x += W + GAP;
  }
}
