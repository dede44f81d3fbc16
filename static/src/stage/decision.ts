// The scheduling lens: one decision in full. Nodes that were filtered out say by which plugin and why; the others' scores are a
// table of plugins with a bar. While the class is asked, who wins is not told.
import { t } from "../i18n/t";
import type { DecisionAnswer } from "../lab/api";
import { nameOf } from "../stream/views";
import type { Drawing } from "./drawing";
import { clamp, natural, type Box } from "./geometry";

const LINE = 25;
const SHORT: Record<string, string> = {
  NodeResourcesBalancedAllocation: "Balance", NodeResourcesFit: "Fit", PodTopologySpread: "Spread", TaintToleration: "Taints", InterPodAffinity: "PodAffinity",
  NodeAffinity: "Affinity", ImageLocality: "Image", VolumeBinding: "Volumes",
};

type Plugin = [name: string, color: string];

export function drawDecision(d: Drawing, pod: string): void {
  const { pen, at, decision, asking } = d;
  const { theme } = pen;
  if (!decision) return;
  const { x, y, w, h } = at.scores;
  const scored = Object.entries(decision.final ?? {}).sort((a, b) => (asking ? 0 : b[1] - a[1]) || natural(a[0], b[0]));
  const refused = Object.entries(decision.filtered ?? {}).sort((a, b) => natural(a[0], b[0]));
  pen.text(nameOf(pod), x, y - (at.scheduler.w - 24 >= 420 ? 42 : 24), { size: 13, weight: 650, mono: true, max: w });
  const foot = notes(d, decision, { x, y: y + h - 6, w });
  const plugins = pluginsOf(d, decision.scores);
  const columns = columnsOf(d, plugins, { x, y, w, h });
  if (scored.length) header(d, plugins, columns, y + 2);
  const top = y + (scored.length ? 10 : -8);
  const rows = Math.max(1, Math.floor((y + h - foot - top) / LINE));
  const all = scored.length + refused.length;
  const shown = all > rows ? rows - 1 : rows;
  const winners = scored.slice(0, Math.max(1, shown - Math.min(refused.length, Math.floor(shown / 2))));
  const most = Math.max(1, ...scored.map(([, total]) => total));
  let line = 0;
  for (const [node, total] of winners) scoreRow(d, decision, node, total / most, plugins, columns, top + line++ * LINE);
  for (const [node, [plugin, reason]] of refused.slice(0, Math.max(0, shown - line))) refusedRow(d, node, plugin, reason, columns, top + line++ * LINE);
  if (line < all) pen.text(t("and {count} more", { count: all - line }), x, top + line * LINE + 15, { size: 11.4, color: theme.soft });
}

interface Columns {
  x: number;
  right: number;
  nameW: number;
  bar: Box;
  cells: number[];
  cellW: number;
}

function columnsOf({ pen }: Drawing, plugins: Plugin[], box: Box): Columns {
  const nameW = clamp(box.w * 0.16, 70, 120);
  const total = 46;
  const wanted = Math.max(44, ...plugins.map(([name]) => pen.width(SHORT[name] ?? name, { size: 10.4 }) + 14));
  const cellW = Math.min(wanted, (box.w - nameW - total - 90) / Math.max(1, plugins.length));
  const shown = cellW >= 40 ? plugins.length : 0;
  const bar = { x: box.x + nameW, y: box.y, w: box.w - nameW - total - shown * cellW - 8, h: 14 };
  const first = bar.x + bar.w + 8;
  return { x: box.x, right: box.x + box.w, nameW, bar, cells: plugins.slice(0, shown).map((_, i) => first + (i + 1) * cellW - 6), cellW };
}

function header({ pen }: Drawing, plugins: Plugin[], columns: Columns, y: number): void {
  const { theme } = pen;
  plugins.forEach(([name, color], i) => {
    const right = columns.cells[i];
    if (right === undefined) return;
    const words = SHORT[name] ?? name;
    const w = Math.min(pen.width(words, { size: 10.4 }), columns.cellW - 14);
    pen.rect({ x: right - w - 11, y: y - 7.5, w: 7.5, h: 7.5 }, { fill: color, radius: 2 });
    pen.text(words, right, y, { size: 10.4, color: theme.soft, align: "right", max: columns.cellW - 13 });
  });
  pen.text(t("total"), columns.right, y, { size: 10.4, color: theme.soft, align: "right" });
}

