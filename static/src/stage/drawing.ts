// What every drawing module gets: the pen, the places, the cluster as it is shown now.
import type { ClusterIndex } from "../lab/index";
import type { DecisionAnswer, LoopsAnswer, UsageAnswer } from "../lab/api";
import type { Components, Heading } from "../stream/types";
import type { Box } from "./geometry";
import type { Layout } from "./layout";
import type { Pen } from "./pen";

export interface Drawing {
  pen: Pen;
  at: Layout;
  index: ClusterIndex;
  components: Components;
  /** Simulated time, ms. */
  time: number;
  selected: string;
  lastBy: Map<string, Heading>;
  /** The scheduler's last decision in full, and the pod that it was about. */
  decision: DecisionAnswer | null;
  decisionOf: string;
  /** What nodes and pods use now, as far as the page has asked. */
  usage: UsageAnswer | null;
  loops: LoopsAnswer | null;
  /** Who holds the leases of the control plane, by program. */
  leases: Record<string, string>;
  /** Who wins is not told: the class is asked. */
  asking: boolean;
}

export interface CardStyle {
  title?: string | string[];
  /** The first of several that fits. */
  subtitle?: string | string[];
  /** How wide the line below the heading may be, where something stands beside it. */
  room?: number;
  selected?: boolean;
  dead?: boolean;
}

/** A card of the stage with its heading. */
export function drawCard({ pen }: Drawing, box: Box, style: CardStyle): void {
  const { theme } = pen;
  pen.rect({ ...box, y: box.y + 2 }, { fill: theme.shadow, fillAlpha: 0.5, radius: 12 });
  pen.rect(box, {
    fill: theme.panel, stroke: style.selected ? theme.accent : theme.line, width: style.selected ? 2 : 1.1, radius: 12, dash: style.dead ? [5, 4] : undefined,
  });
  const max = Math.min(box.w - 24, style.room ?? Infinity);
  const pad = box.w < 110 ? 9 : 13;
  const titles = [style.title ?? ""].flat();
  const title = titles.find((one) => pen.width(one, { size: 13.5, weight: 650 }) <= box.w - pad - 6) ?? titles.at(-1)!;
  const size = pen.width(title, { size: 13.5, weight: 650 }) > box.w - 2 * pad ? 12 : 13.5;
  if (title) pen.text(title, box.x + pad, box.y + 22, { size, weight: 650, max: box.w - pad - 5, color: style.dead ? theme.soft : theme.text });
  const subtitles = [style.subtitle ?? ""].flat();
  const low = box.h < 50 ? 3 : 0;
  const subtitle = subtitles.find((one) => pen.width(one, { size: 11.2 }) <= max) ?? (subtitles.length > 1 ? "" : subtitles[0]!);
  if (subtitle) pen.text(subtitle, box.x + pad, box.y + 38 - low, { size: 11.2, color: theme.soft, max });
}

/** A rounded label: a controller, a kubelet. */
export function drawPlug({ pen }: Drawing, box: Box, words: string, style: { up?: boolean; selected?: boolean; count?: number } = {}): void {
  const { theme } = pen;
  const up = style.up ?? true;
  pen.rect(box, { fill: theme.raise, stroke: style.selected ? theme.accent : theme.line, width: style.selected ? 2 : 1.1, radius: Math.min(8, box.h / 2), dash: up ? undefined : [3, 3] });
  const count = style.count ?? 0;
  const room = box.w - (count ? 24 : 8);
  pen.text(words, box.x + (count ? 8 + room / 2 - 2 : box.w / 2), box.y + box.h / 2 + 3.8, { size: 10.8, align: "center", max: room, color: up ? theme.text : theme.soft });
  if (!up) pen.line([{ x: box.x + 5, y: box.y + box.h / 2 }, { x: box.x + box.w - 5, y: box.y + box.h / 2 }], { stroke: theme.bad, width: 1.4 });
  if (!count) return;
  const badge = { x: box.x + box.w - 20, y: box.y + 3.5, w: 16, h: box.h - 7 };
  pen.rect(badge, { fill: theme.warn, radius: 7 });
  pen.text(count > 99 ? "99+" : String(count), badge.x + 8, badge.y + badge.h / 2 + 3.4, { size: 9.5, weight: 700, align: "center", color: theme.onAccent });
}

export const numberOf = (value: unknown): number => (typeof value === "number" ? value : 0);

export interface Fault {
  id: string;
  kind: string;
  target: string;
}

export const faultsOf = (components: Components): Fault[] => (components["faults"]?.["list"] as Fault[] | undefined) ?? [];

/** What a fault has done to a node, whether or not the cluster has noticed yet. */
export function nodeFault(components: Components, node: string): "node-down" | "node-cut-off" | null {
  const kind = faultsOf(components).find((fault) => fault.target === node && (fault.kind === "node-down" || fault.kind === "node-cut-off"))?.kind;
  return (kind as "node-down" | "node-cut-off" | undefined) ?? null;
}

const TROUBLES: Record<string, string> = { "runtime-stop": "runtime down", "certificate-expired": "certificate expired", "clock-skew": "clock wrong" };

/** What else is wrong with a node, in two words; "" where nothing is. */
export const nodeTrouble = (components: Components, node: string): string =>
  TROUBLES[faultsOf(components).find((fault) => fault.target === node && fault.kind in TROUBLES)?.kind ?? ""] ?? "";

/** Whether somebody floods the API server. */
export const isFlooded = (components: Components): boolean => faultsOf(components).some((fault) => fault.kind === "api-overload");

/** Whether a program runs. */
export function isUp(components: Components, name: string): boolean {
  if (components[name]?.["up"] === false) return false;
  const node = name.includes("/") ? name.slice(name.indexOf("/") + 1) : "";
  return !faultsOf(components).some((fault) =>
    (fault.kind === "component-stop" && fault.target === name) || (fault.kind === "kubelet-stop" && name === `kubelet/${fault.target}`)
    || (fault.kind === "runtime-stop" && name === `runtime/${fault.target}`) || (fault.kind === "node-down" && fault.target === node) || (fault.kind === "etcd-kill" && fault.target === name));
}
