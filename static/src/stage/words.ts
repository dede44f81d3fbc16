// Words that must fit a width. Pure.

/** Words in lines of a width. */
export function wrap(words: string, width: number, most: number, measure: (text: string, style: { size: number }) => number, size = 10.2): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of words.split(" ")) {
    const longer = line ? `${line} ${word}` : word;
    if (line && measure(longer, { size }) > width) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  lines.push(line);
  if (lines.length > most) lines.splice(most - 1, lines.length, lines[most - 1] + "…");
  return lines;
}
