// The API server: the bar that everything passes through, with the stages of a request. Mirrors clusterlab/apiserver.
import { t } from "../i18n/t";
import { drawCard, isFlooded, isUp, nodeFault, type Drawing } from "./drawing";
import { isSlim } from "./layoutControl";
import { wireOf } from "./actors";

/** What the bar calls the stages of a request, in order. */
export const stageTitles = (narrow: boolean): string[] =>
  narrow
    ? [t("authn"), t("authz"), t("admit"), t("schema"), t("valid"), "etcd", t("watch")]
    : [t("authn"), t("authz"), t("admission"), t("schema"), t("validation"), "etcd", t("watch")];

export function drawApiServer(d: Drawing): void {
  const { pen, at } = d;
  const { theme } = pen;
  const up = isUp(d.components, "kube-apiserver");
  pen.rect({ ...at.bus, y: at.bus.y + 2 }, { fill: theme.shadow, fillAlpha: 0.6, radius: 14 });
  pen.rect(at.bus, {
    fill: theme.bus, stroke: d.selected === "kube-apiserver" ? theme.accent : up ? theme.accent : theme.bad, width: d.selected === "kube-apiserver" ? 2.2 : 1.2,
    alpha: 1, radius: 14, dash: up ? undefined : [6, 5],
  });
  const room = at.narrow ? at.bus.w - 20 : at.stages[0]!.x - at.bus.x - 24;
  pen.text(t("API server"), at.bus.x + 18, at.bus.y + (at.narrow ? 19 : at.bus.h < 50 ? 20 : 23), { size: 14.5, weight: 680, max: room });
  const long = t("everything passes through here");
  const flooded = up && isFlooded(d.components), bad = !up || flooded;
  const below = !up ? t("down") : flooded ? t("flooded: 429, come back later") : at.narrow || pen.width(long, { size: 11.2 }) <= room ? long : t("everything passes here");
  if (at.narrow) pen.text(below, at.bus.x + 108, at.bus.y + 19, { size: 10.8, color: bad ? theme.bad : theme.soft, max: room - 100 });
  else pen.text(below, at.bus.x + 18, at.bus.y + at.bus.h - 12, { size: 11.2, color: bad ? theme.bad : theme.soft, max: room });
  stageTitles(at.narrow).forEach((title, i) => {
    const box = at.stages[i]!;
    pen.rect(box, { fill: theme.panel, stroke: theme.line, radius: 7 });
    pen.text(title, box.x + box.w / 2, box.y + box.h / 2 + 4, { size: at.narrow ? 9.4 : 11.2, align: "center", max: box.w - 4, color: up ? theme.text : theme.soft });
  });
}

/** The wires of everyone who talks to it. */
export function drawWires(d: Drawing): void {
  const { pen, at, components } = d;
  const programs = ["kubectl", "kube-controller-manager", "kube-scheduler"];
  for (const name of [...programs, "etcd"]) drawWire(d, name, name === "etcd" || isUp(components, name), name === "etcd");
  for (const [name, node] of at.nodes) {
    if (node.detail !== "full") continue;
    const cut = d.index.nodes.get(name)?.ready === "Unknown" || nodeFault(components, name) !== null;
    drawWire(d, `kubelet/${name}`, !cut && isUp(components, `kubelet/${name}`));
    drawWire(d, `kube-proxy/${name}`, !cut && isUp(components, `kube-proxy/${name}`));
  }
  if (at.lens === "control-plane" && !at.narrow) pen.text(t("lists and watches, writes"), at.controllers.x + at.controllers.w - 4, at.bus.y - 14, { size: 11, align: "right", color: pen.theme.soft });
}

function drawWire({ pen, at }: Drawing, actor: string, up: boolean, etcd = false): void {
  pen.line(wireOf(at, actor), { stroke: etcd ? pen.theme.etcd : pen.theme.wire, width: 1.6, dash: up ? undefined : [2, 5], alpha: up ? 0.9 : 0.45 });
}

/** kubectl: whoever asks from outside. */
export function drawKubectl(d: Drawing): void {
  const { pen, at } = d;
  const { theme } = pen;
  drawCard(d, at.kubectl, { selected: d.selected === "kubectl" });
  if (isSlim(at.kubectl)) return drawSlimKubectl(d);
  const x = at.kubectl.x + at.kubectl.w / 2, y = at.kubectl.y + Math.min(at.kubectl.h / 2, at.kubectl.h - 42);
  pen.circle({ x, y: y - 24 }, 7.5, { stroke: theme.text, width: 1.7 });
  pen.ctx.beginPath();
  pen.ctx.arc(x, y + 1, 14, Math.PI, 0);
  pen.paint({ stroke: theme.text, width: 1.7 });
  pen.text(t("you"), x, y + 20, { size: 12.5, weight: 650, align: "center" });
  pen.text("kubectl", x, y + 36, { size: 10.8, align: "center", color: theme.soft, mono: true, max: at.kubectl.w - 8 });
}

function drawSlimKubectl({ pen, at }: Drawing): void {
  const { theme } = pen;
  const { kubectl } = at;
  const tight = kubectl.w < 90;
  const x = kubectl.x + (tight ? 15 : 24), y = kubectl.y + kubectl.h / 2;
  pen.circle({ x, y: y - 7 }, 4.6, { stroke: theme.text, width: 1.5 });
  pen.ctx.beginPath();
  pen.ctx.arc(x, y + 9, 8.5, Math.PI, 0);
  pen.paint({ stroke: theme.text, width: 1.5 });
  const left = x + (tight ? 12 : 16), room = kubectl.x + kubectl.w - left - 3;
  const second = pen.width("kubectl", { size: 10.4, mono: true }) <= room;
  pen.text(t("you"), left, y + (second ? -1 : 5), { size: tight ? 12 : 12.5, weight: 650, max: room });
  if (second) pen.text("kubectl", left, y + 14, { size: 10.4, color: theme.soft, mono: true });
}
