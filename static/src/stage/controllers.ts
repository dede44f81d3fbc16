// The controller manager and the controllers inside it: what waits on their queues, what they watch, what is wanted and what is there.
// Mirrors clusterlab/controllers.
import { sentence } from "../i18n/sentences";
import { t } from "../i18n/t";
import { drawCard, drawPlug, isUp, numberOf, type Drawing } from "./drawing";
import type { Box } from "./geometry";
import { controllerNames, controllerTitle, isSlim } from "./layoutControl";

export function drawControllers(d: Drawing): void {
  const { pen, at, components } = d;
  const names = controllerNames(components);
  const queued = names.reduce((sum, name) => sum + numberOf(components[name]?.["queue"]), 0);
  const up = isUp(components, "kube-controller-manager");
  const subtitle = up ? [t("{count} controllers · {queued} queued", { count: names.length, queued }), t("{queued} queued", { queued })] : t("down");
  drawCard(d, at.controllers, { title: [t("controller manager"), t("controllers")], subtitle, selected: d.selected === "kube-controller-manager", dead: !up });
  if (isSlim(at.controllers)) return;
  const lines = at.lens === "control-plane";
  if (lines) {
    const first = [...at.chips.values()][0];
    if (first) headings(d, first);
    leases(d, up);
  }
  for (const [name, box] of at.chips) {
    if (lines) drawLine(d, name, box, up);
    else drawPlug(d, box, controllerTitle(name), { up, selected: d.selected === name, count: numberOf(components[name]?.["queue"]) });
  }
  if (!at.hiddenControllers.length) return;
  pen.text(`+${at.hiddenControllers.length}`, at.controllers.x + at.controllers.w - 12, at.controllers.y + at.controllers.h - 8, { size: 11, color: pen.theme.soft, align: "right" });
}

/** Where the parts of a controller's line begin; absent ones have no room. */
function partsOf(box: Box): { name: number; queue: number; watches: number; counts: number; last: number; right: number } {
  const narrow = box.w < 420;
  const name = Math.min(138, box.w * (narrow ? 0.42 : 0.2));
  const queue = box.x + name + 8;
  const counts = queue + (narrow ? 96 : 118);
  const watches = narrow ? 0 : counts + 84;
  return { name, queue, counts, watches, last: watches ? watches + Math.min(210, box.w * 0.25) : 0, right: box.x + box.w };
}

function headings({ pen }: Drawing, box: Box): void {
  const parts = partsOf(box);
  const style = { size: 10, color: pen.theme.soft, spacing: 0.6 };
  const y = box.y - 6;
  pen.text(t("QUEUE"), parts.queue, y, style);
  pen.text(t("IS / WANTED"), parts.counts, y, { ...style, max: 80 });
  if (parts.watches) pen.text(t("WATCHES"), parts.watches, y, style);
  if (parts.last) pen.text(t("DID LAST"), parts.last, y, style);
}

/** A controller: its name, the keys on its queue, what is there and what is wanted, what it watches, what it did last. */
function drawLine(d: Drawing, name: string, box: Box, up: boolean): void {
  const { pen } = d;
  const { theme } = pen;
  const parts = partsOf(box);
  const state = d.components[name] ?? {};
  const loop = d.loops?.loops[name];
  const base = box.y + 15.5;
  drawPlug(d, { ...box, w: parts.name }, controllerTitle(name), { up, selected: d.selected === name });
  queueOf(d, box, parts.queue, parts.counts - 12 - parts.queue, loop?.waiting ?? [], numberOf(state["queue"]), loop?.later ?? []);
  if ("desired" in state) {
    const is = numberOf(state["observed"] ?? state["healthy"] ?? state["current"]), wanted = numberOf(state["desired"]);
    pen.text(`${is} / ${wanted}`, parts.counts + 28, base, { size: 11.4, mono: true, weight: 600, align: "center", color: is === wanted ? theme.ok : theme.warn });
  }
  if (parts.watches) pen.text(loop ? loop.watches.map((one) => one.split(".")[0]).join(", ") : "", parts.watches, base, { size: 11, color: theme.soft, max: parts.last - parts.watches - 12 });
  const last = d.lastBy.get(name);
  if (parts.last && last) pen.text(sentence(last.explain) || last.object, parts.last, base, { size: 11, max: parts.right - parts.last });
}

/** Keys that wait, each a small ticket; those that wait for a while are dashed, with the time. */
function queueOf({ pen, time }: Drawing, box: Box, x: number, w: number, waiting: string[], count: number, later: [string, number][]): void {
  const { theme } = pen;
  const y = box.y + box.h / 2;
  const key = waiting[0], due = later[0];
  if (!count && !due) return pen.line([{ x, y }, { x: x + w - 6, y }], { stroke: theme.line, width: 1.2, dash: [2, 4] });
  const words = count ? (key ? key.slice(key.indexOf("/") + 1) : "") : `${due![0].slice(due![0].indexOf("/") + 1)}`;
  const more = count > 1 ? `+${count - 1}` : "";
  const wait = !count && due ? ` ${Math.max(0, Math.ceil((due[1] - time) / 1000))} s` : "";
  const moreW = more || wait ? pen.width(more || wait, { size: 10.2 }) + 5 : 0;
  const ticket = { x, y: box.y + 3, w: Math.min(w - moreW - 4, pen.width(words, { size: 10.2, mono: true }) + 12), h: box.h - 6 };
  pen.rect(ticket, { fill: count ? theme.warn : undefined, fillAlpha: 0.18, stroke: count ? theme.warn : theme.soft, dash: count ? undefined : [3, 3], radius: 5 });
  pen.text(words, ticket.x + 6, y + 3.8, { size: 10.2, mono: true, max: ticket.w - 9 });
  if (moreW) pen.text(more || wait, ticket.x + ticket.w + 5, y + 3.8, { size: 10.2, color: theme.soft });
}

/** Who holds which lease: the one that leads works, the others wait. */
function leases(d: Drawing, up: boolean): void {
  const { pen, at } = d;
  const held = ["kube-controller-manager", "kube-scheduler"].map((name) => ({ name, holder: d.leases[name] ?? "" })).filter(({ holder }) => holder);
  if (!held.length || at.controllers.w < 420) return;
  const words = held.map(({ name, holder }) => `${t("lease")} ${name.replace("kube-", "")}: ${holder.split("_")[0]}`).join("   ");
  pen.text(words, at.controllers.x + at.controllers.w - 13, at.controllers.y + 22, { size: 11, align: "right", color: up ? pen.theme.soft : pen.theme.bad, max: at.controllers.w - 180 });
}
