// etcd: its members, who leads, what each one's log holds and how far it is committed, who can hear whom. Mirrors clusterlab/etcd.
import { t } from "../i18n/t";
import { drawCard, isUp, numberOf, type Drawing } from "./drawing";
import { center, mix, type Box, type Point } from "./geometry";
import { isSlim, ringArea } from "./layoutControl";

export interface Member {
  name: string;
  role: string;
  term: number;
  first?: number;
  last: number;
  commit: number;
  applied?: number;
  up: boolean;
  voter?: boolean;
  /** Whom it voted for in this term. */
  vote?: string;
  votes?: string[];
  lag?: number;
  full?: boolean;
  /** The end of its log: [index, term, what]. */
  log?: [number, number, string][];
}

export const membersOf = (components: Drawing["components"]): Member[] => (components["etcd"]?.["members"] as Member[] | undefined) ?? [];

export function drawEtcd(d: Drawing): void {
  const { at, components, pen } = d;
  const etcd = components["etcd"] ?? {};
  const revision = numberOf(etcd["revision"]).toLocaleString(), term = numberOf(etcd["term"]);
  const led = "leader" in etcd ? Boolean(etcd["leader"]) : true;
  const subtitle = "revision" in etcd && !(isSlim(at.etcd) && at.etcd.w <= 150) ? [t("revision {revision} · term {term}", { revision, term }), t("revision {revision}", { revision }), ""] : "";
  drawCard(d, at.etcd, { title: "etcd", subtitle, selected: d.selected === "etcd" });
  const members = membersOf(components);
  if (!led && at.etcd.w > 150) pen.text(t("no leader"), at.etcd.x + at.etcd.w - 13, at.etcd.y + (isSlim(at.etcd) ? 42 : 22), { size: 12, weight: 700, align: "right", color: pen.theme.bad });
  links(d, members);
  for (const member of members) {
    const box = at.members.get(member.name);
    if (box) drawMember(d, box, member);
  }
  if (at.lens === "etcd" && !isSlim(at.etcd)) drawLogs(d, members);
}

const groupsOf = (d: Drawing): string[][] => (d.components["etcd"]?.["groups"] as string[][] | undefined) ?? [];

/** Whether a partition lies between two members. */
export function cutOff(groups: string[][], a: string, b: string): boolean {
  if (!groups.length) return false;
  const of = (name: string): number => groups.findIndex((group) => group.includes(name));
  return of(a) !== of(b);
}

function links(d: Drawing, members: Member[]): void {
  const { pen, at } = d;
  if (isSlim(at.etcd)) return;
  const leader = members.find((member) => member.role === "leader");
  const groups = groupsOf(d);
  const slow = (d.components["etcd"]?.["links"] as [string, string, number, number][] | undefined) ?? [];
  members.forEach((a, i) => members.slice(i + 1).forEach((b) => {
    const from = at.members.get(a.name), to = at.members.get(b.name);
    if (!from || !to) return;
    const led = a === leader || b === leader;
    if (at.lens !== "etcd" && !led) return;
    const line: [Point, Point] = [center(from), center(to)];
    const alive = a.up !== false && b.up !== false;
    const cut = cutOff(groups, a.name, b.name);
    pen.line(line, { stroke: cut ? pen.theme.bad : pen.theme.etcd, width: led ? 1.5 : 1, dash: [3, 4], alpha: alive ? (led ? 0.65 : 0.28) : 0.15 });
    if (cut) drawCut(d, line);
    const link = slow.find(([x, y]) => (x === a.name && y === b.name) || (x === b.name && y === a.name));
    if (link && at.lens === "etcd") pen.text([link[2] ? `${link[2]} ms` : "", link[3] ? t("{part} % lost", { part: Math.round(link[3] * 100) }) : ""].filter(Boolean).join(" · "), mix(line[0].x, line[1].x, 0.5), mix(line[0].y, line[1].y, 0.5) - 6, { size: 10.5, align: "center", color: pen.theme.warn });
  }));
}

