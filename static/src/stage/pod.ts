// A pod: its version is a colour and a pattern, its state a shape and a word; solid is there, dashed is not there yet.
import { t } from "../i18n/t";
import type { PodView } from "../stream/views";
import { evictionOf, left, pullOf, type Eviction, type Pull } from "./countdown";
import type { Drawing } from "./drawing";
import type { Box } from "./geometry";
import type { PodBox } from "./layoutNodes";
import type { Glyph } from "./pen";
import { drawProbes, probesOf, probesWidth } from "./probes";
import { VERSION_COLORS, type Theme } from "./theme";

export type Tone = "ok" | "warn" | "bad" | "soft";

export interface PodLook {
  glyph: Glyph;
  word: string;
  /** For where the word does not fit. */
  short?: string;
  tone: Tone;
  /** There: its containers have started. */
  solid: boolean;
  part: number;
}

const FAILING = /BackOff|Err|Error|Invalid|CannotRun|OOMKilled|Failed|Evicted|Unhealthy/;
const WORDS: Record<string, string> = {
  ContainerCreating: "starting", PodInitializing: "starting", Pending: "pending", CrashLoopBackOff: "crash loop", ImagePullBackOff: "no image",
  ErrImagePull: "no image", InvalidImageName: "bad image", OOMKilled: "out of memory", Completed: "done", Succeeded: "done", Evicted: "evicted", Error: "error",
};

const SHORT: Record<string, string> = { "crash loop": "crash", "out of memory": "OOM" };
const failed = (status: string): Pick<PodLook, "word" | "short"> => {
  const word = WORDS[status] ?? status.toLowerCase();
  return { word: t(word), ...(SHORT[word] ? { short: t(SHORT[word]) } : {}) };
};

/** How a pod's state is shown. `evicted`: when the taints of its node make it go. Pure. */
export function lookOf(pod: PodView, time: number, lost: boolean, evicted: Eviction | null = null): PodLook {
  const started = pod.containers?.some((container) => !container.init && container.state === "running") ?? false;
  if (pod.deleting !== null && pod.deleting !== undefined) {
    const remaining = pod.graceUntil === null || pod.graceUntil === undefined ? 0 : Math.max(0, pod.graceUntil - time);
    const whole = Math.max(1, (pod.graceUntil ?? time) - pod.deleting);
    return { glyph: "hourglass", word: remaining ? t("{seconds} s left", { seconds: Math.ceil(remaining / 1000) }) : t("stopping"), ...(remaining ? { short: left(remaining) } : {}), tone: "warn", solid: true, part: Math.min(1, remaining / whole) };
  }
  if (evicted && evicted.at > time) {
    const remaining = left(evicted.at - time);
    return { glyph: "clock", word: t("evicted in {time}", { time: remaining }), short: remaining, tone: "warn", solid: started, part: evicted.of ? (evicted.at - time) / evicted.of : 0 };
  }
  if (lost) return { glyph: "question", word: t("unknown"), tone: "soft", solid: started, part: 0 };
  if (pod.phase === "Succeeded") return { glyph: "done", word: t("done"), tone: "soft", solid: true, part: 0 };
  if (pod.phase === "Failed" || FAILING.test(pod.status)) return { glyph: "cross", ...failed(pod.status), tone: "bad", solid: pod.phase !== "Pending", part: 0 };
  if (pod.ready) return { glyph: "check", word: t("ready"), tone: "ok", solid: true, part: 0 };
  if (pod.phase === "Running") return { glyph: "hollow", word: t("not ready"), tone: "warn", solid: true, part: 0 };
  if (!pod.node) return { glyph: "clock", word: t("waiting"), tone: "warn", solid: false, part: 0.25 };
  return { glyph: "clock", word: t(WORDS[pod.status] ?? pod.status.replace(/^Init:/, "init ").toLowerCase()), tone: "warn", solid: false, part: 0.6 };
}

export const toneColor = (theme: Theme, tone: Tone): string => (tone === "soft" ? theme.soft : theme[tone]);

/** The colour of a pod's version. */
export function podColor(d: Drawing, pod: PodView): string {
  const { theme } = d.pen;
  const { color } = d.index.versionOf(pod);
  return color < 0 ? theme.soft : (theme.versions[color % VERSION_COLORS] ?? theme.accent);
}

export function podLost(d: Drawing, pod: PodView): boolean {
  return pod.node !== null && d.index.nodes.get(pod.node)?.ready === "Unknown";
}

export function drawPod(d: Drawing, key: string, place: PodBox, alpha = 1): void {
  const pod = d.index.pods.get(key);
  if (!pod) return;
  paintPod(d, pod, place, alpha, d.selected === key);
}

