// The controller manager and the controllers inside it, with what waits on their queues. Mirrors clusterlab/controllers.
import { t } from "../i18n/t";
import { drawCard, drawPlug, isUp, numberOf, type Drawing } from "./drawing";
import { controllerNames, controllerTitle } from "./layoutControl";

export function drawControllers(d: Drawing): void {
  const { pen, at, components } = d;
  const names = controllerNames(components);
  const queued = names.reduce((sum, name) => sum + numberOf(components[name]?.["queue"]), 0);
  const up = isUp(components, "kube-controller-manager");
  const subtitle = up ? t("{count} controllers · {queued} queued", { count: names.length, queued }) : t("down");
  drawCard(d, at.controllers, { title: t("controller manager"), subtitle, selected: d.selected === "kube-controller-manager", dead: !up });
  for (const [name, box] of at.chips) {
    if (box.w > 150) drawLine(d, name, up);
    else drawPlug(d, box, controllerTitle(name), { up, selected: d.selected === name, count: numberOf(components[name]?.["queue"]) });
  }
  if (!at.hiddenControllers.length) return;
  pen.text(`+${at.hiddenControllers.length}`, at.controllers.x + at.controllers.w - 12, at.controllers.y + at.controllers.h - 10, { size: 11, color: pen.theme.soft, align: "right" });
}

/** A controller with what it did last. */
function drawLine(d: Drawing, name: string, up: boolean): void {
  const { pen } = d;
  const box = d.at.chips.get(name)!;
  const title = controllerTitle(name);
  const chip = { ...box, w: Math.min(box.w, pen.width(title, { size: 10.8 }) + (numberOf(d.components[name]?.["queue"]) ? 42 : 20)) };
  drawPlug(d, chip, title, { up, selected: d.selected === name, count: numberOf(d.components[name]?.["queue"]) });
  const last = d.lastBy.get(name);
  const room = box.w - chip.w - 10;
  if (last && room > 50) pen.text(last.explain || last.object, box.x + chip.w + 8, box.y + 15, { size: 10.4, color: pen.theme.soft, max: room });
}