function scoreRow(d: Drawing, decision: DecisionAnswer, node: string, part: number, plugins: Plugin[], columns: Columns, y: number): void {
  const { pen, asking } = d;
  const { theme } = pen;
  const chosen = !asking && node === decision.chosen;
  const base = y + 17;
  if (chosen) pen.rect({ x: columns.x - 8, y: y + 2, w: columns.right - columns.x + 14, h: LINE - 3 }, { fill: theme.accent, fillAlpha: 0.12, stroke: theme.accent, width: 1.3, radius: 7 });
  pen.text(node, columns.x, base, { size: 12.2, weight: chosen ? 700 : 500, max: columns.nameW - 8, color: chosen ? theme.accent : theme.text });
  pen.rect({ ...columns.bar, y: y + 6 }, { fill: theme.raise, radius: 4 });
  if (asking) return void pen.text("?", columns.right, base, { size: 13, weight: 700, align: "right", color: theme.soft });
  const scores = decision.scores[node] ?? {};
  const whole = Object.values(scores).reduce((sum, score) => sum + score, 0) || 1;
  let x = columns.bar.x;
  plugins.forEach(([plugin, color], i) => {
    const score = scores[plugin] ?? 0;
    const w = (columns.bar.w * part * score) / whole;
    if (w > 0.6) pen.rect({ x, y: y + 6, w: w - 0.8, h: columns.bar.h }, { fill: color, fillAlpha: chosen ? 1 : 0.5, radius: 3 });
    x += w;
    const right = columns.cells[i];
    if (right !== undefined) pen.text(String(score), right, base, { size: 11.6, mono: true, align: "right", color: score ? theme.text : theme.soft });
  });
  pen.text(String(decision.final[node]), columns.right, base, { size: 12.4, mono: true, align: "right", weight: 700, color: chosen ? theme.accent : theme.text });
}

function refusedRow({ pen }: Drawing, node: string, plugin: string, reason: string, columns: Columns, y: number): void {
  const { theme } = pen;
  pen.text(node, columns.x, y + 17, { size: 12.2, color: theme.soft, max: columns.nameW - 8 });
  const x = columns.bar.x;
  const w = pen.width(plugin, { size: 11, weight: 600 }) + 14;
  pen.glyph("cross", { x: x + 5, y: y + 13 }, 4.5, theme.bad);
  pen.rect({ x: x + 15, y: y + 4, w, h: 18 }, { stroke: theme.bad, width: 1, radius: 9 });
  pen.text(plugin, x + 22, y + 17, { size: 11, weight: 600, color: theme.bad });
  pen.text(reason, x + 15 + w + 8, y + 17, { size: 11.4, color: theme.text, max: columns.right - x - w - 24 });
}

/** What else decided: a draw, preemption, nothing found. Written from the bottom up; returns the height taken. */
function notes({ pen, asking }: Drawing, decision: DecisionAnswer, at: { x: number; y: number; w: number }): number {
  const lines: [string, string][] = [];
  const count = Object.keys(decision.final ?? {}).length, out = Object.keys(decision.filtered ?? {}).length;
  if (asking) lines.push([t("Which node will it be? Choose one below."), pen.theme.accent]);
  else {
    if (decision.preemption) lines.push([t("Preemption: {victims} must leave {node}.", { victims: decision.preemption.victims.map(nameOf).join(", "), node: decision.preemption.node }), pen.theme.warn]);
    if (decision.ties && decision.ties.length > 1) lines.push([t("{count} nodes are equally good: the winner is drawn.", { count: decision.ties.length }), pen.theme.text]);
    if (!decision.chosen && decision.message) lines.push([decision.message, pen.theme.bad]);
    if (decision.chosen && !count) lines.push([t("{node}: the only one that fits", { node: decision.chosen }), pen.theme.text]);
    else if (count || out) lines.push([t("{fit} of {all} nodes pass the filters; the highest total wins.", { fit: count, all: count + out }), pen.theme.soft]);
  }
  lines.forEach(([words, color], i) => pen.text(words, at.x, at.y - (lines.length - 1 - i) * 17, { size: 11.6, color, max: at.w }));
  return lines.length * 17 + 4;
}

/** The plugins that gave anyone a point, with their colours. */
function pluginsOf({ pen }: Drawing, scores: DecisionAnswer["scores"]): Plugin[] {
  const names = new Set<string>();
  for (const parts of Object.values(scores ?? {})) for (const [plugin, score] of Object.entries(parts)) if (score) names.add(plugin);
  return [...names].sort().map((name, i) => [name, pen.theme.versions[i % pen.theme.versions.length]!]);
}
