// A node: what is asked of it, its kubelet, kube-proxy and runtime, the pods on it. Mirrors clusterlab/kubelet, proxy and runtime.
import { t } from "../i18n/t";
import { isControlPlane, isSystem } from "../lab/index";
import type { NodeView, PodView } from "../stream/views";
import { evictionOf, left, taintsOf } from "./countdown";
import { drawPlug, isUp, nodeFault, nodeTrouble, numberOf, type Drawing } from "./drawing";
import type { Box } from "./geometry";
import { hasFigures, type NodeBox } from "./layoutNodes";
import { lookOf, podColor, toneColor } from "./pod";
import { wrap } from "./words";

export interface Requested {
  cpu: number;
  memory: number;
  pods: number;
  cpuLimit: number;
  memoryLimit: number;
}

/** What the pods of a node have requested. */
export function requestedOn(d: Pick<Drawing, "index">, node: string): Requested {
  const sum = { cpu: 0, memory: 0, pods: 0, cpuLimit: 0, memoryLimit: 0 };
  for (const key of d.index.podsOn(node)) {
    const pod = d.index.pods.get(key)!;
    if (pod.phase === "Succeeded" || pod.phase === "Failed") continue;
    sum.cpu += pod.cpu || 0;
    sum.memory += pod.memory || 0;
    sum.cpuLimit += pod.cpuLimit || 0;
    sum.memoryLimit += pod.memoryLimit || 0;
    sum.pods++;
  }
  return sum;
}

export function drawNode(d: Drawing, name: string, place: NodeBox): void {
  const node = d.index.nodes.get(name);
  if (!node) return;
  if (place.detail === "full") drawFull(d, node, place);
  else if (place.detail === "compact") drawCompact(d, node, place);
  else drawCell(d, node, place);
}

const badge = (d: Drawing, node: NodeView): { words: string; bad: boolean } | null => {
  const fault = nodeFault(d.components, node.name);
  if (fault && node.ready === "True") return { words: fault === "node-down" ? t("no power") : t("cut off"), bad: true };
  const trouble = nodeTrouble(d.components, node.name);
  if (trouble && node.ready === "True") return { words: t(trouble), bad: true };
  if (node.ready === "Unknown") return { words: t("lost"), bad: true };
  if (node.ready !== "True") return { words: t("not ready"), bad: true };
  if (!node.schedulable) return { words: t("cordoned"), bad: false };
  return null;
};

function frame(d: Drawing, node: NodeView, place: NodeBox, radius: number): void {
  const { pen } = d;
  const { theme } = pen;
  const lost = node.ready === "Unknown";
  const selected = d.selected === `nodes/${node.name}`;
  pen.rect({ ...place.box, y: place.box.y + 2 }, { fill: theme.shadow, fillAlpha: 0.5, radius });
  pen.rect(place.box, {
    fill: lost ? theme.bg : theme.panel, stroke: selected ? theme.accent : lost ? theme.soft : node.ready === "True" ? theme.line : theme.warn, width: selected ? 2 : 1.1, radius,
    dash: lost ? [6, 5] : undefined,
  });
  if (!node.schedulable && !lost) pen.pattern(place.box, radius, 1, theme.soft, 0.08);
}

function drawFull(d: Drawing, node: NodeView, place: NodeBox): void {
  const { pen } = d;
  const { theme } = pen;
  const { box } = place;
  frame(d, node, place, 12);
  const used = requestedOn(d, node.name);
  const note = badge(d, node);
  const pods = used.pods === 1 ? t("1 pod") : t("{count} pods", { count: used.pods });
  const nameW = pen.width(node.name, { size: 14, weight: 650 });
  if (d.at.lens === "scheduling" && d.decision && !note) return void drawVerdict(d, node, place, used);
  const right = note ? note.words : nameW + pen.width(pods, { size: 11.4 }) + 34 < box.w ? pods : "";
  const rightW = pen.width(right, { size: 11.4, weight: note ? 650 : 400 });
  pen.text(right, box.x + box.w - 12, box.y + 32, { size: 11.4, align: "right", weight: note ? 650 : 400, color: note ? (note.bad ? theme.bad : theme.warn) : theme.soft });
  pen.text(node.name, box.x + 12, box.y + 32, { size: 14, weight: 650, max: box.w - 24 - (rightW ? rightW + 8 : 0), color: node.ready === "Unknown" ? theme.soft : theme.text });
  capacity(d, node, used, box);
  drawPrograms(d, node, place);
}