/** A cut across a link: two short strokes. */
function drawCut({ pen }: Drawing, [a, b]: [Point, Point]): void {
  const length = Math.hypot(b.x - a.x, b.y - a.y) || 1;
  const [ux, uy] = [(b.x - a.x) / length, (b.y - a.y) / length];
  const middle = { x: mix(a.x, b.x, 0.5), y: mix(a.y, b.y, 0.5) };
  for (const way of [-4, 4]) {
    const at = { x: middle.x + ux * way, y: middle.y + uy * way };
    pen.line([{ x: at.x - uy * 9 - ux * 3, y: at.y + ux * 9 - uy * 3 }, { x: at.x + uy * 9 + ux * 3, y: at.y - ux * 9 + uy * 3 }], { stroke: pen.theme.bad, width: 2.4 });
  }
}

function drawMember(d: Drawing, box: Box, member: Member): void {
  const { pen } = d;
  const { theme } = pen;
  const r = box.w / 2, middle = center(box);
  const leads = member.role === "leader", up = member.up !== false && isUp(d.components, member.name);
  const running = member.role === "candidate" || member.role === "pre-candidate";
  const color = !up ? theme.soft : running ? theme.warn : theme.etcd;
  pen.circle(middle, r, { fill: theme.panel });
  pen.circle(middle, r, { fill: color, fillAlpha: leads ? 0.34 : 0.13, stroke: color, width: d.selected === member.name ? 3 : leads ? 2.4 : 1.2, dash: up ? (member.voter === false ? [2, 3] : undefined) : [4, 4] });
  if (r < 10) {
    if (!up) pen.glyph("cross", middle, r * 0.7, theme.bad);
    return;
  }
  const size = Math.min(13, Math.max(8.5, r / 2.8));
  const name = pen.width(member.name, { size, weight: 600 }) > box.w - 4 ? member.name.slice(member.name.lastIndexOf("-") + 1) : member.name;
  pen.text(name, middle.x, middle.y + (r > 18 ? 0 : 4), { size, align: "center", weight: 600, max: box.w - 4 });
  if (r > 18) pen.text(up ? String(member.commit) : t("down"), middle.x, middle.y + size + 1, { size: size - 1.2, align: "center", color: up ? theme.soft : theme.bad, mono: up });
  if (leads && up) crown(d, middle.x, box.y + 1, Math.min(10, r * 0.42));
  if (d.at.lens !== "etcd" && running) pen.text(t("candidate"), middle.x, box.y - 4, { size: 9.5, align: "center", color: theme.warn });
  if (d.at.lens === "etcd" && r > 18 && up) {
    const words = member.full ? t("disk full") : member.votes?.length && running ? member.votes.length === 1 ? t("1 vote") : t("{count} votes", { count: member.votes.length }) : t(member.role);
    pen.text(words, middle.x, box.y + box.h + 13, { size: 11, weight: leads ? 650 : 450, align: "center", color: member.full || !up ? theme.bad : running ? theme.warn : theme.soft });
  }
}

function crown({ pen }: Drawing, x: number, y: number, r: number): void {
  const { ctx } = pen;
  ctx.beginPath();
  ctx.moveTo(x - r, y + 1);
  for (const [dx, dy] of [[-r, -r], [-r * 0.45, -r * 0.35], [0, -r * 1.15], [r * 0.45, -r * 0.35], [r, -r], [r, 1]] as const) ctx.lineTo(x + dx, y + dy);
  ctx.closePath();
  pen.paint({ fill: pen.theme.etcd });
}

const CELL_H = 24;

