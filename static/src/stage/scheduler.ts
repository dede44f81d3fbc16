// The scheduler: the pods that wait for a node, and how the last decision came out. Mirrors clusterlab/scheduler.
import { t } from "../i18n/t";
import { nameOf } from "../stream/views";
import { drawDecision } from "./decision";
import { drawCard, isUp, numberOf, type Drawing } from "./drawing";
import { isSlim } from "./layoutControl";
import { wrap } from "./words";

interface Decision {
  pod: string;
  chosen: string | null;
  scores?: { node: string; total: number }[];
  message?: string;
}

export function drawScheduler(d: Drawing): void {
  const { at, components } = d;
  const state = components["kube-scheduler"] ?? {};
  const up = isUp(components, "kube-scheduler");
  const counts: [string, number][] = [[t("active"), numberOf(state["active"])], [t("back-off"), numberOf(state["backoff"])], [t("unschedulable"), numberOf(state["unschedulable"])]];
  const words = (shown: [string, number][]): string => shown.map(([name, count]) => `${name} ${count}`).join(" · ");
  const waiting = counts.reduce((sum, [, count]) => sum + count, 0);
  const subtitle = up ? [words(counts), words(counts.filter(([, count], i) => count || i === 0)), t("{count} waiting", { count: waiting }), waiting ? String(waiting) : ""] : t("down");
  drawCard(d, at.scheduler, { title: t("scheduler"), subtitle, room: isSlim(at.scheduler) && waiting && at.scheduler.w >= 130 ? at.queue.x - at.scheduler.x - 22 : undefined, selected: d.selected === "kube-scheduler", dead: !up });
  drawQueue(d);
  if (!isSlim(at.scheduler)) drawScores(d, (state["last"] as Decision | undefined) ?? decided(d));
}

/** The last decision as the page has fetched it. */
function decided({ decision, decisionOf }: Drawing): Decision | undefined {
  if (!decision) return undefined;
  return { pod: decisionOf, chosen: decision.chosen, message: decision.message, scores: Object.entries(decision.final ?? {}).map(([node, total]) => ({ node, total })) };
}

function drawQueue(d: Drawing): void {
  const { pen, at } = d;
  const { theme } = pen;
  const { queue } = at;
  if (isSlim(at.scheduler)) {
    if (at.podsWaitingHidden) pen.text(`+${at.podsWaitingHidden}`, at.scheduler.x + at.scheduler.w - 8, at.scheduler.y + at.scheduler.h - 8, { size: 10.5, align: "right", weight: 600, color: theme.warn });
    return;
  }
  const wide = queue.w > 110 && queue.h > 90;
  pen.rect({ x: queue.x - 5, y: queue.y - (wide ? 8 : 4), w: queue.w + 10, h: queue.h + (wide ? 12 : 6) }, { stroke: theme.line, dash: [2, 4], radius: 8 });
  if (at.podsWaitingHidden) pen.text(`+${at.podsWaitingHidden}`, queue.x + queue.w, queue.y + queue.h - 2, { size: 10.5, align: "right", weight: 600, color: theme.warn });
  else if (![...at.pods.values()].some((pod) => pod.node === "")) {
    pen.text(t("nobody waits"), queue.x + queue.w / 2 - 1, queue.y + Math.min(queue.h / 2, 60) + 3, { size: 11, align: "center", color: theme.soft, max: queue.w });
  } else if (wide) queueNotes(d);
}

/** Under each pod that waits: in which queue, why, and how long yet. */
function queueNotes(d: Drawing): void {
  const { queues } = d.loops ?? {};
  if (!queues) return;
  const { pen } = d;
  const names: [keyof typeof queues, string][] = [["active", t("active")], ["backoff", t("back-off")], ["unschedulable", t("unschedulable")]];
  for (const [queue, title] of names) {
    for (const { pod, plugins, until } of queues[queue] ?? []) {
      const box = d.at.pods.get(`pods/${pod}`)?.box;
      if (!box || box.w < 100) continue;
      const left = queue === "backoff" && until > d.time ? ` ${Math.ceil((until - d.time) / 1000)} s` : "";
      pen.text(`${title}${left}${plugins.length ? ` · ${plugins[0]}` : ""}`, box.x + box.w - 6, box.y + 27, { size: 9.6, align: "right", color: queue === "active" ? pen.theme.soft : pen.theme.warn, max: box.w - 44 });
    }
  }
}

function drawScores(d: Drawing, last: Decision | undefined): void {
  const { pen, at, selected } = d;
  const { theme } = pen;
  if (!last) return;
  if (at.lens === "scheduling" && d.decision) return drawDecision(d, d.decisionOf || last.pod);
  const { x, y, w, h } = at.scores;
  const scores = [...(last.scores ?? [])].sort((a, b) => b.total - a.total || Number(b.node === last.chosen) - Number(a.node === last.chosen));
  if (!scores.length) {
    const words = last.chosen ? t("{node}: the only one that fits", { node: last.chosen }) : (last.message ?? "");
    wrap(words, w, Math.max(1, Math.min(4, Math.floor((h + 6) / 13))), pen.width.bind(pen)).forEach((line, i) => pen.text(line, x, y + 10 + i * 13, { size: 10.2, color: last.chosen ? theme.text : theme.warn, max: w }));
    return;
  }
  const wide = at.lens === "scheduling";
  const lineH = wide ? 26 : 18;
  const lines = Math.max(1, Math.min(scores.length, Math.floor((h + 2) / lineH)));
  const top = Math.max(1, scores[0]!.total), low = Math.min(...scores.map((score) => score.total));
  if (wide) pen.text(t("scores for {pod}", { pod: nameOf(last.pod) }), x, y - 6, { size: 11, color: theme.soft, max: w });
  scores.slice(0, lines).forEach((score, i) => {
    // The bars start at part of their length, so that small differences between large totals can be seen and none vanishes.
    const part = top === low ? 1 : 0.45 + (0.55 * (score.total - low)) / (top - low);
    const chosen = score.node === last.chosen;
    const bar = { x, y: y + i * lineH, w: w * part, h: lineH - 5 };
    pen.rect({ ...bar, w }, { fill: theme.raise, radius: 4 });
    pen.rect(bar, { fill: theme.accent, fillAlpha: chosen ? 1 : 0.3, radius: 4, stroke: selected === `nodes/${score.node}` ? theme.accent : undefined });
    const size = wide ? 12 : 10, base = bar.y + bar.h / 2 + size * 0.36;
    const numbers = w > 92;
    pen.text(score.node, x + 6, base, { size, weight: 650, color: chosen ? theme.onAccent : theme.text, max: w - (numbers ? 40 : 8) });
    if (numbers) pen.text(String(score.total), x + w - 5, base, { size, align: "right", mono: true, color: chosen && part > 0.95 ? theme.onAccent : theme.text });
  });
  if (lines < scores.length && wide) pen.text(t("and {count} more", { count: scores.length - lines }), x, y + lines * lineH + 8, { size: 10.5, color: theme.soft });
}