/** What the last decision says of a node, where its pods are counted otherwise. */
function drawVerdict(d: Drawing, node: NodeView, place: NodeBox, used: Requested): void {
  const { pen, decision, asking } = d;
  const { theme } = pen;
  const { box } = place;
  const total = decision!.final[node.name], refusal = decision!.filtered[node.name];
  const chosen = !asking && decision!.chosen === node.name;
  const right = asking ? "?" : refusal ? refusal[0] : total === undefined ? "" : `${chosen ? "★ " : ""}${total}`;
  const color = asking ? theme.accent : refusal ? theme.bad : chosen ? theme.accent : theme.text;
  const style = { size: refusal && !asking ? 11 : 13.5, weight: 700 };
  const rightW = Math.min(pen.width(right, style), box.w * 0.5);
  pen.text(right, box.x + box.w - 12, box.y + 32, { ...style, align: "right", color, max: rightW + 1 });
  if (refusal && !asking) pen.glyph("cross", { x: box.x + box.w - 20 - rightW, y: box.y + 28 }, 4.5, theme.bad);
  if (chosen) pen.rect(box, { stroke: theme.accent, width: 2.4, radius: 12 });
  if (refusal && !asking) pen.rect(box, { fill: theme.bg, fillAlpha: 0.45, radius: 12 });
  pen.text(node.name, box.x + 12, box.y + 32, { size: 14, weight: 650, max: box.w - 36 - rightW, color: refusal && !asking ? theme.soft : theme.text });
  capacity(d, node, used, box);
  drawPrograms(d, node, place);
}

/** The taints of a node, and how long they leave its pods. */
function drawTaints(d: Drawing, node: NodeView, box: Box): void {
  const { pen } = d;
  const { theme } = pen;
  const soonest = Math.min(...[...d.index.podsOn(node.name)].map((key) => evictionOf(d.index.pods.get(key)!, node)?.at ?? Infinity).filter((at) => at > d.time));
  const wait = Number.isFinite(soonest) ? t("evicts in {time}", { time: left(soonest - d.time) }) : "";
  const waitW = wait ? pen.width(wait, { size: 10.4, weight: 650 }) + 6 : 0;
  if (wait) pen.text(wait, box.x + box.w, box.y + 12, { size: 10.4, weight: 650, align: "right", color: theme.warn });
  let x = box.x;
  for (const { words, hard } of taintsOf(node)) {
    const room = box.x + box.w - waitW - x;
    if (room < 34) break;
    const w = Math.min(room, pen.width(words, { size: 10 }) + 12);
    pen.rect({ x, y: box.y, w, h: box.h }, { stroke: hard ? theme.warn : theme.soft, radius: 5, dash: hard ? undefined : [3, 3] });
    pen.text(words, x + 6, box.y + 11.5, { size: 10, max: w - 10, color: hard ? theme.warn : theme.soft });
    x += w + 5;
  }
}

function drawPrograms(d: Drawing, node: NodeView, place: NodeBox): void {
  if (place.taints) drawTaints(d, node, place.taints);
  const { pen, components } = d;
  const { theme } = pen;
  const { box } = place;
  const down = node.ready === "Unknown";
  drawPlug(d, place.kubelet!, "kubelet", { up: !down && isUp(components, `kubelet/${node.name}`), selected: d.selected === `kubelet/${node.name}` });
  drawPlug(d, place.proxy!, place.proxy!.w < 64 ? "proxy" : "kube-proxy", { up: !down && isUp(components, `kube-proxy/${node.name}`), selected: d.selected === `kube-proxy/${node.name}` });
  drawRuntime(d, node, place);
  if (place.hidden) pen.text(t("and {count} more", { count: place.hidden }), box.x + box.w - 12, place.runtime!.y - 6, { size: 10.5, align: "right", color: theme.soft });
  if (isControlPlane(node) && !place.hidden && box.h > 130 && ![...d.index.podsOn(node.name)].some((key) => !isSystem(d.index.pods.get(key)!))) {
    const words = node.taints?.some((taint) => taint.key.includes("control-plane")) ? t("tainted: no workloads here") : "";
    wrap(words, box.w - 18, 3, pen.width.bind(pen), 11).forEach((line, i) => pen.text(line, box.x + box.w / 2, box.y + 104 + i * 15, { size: 11, color: theme.soft, align: "center", max: box.w - 16 }));
  }
}