/** Draws a pod that may be gone already. */
export function paintPod(d: Drawing, pod: PodView, place: PodBox, alpha: number, selected = false): void {
  const { ctx } = d.pen;
  const lost = podLost(d, pod);
  const pull = lost ? null : pullOf(d.components, pod, d.time);
  const look = pulling(lookOf(pod, d.time, lost, pod.node ? evictionOf(pod, d.index.nodes.get(pod.node)) : null), pull);
  const color = lost ? d.pen.theme.soft : podColor(d, pod);
  if (alpha < 1) ctx.save();
  const veil = alpha;
  switch (place.detail) {
    case "card":
      drawCardPod(d, pod, place.box, look, color, veil, pull);
      break;
    case "mini":
      drawMini(d, pod, place.box, look, color, veil);
      break;
    case "token":
      drawToken(d, pod, place.box, look, color, veil);
      break;
    case "square":
      drawSquare(d, pod, place.box, look, color, veil);
      break;
    default:
      drawDot(d, place.box, look, color, veil);
  }
  if (selected) d.pen.rect({ x: place.box.x - 2.5, y: place.box.y - 2.5, w: place.box.w + 5, h: place.box.h + 5 }, { stroke: d.pen.theme.accent, width: 2, radius: 11 });
  if (alpha < 1) ctx.restore();
}

function pulling(look: PodLook, pull: Pull | null): PodLook {
  if (!pull || look.tone === "bad" || look.solid) return look;
  const percent = Math.floor(pull.part * 100);
  return { ...look, glyph: "clock", word: t("pulling {percent} %", { percent }), short: `${percent} %`, part: pull.part };
}

/** How far a pull has come: a piece for each layer, as long as it is large. */
function drawPull({ pen }: Drawing, box: Box, pull: Pull, color: string, alpha: number): void {
  const layers = pull.layers.length ? pull.layers.slice(0, 8) : [1];
  const whole = layers.reduce((sum, size) => sum + size, 0) || 1;
  const w = box.w - 2 * (layers.length - 1);
  let x = box.x, before = 0;
  for (const size of layers) {
    const piece = { x, y: box.y, w: (w * size) / whole, h: box.h };
    pen.rect(piece, { fill: pen.theme.raise, stroke: color, width: 0.7, radius: 2, alpha });
    const done = Math.max(0, Math.min(1, (pull.part * whole - before) / size));
    if (done > 0) pen.rect({ ...piece, w: piece.w * done }, { fill: color, radius: 2, alpha });
    before += size;
    x += piece.w + 2;
  }
}

/** What tells a pod from its siblings: the end of its name, or its version where the name is all there is. */
function tailOf(pod: PodView): string {
  const dash = pod.name.lastIndexOf("-");
  return dash > 0 && (pod.app || pod.owner) ? pod.name.slice(dash + 1) : pod.version;
}

function body(d: Drawing, pod: PodView, box: Box, look: PodLook, color: string, alpha: number, radius: number): void {
  const { pen } = d;
  const fading = look.glyph === "hourglass";
  pen.rect(box, { fill: pen.theme.panel, alpha: alpha * 0.92, radius });
  pen.rect(box, { fill: color, fillAlpha: look.solid ? (fading ? 0.07 : 0.17) : 0.05, alpha, radius });
  pen.pattern(box, radius, d.index.versionOf(pod).pattern, color, alpha * (look.solid ? 0.2 : 0.12));
  pen.rect(box, { stroke: look.tone === "bad" ? pen.theme.bad : color, alpha: alpha * (fading ? 0.6 : 1), width: 1.6, radius, dash: look.solid ? (fading ? [2, 3] : undefined) : [5, 4] });
}

function drawCardPod(d: Drawing, pod: PodView, box: Box, look: PodLook, color: string, alpha: number, pull: Pull | null): void {
  const { pen } = d;
  const { theme } = pen;
  body(d, pod, box, look, color, alpha, 10);
  const large = box.h >= 78;
  const size = large ? 13 : 12.2, pad = box.w > 104 ? 10 : box.w > 92 ? 8 : 7;
  const version = pod.version || "";
  const versionW = Math.min(pen.width(version, { size: 11.5, weight: 650 }), box.w * 0.45);
  const first = box.y + (large ? 21 : 17);
  pen.text(pod.app || pod.name, box.x + pad, first, { size, weight: 650, max: box.w - 2 * pad - versionW - 4, alpha });
  pen.text(version, box.x + box.w - pad, first, { size: 11.5, weight: 650, color, align: "right", max: versionW + 1, alpha });
  const again = pod.restarts ? `↻${pod.restarts}` : "";
  const againW = again ? pen.width(again, { size: 10.6, weight: 650 }) + 4 : 0;
  pen.text(pod.ip || tailOf(pod), box.x + pad, first + 16, { size: 10.6, mono: true, color: theme.soft, max: box.w - 2 * pad - againW, alpha });
  if (again) pen.text(again, box.x + box.w - pad, first + 16, { size: 10.6, weight: 650, align: "right", color: theme.bad, alpha });
  const foot = box.y + box.h - (large ? 16 : pull && !look.solid ? 15 : 13);
  const tone = toneColor(theme, look.tone);
  const wordSize = large ? 12 : 11;
  const room = box.w - 2 * pad - 15;
  const word = look.short && pen.width(look.word, { size: wordSize, weight: 550 }) > room ? look.short : look.word;
  const wordW = Math.min(pen.width(word, { size: wordSize, weight: 550 }), room);
  if (pull && !look.solid) drawPull(d, { x: box.x + pad, y: box.y + box.h - 6, w: box.w - 2 * pad, h: 3.4 }, pull, color, alpha);
  pen.text(word, box.x + box.w - pad, foot + 4, { size: wordSize, weight: 550, align: "right", color: tone, max: wordW + 1, alpha });
  pen.ctx.globalAlpha = alpha;
  pen.glyph(look.glyph, { x: box.x + box.w - pad - wordW - 10, y: foot }, 5, tone, look.part);
  const roomy = box.w - 2 * pad - wordW - 19;
  drawContainers(d, pod, box.x + pad, foot, roomy, color, alpha);
  const probes = pod.containers?.some((one) => one.probes) ? probesOf(pod, `pods/${pod.namespace}/${pod.name}`, d.index, d.time) : [];
  const squares = 15 * (pod.containers?.length ?? 0);
  if (probes.length && large) drawProbes(pen, probes, box.x + pad, first + 22, alpha);
  else if (probes.length && squares + probesWidth(probes.length) < roomy) drawProbes(pen, probes, box.x + pad + squares + 2, foot - 6.5, alpha);
}

