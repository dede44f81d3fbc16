// The controller manager and the controllers inside it: what waits on their queues, what they watch, what is wanted and what is there.
// Mirrors clusterlab/controllers.
import { sentence } from "../i18n/sentences";
import { t } from "../i18n/t";
import type { LoopsAnswer } from "../lab/api";
import { left } from "./countdown";
import { drawCard, drawPlug, isUp, numberOf, type Drawing } from "./drawing";
import type { Box } from "./geometry";
import { controllerNames, controllerTitle, isSlim } from "./layoutControl";

type Loop = LoopsAnswer["loops"][string];

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
  const counts = queue + (narrow ? 96 : Math.max(122, box.w * 0.23));
  const watches = narrow ? 0 : counts + 78;
  return { name, queue, counts, watches, last: watches ? watches + Math.min(180, box.w * 0.19) : 0, right: box.x + box.w };
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
  drawQueue(d, { x: parts.queue, y: box.y, w: parts.counts - 12 - parts.queue, h: box.h }, loop, numberOf(state["queue"]));
  if ("desired" in state) {
    const is = numberOf(state["observed"] ?? state["healthy"] ?? state["current"]), wanted = numberOf(state["desired"]);
    pen.text(`${is} / ${wanted}`, parts.counts + 28, base, { size: 11.4, mono: true, weight: 600, align: "center", color: is === wanted ? theme.ok : theme.warn });
  }
  if (parts.watches) pen.text(loop ? loop.watches.map((one) => one.split(".")[0]).join(", ") : "", parts.watches, base, { size: 11, color: theme.soft, max: parts.last - parts.watches - 12 });
  const last = d.lastBy.get(name);
  if (parts.last && last) pen.text(sentence(last.explain) || last.object, parts.last, base, { size: 11, max: parts.right - parts.last });
}

const nameIn = (key: string): string => key.slice(key.lastIndexOf("/") + 1);
/** A ticket narrower than this tells nothing. */
const LEAST_TICKET_W = 44;

/** The keys on a work queue, each a ticket: those that are due, then, dashed, those that wait for a while, with the time that is left
 * (a back-off where they have failed) and how often they were tried. */
function drawQueue({ pen, time }: Drawing, box: Box, loop: Loop | undefined, count: number): void {
  const { theme } = pen;
  const y = box.y + box.h / 2;
  const tickets = [...(loop?.waiting ?? []).map((key) => ({ key, due: 0 })), ...(loop?.later ?? []).filter(([key]) => key && !loop?.waiting.includes(key)).map(([key, due]) => ({ key, due }))];
  const all = Math.max(count, loop?.waiting.length ?? 0) + tickets.filter((ticket) => ticket.due).length;
  if (!all) return pen.line([{ x: box.x, y }, { x: box.x + box.w - 6, y }], { stroke: theme.line, width: 1.2, dash: [2, 4] });
  let x = box.x, drawn = 0;
  for (const { key, due } of tickets) {
    const tries = loop?.failures[key] ?? 0;
    const tail = [tries ? `↻${tries}` : "", due ? left(due - time) : ""].filter(Boolean).join(" ");
    const room = box.x + box.w - x - (drawn + 1 < all ? 26 : 0);
    if (room < LEAST_TICKET_W) break;
    const tailW = tail ? pen.width(tail, { size: 9.8, weight: 600 }) + 5 : 0;
    const w = Math.min(room, 150, pen.width(nameIn(key), { size: 10.2, mono: true }) + tailW + 12);
    const bad = tries > 0;
    pen.rect({ x, y: box.y + 3, w, h: box.h - 6 }, { fill: due ? undefined : theme.warn, fillAlpha: 0.18, stroke: bad ? theme.bad : due ? theme.soft : theme.warn, dash: due ? [3, 3] : undefined, radius: 5 });
    pen.text(nameIn(key), x + 6, y + 3.8, { size: 10.2, mono: true, max: w - tailW - 9 });
    if (tail) pen.text(tail, x + w - 5, y + 3.6, { size: 9.8, weight: 600, align: "right", color: bad ? theme.bad : theme.soft });
    x += w + 4;
    drawn++;
  }
  if (drawn < all) pen.text(`+${all - drawn}`, x + 1, y + 3.8, { size: 10.4, weight: 600, color: theme.soft });
}

/** Who holds which lease: the one that leads works, the others wait. */
function leases(d: Drawing, up: boolean): void {
  const { pen, at } = d;
  const held = ["kube-controller-manager", "kube-scheduler"].map((name) => ({ name, holder: d.leases[name] ?? "" })).filter(({ holder }) => holder);
  if (!held.length || at.controllers.w < 420) return;
  const words = held.map(({ name, holder }) => `${t("lease")} ${name.replace("kube-", "")}: ${holder.split("_")[0]}`).join("   ");
  pen.text(words, at.controllers.x + at.controllers.w - 13, at.controllers.y + 22, { size: 11, align: "right", color: up ? pen.theme.soft : pen.theme.bad, max: at.controllers.w - 180 });
}