function drawRuntime(d: Drawing, node: NodeView, place: NodeBox): void {
  const { pen } = d;
  const { theme } = pen;
  const box = place.runtime!;
  const runtime = d.components[`runtime/${node.name}`] ?? {};
  const selected = d.selected === `runtime/${node.name}`;
  const name = String(runtime["name"] ?? node.runtime ?? "").split(":")[0] ?? "";
  const up = isUp(d.components, `runtime/${node.name}`);
  pen.rect(box, { fill: theme.raise, stroke: selected ? theme.accent : theme.line, width: selected ? 2 : 1, radius: 7, dash: up ? undefined : [3, 3] });
  if (!up) pen.line([{ x: box.x + 5, y: box.y + 10 }, { x: box.x + 9 + Math.min(box.w * 0.5, 84), y: box.y + 10 }], { stroke: theme.bad, width: 1.4 });
  pen.text(name || t("runtime"), box.x + 9, box.y + 14, { size: 10.6, max: box.w * 0.5 });
  const images = Array.isArray(runtime["images"]) ? runtime["images"].length : numberOf(runtime["images"]);
  const containers = Array.isArray(runtime["containers"]) ? runtime["containers"].length : numberOf(runtime["containers"]);
  const words = `${t("{containers} running", { containers })} · ${images === 1 ? t("1 image") : t("{count} images", { count: images })}`;
  if (!("containers" in runtime)) return;
  const room = box.w - 26 - pen.width(name, { size: 10.6 });
  const short = [words, t("{containers} running", { containers }), String(containers)].find((one) => pen.width(one, { size: 10 }) < room) ?? "";
  pen.text(short, box.x + box.w - 8, box.y + 14, { size: 10, color: theme.soft, align: "right" });
}

const GI = 1024 ** 3;
const short = (value: number): string => (value >= 9.95 || Number.isInteger(value) ? String(Math.round(value)) : value.toFixed(1));

/** Of processor and memory: what is there, what pods have requested of it, how far their limits go, what is used now. */
function capacity(d: Drawing, node: NodeView, used: Requested, box: Box): void {
  const now = d.usage?.nodes[node.name];
  const { theme } = d.pen;
  const rows: [string, number, number, number, number | undefined, string, number][] = [
    [t("cpu"), used.cpu, node.cpu, used.cpuLimit, now?.cpu, theme.accent, 1000], [t("mem"), used.memory, node.memory, used.memoryLimit, now?.memory, theme.etcd, GI],
  ];
  rows.forEach(([name, requested, whole, limit, use, color, unit], i) => {
    if (!hasFigures(box)) return bar(d, box.x + 12, box.y + 41 + 8 * i, box.w - 24, requested, whole, color);
    const y = box.y + 48 + 14 * i;
    const figures = `${short(requested / unit)} / ${short(whole / unit)}${unit === GI ? " Gi" : ""}`;
    const left = box.w > 190 ? 52 : 12, right = box.w > 176 ? 58 : 0;
    if (left > 12) d.pen.text(name, box.x + 12, y + 4, { size: 10.4, color: theme.soft, max: 40 });
    if (right) d.pen.text(figures, box.x + box.w - 12, y + 4, { size: 10.4, align: "right", color: theme.soft });
    meter(d, { x: box.x + left + (left > 12 ? 4 : 0), y: y - 4, w: box.w - left - right - (left > 12 ? 16 : 24) + (right ? 0 : 0), h: 8 }, { requested, whole, limit, use, color });
  });
}

interface Amounts {
  requested: number;
  whole: number;
  limit: number;
  use: number | undefined;
  color: string;
}