/** The ends of the logs side by side: a row a member, a column an index, the term in each cell; filled as far as it is committed. */
function drawLogs(d: Drawing, members: Member[]): void {
  const { pen, at } = d;
  const { theme } = pen;
  const ring = ringArea(at.etcd);
  const beside = at.etcd.w > 520;
  const area = beside ? { x: ring.x + ring.w + 24, y: at.etcd.y + 48, w: at.etcd.x + at.etcd.w - ring.x - ring.w - 38, h: at.etcd.h - 60 } : { x: at.etcd.x + 10, y: ring.y + ring.h + 22, w: at.etcd.w - 20, h: at.etcd.h - ring.h - 76 };
  if (area.w < 150 || area.h < 60) return;
  const nameW = 62;
  const newest = Math.max(1, ...members.map((member) => member.last));
  const most = Math.max(3, Math.min(8, Math.floor((area.w - nameW - 6) / 52)));
  const first = Math.max(1, newest - most + 1);
  const cellW = (area.w - nameW) / most;
  // Where there is little height the rows move together, before the last of them is left out.
  const roomy = (area.h - 40) / Math.max(1, members.length), close = (area.h - 16 - CELL_H) / Math.max(1, members.length - 1);
  const pitch = roomy >= CELL_H + 6 ? Math.min(58, roomy) : Math.min(CELL_H + 6, Math.max(CELL_H + 2, close));
  pen.text(t("LOG"), area.x, area.y + 8, { size: 10, color: theme.soft, spacing: 0.6 });
  for (let i = 0; i < most; i++) pen.text(String(first + i), area.x + nameW + cellW * (i + 0.5), area.y + 8, { size: 10, mono: true, align: "center", color: theme.soft, max: cellW });
  members.forEach((member, row) => {
    const y = area.y + 16 + row * pitch;
    if (y + CELL_H > area.y + area.h) return;
    logRow(d, member, { x: area.x, y, w: nameW, h: pitch }, first, most, cellW);
  });
  const told = members.reduce<Member | undefined>((best, member) => (member.log?.length && (!best || member.last > best.last) ? member : best), undefined)?.log?.at(-1);
  if (told && area.h - 16 - members.length * pitch > 16) pen.text(t("entry {index}: {what}", { index: told[0], what: told[2] }), area.x, area.y + area.h - 2, { size: 11, mono: true, color: theme.soft, max: area.w });
}

function logRow(d: Drawing, member: Member, at: Box, first: number, most: number, cellW: number): void {
  const { pen } = d;
  const { theme } = pen;
  const up = member.up !== false;
  const entries = new Map((member.log ?? []).map((entry) => [entry[0], entry]));
  pen.text(member.name, at.x, at.y + 15, { size: 11.6, weight: member.role === "leader" ? 700 : 500, max: at.w - 6, color: up ? theme.text : theme.soft });
  if (at.h > 40) pen.text(t("term {term}", { term: member.term }), at.x, at.y + 29, { size: 10.4, color: theme.soft, max: at.w - 4 });
  for (let i = 0; i < most; i++) {
    const index = first + i;
    const cell = { x: at.x + at.w + i * cellW + 1.5, y: at.y, w: cellW - 3, h: CELL_H };
    const there = index <= member.last, committed = index <= member.commit;
    pen.rect(cell, { fill: committed && there ? theme.etcd : undefined, fillAlpha: up ? 0.26 : 0.1, stroke: there ? (up ? theme.etcd : theme.soft) : theme.line, dash: committed ? undefined : [3, 3], radius: 4 });
    if (!there) continue;
    const entry = entries.get(index);
    pen.text(entry ? `t${entry[1]}` : "·", cell.x + cell.w / 2, cell.y + 16, { size: 10.6, align: "center", mono: true, color: up ? theme.text : theme.soft });
    if (entry && at.h > 40) pen.text(nameOfEntry(entry[2]), cell.x + cell.w / 2, cell.y + CELL_H + 11, { size: 8.8, align: "center", color: theme.soft, max: cellW - 2 });
  }
  const mark = at.x + at.w + (member.commit - first + 1) * cellW;
  if (member.commit >= first) pen.line([{ x: mark, y: at.y - 3 }, { x: mark, y: at.y + CELL_H + 3 }], { stroke: theme.ok, width: 2.4 });
}

/** What an entry writes, in a word: the resource; with a minus where it is deleted. */
const nameOfEntry = (what: string): string => `${what.startsWith("delete") ? "−" : ""}${/registry\/([^/]+)/.exec(what)?.[1]?.replace("minions", "nodes") ?? what.split(" ")[0]}`;
