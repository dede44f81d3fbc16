// What an author does in the lab, as the lines of a solution: kubectl, faults, and the waiting between. Looking around and commands that
// failed are no part of it.
import { currentLab } from "./element";

/** Simulated time that passed between two actions and is worth a wait. */
const WAIT_MS = 2000;

const LOOKS = /^(kubectl (get|describe|logs|top|explain|events|diff|version|help|options|api-\w+|cluster-info|auth (can-i|whoami)|config)|etcdctl (get|version|member list|snapshot status|endpoint))\b/;

const quoted = (text: string): string => (/^[\w@%./=-][\w@%./= -]*$/.test(text) ? text : JSON.stringify(text));

export class Recorder {
  private lines: string[] = [];
  /** The command lines whose end is not known yet, and where each stands among the lines. */
  private open: { line: string; place: number }[] = [];
  private last = 0;
  private undo: (() => void) | undefined;

  start(): void {
    const lab = currentLab();
    this.lines = [];
    this.open = [];
    this.last = lab.mode.time;
    const leave = lab.on(["kubectl"], () => this.ended());
    const send = lab.send.bind(lab);
    lab.send = (command): boolean => {
      this.heard(command);
      return send(command);
    };
    const heard = (event: Event): void => this.heard((event as CustomEvent<{ type: string } & Record<string, unknown>>).detail);
    document.addEventListener("clusterlab:did", heard);
    this.undo = () => {
      leave();
      lab.send = send;
      document.removeEventListener("clusterlab:did", heard);
    };
  }

  /** The lines, as YAML after "- ". */
  stop(): string[] {
    this.undo?.();
    this.undo = undefined;
    if (this.lines.length) this.waited();
    return joined(this.lines);
  }

  /** A line has ended: one that failed is taken out again. */
  private ended(): void {
    const answer = currentLab().kubectlAnswers.at(-1), at = this.open.findIndex((each) => each.line === answer?.line.trim());
    if (!answer || at < 0) return;
    const [known] = this.open.splice(at, 1);
    if (answer.exit) this.lines[known!.place] = "";
  }

  private heard(command: { type: string } & Record<string, unknown>): void {
    if (command.type === "kubectl") {
      const line = String(command["line"]).trim().replace(/^k /, "kubectl ");
      if (!/^(kubectl|etcdctl) [^\n]+$/.test(line) || LOOKS.test(line)) return;
      this.did(quoted(line));
      this.open.push({ line: String(command["line"]).trim(), place: this.lines.length - 1 });
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

/** The lines without those that failed, with waits that have become neighbours as one, and none before the first action. Pure. */
export function joined(lines: string[]): string[] {
  const found: string[] = [];
  for (const line of lines.filter(Boolean)) {
    const more = /^wait: (\d+)s$/.exec(line), before = /^wait: (\d+)s$/.exec(found.at(-1) ?? "");
    if (more && before) found[found.length - 1] = `wait: ${Number(before[1]) + Number(more[1])}s`;
    else if (!more || found.length) found.push(line);
  }
  return found;
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
