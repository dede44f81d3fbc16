// Draws the graph of owners: its lines, the frames around pods of one owner, and what has no card of its own elsewhere.
import type { Drawing } from "./drawing";
import { wrap } from "./words";

export function drawOwners(d: Drawing): void {
  const { pen, at } = d;
  const { theme } = pen;
  for (const link of at.ownerLinks) {
    const lit = d.selected !== "" && (d.selected === link.from || d.selected === link.to);
    pen.line(link.points, { stroke: lit || link.dashed ? theme.accent : theme.wire, width: lit ? 2.4 : 1.5, alpha: link.dashed && !lit ? 0.75 : 1, dash: link.dashed ? [3, 4] : undefined });
  }
  for (const { box, words } of at.groups.values()) {
    pen.rect(box, { fill: theme.panel, fillAlpha: 0.5, stroke: theme.line, radius: 11 });
    if (words) pen.text(words, box.x + 8, box.y + 16, { size: 11, color: theme.soft, max: box.w - 16 });
  }
  for (const [key, { box, kind, name }] of at.others) {
    const selected = d.selected === key;
    pen.rect(box, { fill: theme.panel, stroke: selected ? theme.accent : theme.line, width: selected ? 2 : 1.1, radius: 10 });
    pen.text(name, box.x + 11, box.y + 17, { size: 12.2, weight: 650, max: box.w - 22 });
    pen.text(kind, box.x + 11, box.y + 32, { size: 10.4, color: theme.soft, max: box.w - 22 });
  }
  if (at.note) wrap(at.note, Math.min(at.bus.w, 560), 3, pen.width.bind(pen), 12.5).forEach((line, i) => pen.text(line, at.bus.x, Math.max(at.bus.y + at.bus.h + 52, bottomOfAll(d)) + i * 18, { size: 12.5, color: theme.soft }));
}

const bottomOfAll = ({ at }: Drawing): number =>
  Math.max(0, ...[...at.owners.values(), ...at.services.values(), ...[...at.others.values(), ...at.groups.values()].map(({ box }) => box)].map((box) => box.y + box.h + 24));

