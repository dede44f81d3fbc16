// The scheduling lens: one decision in full. Nodes that were filtered out say why; the others' scores are made of plugins.
import { t } from "../i18n/t";
import { nameOf } from "../stream/views";
import type { Drawing } from "./drawing";
import { natural } from "./geometry";

const LINE = 24;

export function drawDecision(d: Drawing, pod: string): void {
  const { pen, at, decision } = d;
  const { theme } = pen;
  const { x, y, w, h } = at.scores;
  if (!decision) return;
  pen.text(t("scores for {pod}", { pod: nameOf(pod) }), x, y - 10, { size: 11.5, weight: 600, max: w });
  const plugins = pluginsOf(decision.scores);
  const legend = legendOf(d, plugins, x, y + h - 4, w);
  const rows = Math.max(1, Math.floor((h - legend - 4) / LINE));
  const scored = Object.entries(decision.final ?? {}).sort((a, b) => b[1] - a[1] || natural(a[0], b[0]));
  const refused = Object.entries(decision.filtered ?? {}).sort((a, b) => natural(a[0], b[0]));
  const all = scored.length + refused.length;
  const fit = all > rows ? rows - 1 : rows;
  const most = Math.max(1, ...scored.map(([, total]) => total));
  let line = 0;
  const nameW = Math.min(110, w * 0.26);
  for (const [node, total] of scored.slice(0, Math.max(1, fit - Math.min(refused.length, Math.floor(fit / 2))))) {
    const top = y + line++ * LINE;
    const chosen = node === decision.chosen;
    pen.text(node, x, top + 14, { size: 11.5, weight: chosen ? 700 : 450, max: nameW - 8, color: chosen ? theme.accent : theme.text });
    let at_x = x + nameW;
    const room = w - nameW - 46;
    for (const [plugin, color] of plugins) {
      const part = (room * (decision.scores[node]?.[plugin] ?? 0)) / most;
      if (part > 0.5) pen.rect({ x: at_x, y: top + 3, w: part - 0.6, h: LINE - 9 }, { fill: color, fillAlpha: chosen ? 0.95 : 0.45, radius: 2 });
      at_x += part;
    }
    pen.text(String(total), x + w, top + 14, { size: 11.5, mono: true, align: "right", weight: chosen ? 700 : 400 });
  }
  for (const [node, [plugin, reason]] of refused.slice(0, Math.max(0, fit - line))) {
    const top = y + line++ * LINE;
    pen.text(node, x, top + 14, { size: 11.5, color: theme.soft, max: nameW - 8 });
    pen.glyph("cross", { x: x + nameW + 5, y: top + 10 }, 4.5, theme.bad);
    pen.text(`${plugin}: ${reason}`, x + nameW + 16, top + 14, { size: 10.8, color: theme.bad, max: w - nameW - 18 });
  }
  if (line < all) pen.text(t("and {count} more", { count: all - line }), x, y + line * LINE + 13, { size: 10.8, color: theme.soft });
}

/** The plugins that gave anyone a point, with their colours. */
function pluginsOf(scores: Record<string, Record<string, number>>): [string, string][] {
  const names = new Set<string>();
  for (const parts of Object.values(scores ?? {})) for (const [plugin, score] of Object.entries(parts)) if (score) names.add(plugin);
  return [...names].sort().map((name) => [name, ""]);
}

/** Draws the legend from the bottom up and resolves colours; returns its height. */
function legendOf({ pen }: Drawing, plugins: [string, string][], x: number, bottom: number, w: number): number {
  plugins.forEach((plugin, i) => (plugin[1] = pen.theme.versions[i % pen.theme.versions.length]!));
  const lines: [string, string][][] = [[]];
  let used = 0;
  for (const plugin of plugins) {
    const need = pen.width(plugin[0], { size: 10 }) + 24;
    if (used + need > w && used) {
      lines.push([]);
      used = 0;
    }
    lines.at(-1)!.push(plugin);
    used += need;
  }
  lines.forEach((line, i) => {
    let at = x;
    const y = bottom - (lines.length - 1 - i) * 15;
    for (const [name, color] of line) {
      pen.rect({ x: at, y: y - 8, w: 9, h: 9 }, { fill: color, radius: 2 });
      pen.text(name, at + 13, y, { size: 10, color: pen.theme.soft });
      at += pen.width(name, { size: 10 }) + 24;
    }
  });
  return plugins.length ? lines.length * 15 + 4 : 0;
}
