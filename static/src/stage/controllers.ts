// The controller manager and the controllers inside it, with what waits on their queues. Mirrors clusterlab/controllers.
import { t } from "../i18n/t";
import { drawCard, drawPlug, isUp, numberOf, type Drawing } from "./drawing";
import { controllerNames, controllerTitle } from "./layout";

export function drawControllers(d: Drawing): void {
  const { pen, at, components } = d;
  const names = controllerNames(components);
  const queued = names.reduce((sum, name) => sum + numberOf(components[name]?.["queue"]), 0);
  const up = isUp(components, "kube-controller-manager");
  const subtitle = up ? t("{count} controllers · {queued} queued", { count: names.length, queued }) : t("down");
  drawCard(d, at.controllers, { title: t("controller manager"), subtitle, selected: d.selected === "kube-controller-manager", dead: !up });
  for (const [name, box] of at.chips) {
    drawPlug(d, box, controllerTitle(name), { up, selected: d.selected === name, count: numberOf(components[name]?.["queue"]) });
  }
  if (!at.hiddenControllers.length) return;
  pen.text(`+${at.hiddenControllers.length}`, at.controllers.x + at.controllers.w - 12, at.controllers.y + at.controllers.h - 10, { size: 11, color: pen.theme.soft, align: "right" });
}
