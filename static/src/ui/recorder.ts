// What an author does in the lab, as the lines of a solution: kubectl, faults, and the waiting between.
import { currentLab } from "./element";

/** Simulated time that passed between two actions and is worth a wait. */
const WAIT_MS = 2000;

const quoted = (text: string): string => (/^[\w@%./=-][\w@%./= -]*$/.test(text) ? text : JSON.stringify(text));

export class Recorder {
  private lines: string[] = [];
  private last = 0;
  private undo: (() => void) | undefined;

  start(): void {
    const lab = currentLab();
    this.lines = [];
    this.last = lab.mode.time;
    const send = lab.send.bind(lab);
    lab.send = (command): boolean => {
      this.heard(command);
      return send(command);
    };
    const heard = (event: Event): void => this.heard((event as CustomEvent<{ type: string } & Record<string, unknown>>).detail);
    document.addEventListener("clusterlab:did", heard);
    this.undo = () => {
      lab.send = send;
      document.removeEventListener("clusterlab:did", heard);
    };
  }

  /** The lines, as YAML after "- ". */
  stop(): string[] {
    this.undo?.();
    this.undo = undefined;
    if (this.lines.length) this.waited();
    return this.lines;
  }

  private heard(command: { type: string } & Record<string, unknown>): void {
    if (command.type === "kubectl") {
      const line = String(command["line"]).trim().replace(/^k /, "kubectl ");
      if (/^(kubectl|etcdctl) [^\n]+$/.test(line)) this.did(quoted(line));
    }
    else if (command.type === "fault") this.did(`fault: ${JSON.stringify(command["fault"])}`);
    else if (command.type === "lesson-fault") return; // the block that stands in the text does it
    else if (command.type === "heal") this.did(`heal: ${String(command["kind"] ?? command["id"])}`);
  }

  private did(line: string): void {
    if (this.lines.length) this.waited();
    this.lines.push(line);
    this.last = currentLab().mode.time;
  }

  private waited(): void {
    const passed = currentLab().mode.time - this.last;
    if (passed >= WAIT_MS) this.lines.push(`wait: ${Math.ceil(passed / 1000)}s`);
    this.last = currentLab().mode.time;
  }
}

/** A lesson's text with another solution for a task; null when it has no such task. Pure. */
export function withSolution(text: string, task: string, actions: string[]): string | null {
  const lines = text.split("\n");
  const begin = lines.findIndex((line, at) => line.trim() === `id: ${task}` && lines.slice(0, at).reverse().find((one) => one.startsWith("```"))?.startsWith("```task"));
  if (begin < 0) return null;
  const end = lines.findIndex((line, at) => at > begin && line.startsWith("```"));
  if (end < 0) return null;
  const block = lines.slice(begin, end);
  const at = block.findIndex((line) => line.startsWith("solution:"));
  let after = at + 1;
  while (at >= 0 && after < block.length && /^(\s|-)/.test(block[after]!)) after++;
  const solution = ["solution:", ...actions.map((line) => `- ${line}`)];
  const rest = at < 0 ? [...block, ...solution] : [...block.slice(0, at), ...solution, ...block.slice(after)];
  return [...lines.slice(0, begin), ...rest, ...lines.slice(end)].join("\n");
}