/** A bar: pale for what is requested, a core for what is used, a mark for how far limits go. */
function meter({ pen }: Drawing, box: Box, { requested, whole, limit, use, color }: Amounts): void {
  const part = (amount: number): number => (whole > 0 ? Math.min(1, amount / whole) * box.w : 0);
  const full = requested / Math.max(1, whole) >= 0.95;
  pen.rect(box, { fill: pen.theme.raise, stroke: pen.theme.line, width: 0.8, radius: 4 });
  if (requested > 0) pen.rect({ ...box, w: Math.max(4, part(requested)) }, { fill: full ? pen.theme.warn : color, fillAlpha: 0.42, radius: 4 });
  if (use !== undefined && use > 0) pen.rect({ x: box.x, y: box.y + 2.2, w: Math.max(3, part(use)), h: box.h - 4.4 }, { fill: color, radius: 2 });
  if (limit > 0) pen.line([{ x: box.x + part(limit), y: box.y - 1.5 }, { x: box.x + part(limit), y: box.y + box.h + 1.5 }], { stroke: limit > whole ? pen.theme.warn : pen.theme.text, width: 1.8, alpha: 0.8 });
}

function bar({ pen }: Drawing, x: number, y: number, w: number, used: number, whole: number, color: string): void {
  const part = whole > 0 ? Math.min(1, used / whole) : 0;
  pen.rect({ x, y, w, h: 4.5 }, { fill: pen.theme.raise, radius: 2.5 });
  if (part > 0) pen.rect({ x, y, w: Math.max(3, w * part), h: 4.5 }, { fill: part >= 0.95 ? pen.theme.warn : color, fillAlpha: 0.85, radius: 2.5 });
}

function drawCompact(d: Drawing, node: NodeView, place: NodeBox): void {
  const { pen } = d;
  const { theme } = pen;
  const { box } = place;
  frame(d, node, place, 7);
  const note = badge(d, node);
  pen.text(node.name, box.x + 5, box.y + 10.5, { size: 9, weight: 600, max: box.w - 10, color: note ? (note.bad ? theme.bad : theme.warn) : theme.text });
  const used = requestedOn(d, node.name);
  bar(d, box.x + 5, box.y + 12.5, box.w - 10, used.cpu, node.cpu, theme.accent);
  if (place.hidden) pen.text(`+${place.hidden}`, box.x + box.w - 3, box.y + box.h - 3, { size: 8, align: "right", color: theme.soft });
}

/** A node among a thousand: a cell that fills with what is requested of it, pods as dots, or as a strip of states. */
function drawCell(d: Drawing, node: NodeView, place: NodeBox): void {
  const { pen } = d;
  const { ctx, theme } = pen;
  const { box } = place;
  const lost = node.ready === "Unknown";
  ctx.globalAlpha = 1;
  ctx.fillStyle = lost ? theme.bg : theme.panel;
  ctx.fillRect(box.x, box.y, box.w, box.h);
  const used = requestedOn(d, node.name);
  const part = Math.min(1, node.cpu ? used.cpu / node.cpu : 0);
  ctx.globalAlpha = 0.16;
  ctx.fillStyle = theme.accent;
  ctx.fillRect(box.x, box.y + box.h * (1 - part), box.w, box.h * part);
  ctx.globalAlpha = 1;
  ctx.strokeStyle = d.selected === `nodes/${node.name}` ? theme.accent : lost ? theme.bad : node.ready === "True" ? theme.line : theme.warn;
  ctx.lineWidth = lost || d.selected === `nodes/${node.name}` ? 1.4 : 0.7;
  ctx.setLineDash([]);
  ctx.strokeRect(box.x + 0.5, box.y + 0.5, box.w - 1, box.h - 1);
  if (place.hidden) drawStrip(d, node, place);
}

function drawStrip(d: Drawing, node: NodeView, place: NodeBox): void {
  const { pen } = d;
  const counts = new Map<string, number>();
  let total = 0;
  for (const key of d.index.podsOn(node.name)) {
    const pod = d.index.pods.get(key) as PodView;
    const look = lookOf(pod, d.time, node.ready === "Unknown", evictionOf(pod, node));
    const color = look.tone === "ok" ? podColor(d, pod) : toneColor(pen.theme, look.tone);
    counts.set(color, (counts.get(color) ?? 0) + 1);
    total++;
  }
  let x = place.box.x + 1.5;
  for (const [color, count] of counts) {
    const w = ((place.box.w - 3) * count) / total;
    pen.rect({ x, y: place.box.y + place.box.h - 4, w, h: 3 }, { fill: color });
    x += w;
  }
}
