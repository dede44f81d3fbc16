// etcd: its members, who leads, how far each one has committed. Mirrors clusterlab/etcd.
import { t } from "../i18n/t";
import { drawCard, isUp, numberOf, type Drawing } from "./drawing";
import { bottomOf, center, type Box } from "./geometry";

export interface Member {
  name: string;
  role: string;
  term: number;
  last: number;
  commit: number;
  up: boolean;
}

export const membersOf = (components: Drawing["components"]): Member[] => (components["etcd"]?.["members"] as Member[] | undefined) ?? [];

export function drawEtcd(d: Drawing): void {
  const { at, components } = d;
  const etcd = components["etcd"] ?? {};
  const subtitle = "revision" in etcd ? t("revision {revision} · term {term}", { revision: numberOf(etcd["revision"]).toLocaleString(), term: numberOf(etcd["term"]) }) : "";
  drawCard(d, at.etcd, { title: "etcd", subtitle, selected: d.selected === "etcd" });
  const members = membersOf(components);
  links(d, members);
  for (const member of members) {
    const box = at.members.get(member.name);
    if (box) drawMember(d, box, member);
  }
}

function links({ pen, at }: Drawing, members: Member[]): void {
  const leader = members.find((member) => member.role === "leader");
  if (!leader) return;
  const from = at.members.get(leader.name);
  for (const member of members) {
    const to = at.members.get(member.name);
    if (!from || !to || member === leader) continue;
    pen.line([center(from), center(to)], { stroke: pen.theme.etcd, width: 1.2, dash: [3, 4], alpha: member.up === false ? 0.2 : 0.6 });
  }
}

function drawMember(d: Drawing, box: Box, member: Member): void {
  const { pen, at } = d;
  const { theme } = pen;
  const r = box.w / 2, middle = center(box);
  const leads = member.role === "leader", up = member.up !== false && isUp(d.components, member.name);
  pen.circle(middle, r, { fill: theme.panel });
  pen.circle(middle, r, {
    fill: up ? theme.etcd : theme.soft, fillAlpha: leads ? 0.34 : 0.13, stroke: up ? theme.etcd : theme.soft,
    width: d.selected === member.name ? 3 : leads ? 2.4 : 1.2, dash: up ? undefined : [4, 4],
  });
  const size = Math.min(11.5, Math.max(8.5, r / 2.4));
  pen.text(member.name, middle.x, middle.y + (r > 18 ? 0 : 4), { size, align: "center", weight: 600, max: box.w - 4 });
  if (r > 18) pen.text(up ? String(member.commit) : t("down"), middle.x, middle.y + size + 1, { size: size - 1.2, align: "center", color: up ? theme.soft : theme.bad, mono: up });
  if (leads && up) crown(d, middle.x, box.y + 1, Math.min(9, r * 0.42));
  if (member.role === "candidate") pen.text(t("candidate"), middle.x, box.y - 4, { size: 9.5, align: "center", color: theme.warn });
  if (at.lens === "etcd") drawLog(d, box, member);
}

function crown({ pen }: Drawing, x: number, y: number, r: number): void {
  const { ctx } = pen;
  ctx.beginPath();
  ctx.moveTo(x - r, y + 1);
  for (const [dx, dy] of [[-r, -r], [-r * 0.45, -r * 0.35], [0, -r * 1.15], [r * 0.45, -r * 0.35], [r, -r], [r, 1]] as const) ctx.lineTo(x + dx, y + dy);
  ctx.closePath();
  pen.paint({ fill: pen.theme.etcd });
}

/** The end of a member's log: one cell an entry, filled as far as it is committed. */
function drawLog({ pen, at }: Drawing, box: Box, member: Member): void {
  const { theme } = pen;
  const foot = bottomOf(box);
  const room = at.etcd.y + at.etcd.h - foot.y - 14;
  if (room < 44) return;
  const name = member.role === "leader" ? t("leader") : member.role;
  pen.text(`${name} · ${t("term {term}", { term: member.term })}`, foot.x, foot.y + 20, { size: 11.5, align: "center", color: theme.soft });
  const cells = 6, w = 30;
  const first = Math.max(1, member.last - cells + 1);
  for (let i = 0; i < cells; i++) {
    const entry = first + i;
    const cell = { x: foot.x - (cells * w) / 2 + i * w, y: foot.y + 32, w: w - 3, h: 22 };
    const there = entry <= member.last, committed = entry <= member.commit;
    pen.rect(cell, { fill: committed ? theme.etcd : undefined, fillAlpha: 0.28, stroke: there ? theme.etcd : theme.line, dash: committed ? undefined : [3, 3], radius: 4 });
    if (there) pen.text(String(entry), cell.x + cell.w / 2, cell.y + 14.5, { size: 9.5, align: "center", mono: true, max: cell.w });
  }
  if (room > 66) pen.text(t("committed up to {commit}", { commit: member.commit }), foot.x, foot.y + 70, { size: 10.5, align: "center", color: theme.soft });
}