/** The containers as small squares, as many as there is room for: filled when ready, half when running, hollow when not. */
function drawContainers({ pen }: Drawing, pod: PodView, x: number, y: number, room: number, color: string, alpha: number): void {
  const { theme } = pen;
  const containers = pod.containers ?? [];
  const side = containers.length * 15 <= room ? 12 : 8;
  const shown = containers.slice(0, Math.floor((room + 3) / (side + 3)));
  let right = x;
  for (const container of shown) {
    const size = container.init ? Math.min(8, side) : side;
    const box = { x: right, y: y - size / 2, w: size, h: size };
    const failed = FAILING.test(container.reason ?? "");
    const running = container.state === "running";
    pen.rect(box, { fill: running ? color : undefined, fillAlpha: container.ready ? 0.9 : 0.35, stroke: failed ? theme.bad : color, radius: 3.5, dash: running ? undefined : [2, 2], alpha });
    right += size + 3;
  }
}

function drawMini(d: Drawing, pod: PodView, box: Box, look: PodLook, color: string, alpha: number): void {
  const { pen } = d;
  body(d, pod, box, look, color, alpha, 8);
  const tone = toneColor(pen.theme, look.tone);
  pen.text(pod.app || pod.name, box.x + 7, box.y + 14, { size: 10.4, weight: 650, max: box.w - 24, alpha });
  const counts = look.tone === "warn" && look.short;
  pen.text(counts || tailOf(pod), box.x + 7, box.y + 26, { size: counts ? 10 : 9.4, weight: counts ? 600 : 400, mono: !counts, color: counts ? tone : pen.theme.soft, max: box.w - 14, alpha });
  pen.ctx.globalAlpha = alpha;
  pen.glyph(look.glyph, { x: box.x + box.w - 10, y: box.y + 10 }, 4.2, tone, look.part);
}

function drawToken(d: Drawing, pod: PodView, box: Box, look: PodLook, color: string, alpha: number): void {
  const { pen } = d;
  body(d, pod, box, look, color, alpha, 5);
  pen.ctx.globalAlpha = alpha;
  pen.glyph(look.glyph, { x: box.x + box.w / 2, y: box.y + box.h / 2 }, 4.4, toneColor(pen.theme, look.tone), look.part);
}

function drawSquare(d: Drawing, pod: PodView, box: Box, look: PodLook, color: string, alpha: number): void {
  const { pen } = d;
  const radius = box.w > 12 ? 4 : 2.5;
  const fading = look.glyph === "hourglass";
  pen.rect(box, { fill: look.solid ? color : pen.theme.panel, fillAlpha: look.solid ? (look.glyph === "check" || look.glyph === "done" ? 0.85 : 0.35) : 1, alpha: alpha * (fading ? 0.5 : 1), stroke: color, radius, width: 1.2, dash: look.solid ? undefined : [2, 2] });
  const { pattern } = d.index.versionOf(pod);
  if (look.solid) pen.pattern(box, radius, pattern, pen.theme.panel, alpha * 0.55);
  if (look.tone !== "bad") return;
  pen.ctx.globalAlpha = alpha;
  pen.glyph("cross", { x: box.x + box.w / 2, y: box.y + box.h / 2 }, box.w * 0.36, pen.theme.bad);
}

function drawDot({ pen }: Drawing, box: Box, look: PodLook, color: string, alpha: number): void {
  const { ctx, theme } = pen;
  ctx.globalAlpha = alpha * (look.solid ? (look.glyph === "hourglass" ? 0.45 : 0.95) : 0.4);
  ctx.fillStyle = look.tone === "bad" ? theme.bad : color;
  ctx.fillRect(box.x, box.y, box.w, box.h);
  ctx.globalAlpha = 1;
}
