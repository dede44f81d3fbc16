// One terminal of a lab: its websocket, the lines that were run in it and what they answered. Views show it: xterm.js or plain text.

export interface Entry {
  line: string;
  text: string;
  /** null while it runs. */
  exit: number | null;
}

export interface Candidate {
  text: string;
  about: string;
  after: string;
}

/** What a view hears. */
export interface SessionView {
  /** Output as it came, control sequences included. */
  output?(data: Uint8Array): void;
  /** A line has ended, or another one is needed to end it. */
  prompt?(more: boolean): void;
  completed?(id: number, part: string, candidates: Candidate[]): void;
  /** Something else has changed. */
  changed?(): void;
}

/** What the page does for a command line. */
export interface SessionPage {
  edit(name: string, text: string): Promise<string | null>;
  act(action: { do: string; condition?: string; name?: string }): void;
  done(entry: Entry): void;
}

export interface SocketLike {
  binaryType: string;
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
  send(text: string): void;
  close(): void;
}

const ENTRIES = 80;
const TEXT = 200_000;
const RETRY_MS = 1500;
const FINAL_CODES = new Set([4403, 4404, 4429]);

export class TerminalSession {
  readonly entries: Entry[] = [];
  readonly views = new Set<SessionView>();
  state: "connecting" | "ready" | "running" | "closed" = "connecting";
  confined = true;
  cwd = "/lab";
  problem = "";
  /** What waits for its turn: lines of `run` buttons, and what was pasted below a line. */
  private readonly queue: string[] = [];
  private draft = "";
  private socket: SocketLike | null = null;
  private ended = false;
  private size: [number, number] = [80, 24];
  private readonly decoder = new TextDecoder();
  private asked = 0;

  constructor(private readonly open: () => SocketLike, private readonly page: SessionPage, private readonly later: (ms: number, task: () => void) => void = (ms, task) => void setTimeout(task, ms)) {
    this.connect();
  }

  get running(): boolean {
    return this.state === "running";
  }

  /** The lines that were typed before this one which is not finished yet (an open quote, a here-document). */
  get unfinished(): boolean {
    return this.draft !== "";
  }

  private connect(): void {
    const socket = (this.socket = this.open());
    socket.binaryType = "arraybuffer";
    socket.onmessage = (event) => {
      if (socket === this.socket) this.receive(event.data);
    };
    socket.onclose = (event) => {
      if (socket !== this.socket || this.ended) return;
      this.socket = null;
      const last = this.entries.at(-1);
      if (last?.exit === null) last.exit = 255;
      this.draft = "";
      const final = FINAL_CODES.has(event.code);
      this.state = final ? "closed" : "connecting";
      if (!final) this.later(RETRY_MS, () => !this.ended && this.connect());
      this.changed();
    };
  }

  close(): void {
    this.ended = true;
    this.socket?.close();
  }

  /** Runs a line, now or when what runs has ended. */
  run(line: string): void {
    if (this.state === "ready") this.start(line);
    else if (this.queue.length < 200) this.queue.push(line);
    this.changed();
  }

  private start(line: string): void {
    const whole = this.draft ? `${this.draft}\n${line}` : line;
    const last = this.entries.at(-1);
    if (this.draft && last) last.line = whole;
    else {
      this.entries.push({ line: whole, text: "", exit: null });
      if (this.entries.length > ENTRIES) this.entries.shift();
    }
    this.draft = "";
    this.state = "running";
    this.send({ type: "run", line: whole });
    // An author who records a solution wants to know.
    if (typeof document !== "undefined") document.dispatchEvent(new CustomEvent("clusterlab:did", { detail: { type: "kubectl", line: whole } }));
  }

  /** Gives up a line that is not finished. */
  forget(): void {
    const last = this.entries.at(-1);
    if (this.draft && last) last.exit = 130;
    this.draft = "";
  }

  /** Keys for the program that runs. */
  input(data: string): void {
    if (data.includes("\x03")) this.queue.length = 0;
    this.send({ type: "input", data });
  }

  resize(columns: number, rows: number): void {
    if (this.size[0] === columns && this.size[1] === rows) return;
    this.size = [columns, rows];
    if (this.state !== "connecting" && this.state !== "closed") this.send({ type: "resize", columns, rows });
  }

  /** Asks how a line could go on; the answer comes to the views. */
  complete(line: string): number {
    this.asked += 1;
    this.send({ type: "complete", line, id: this.asked });
    return this.asked;
  }

  private send(message: object): void {
    try {
      this.socket?.send(JSON.stringify(message));
    } catch {
      // It is about to close; whoever waits is told then.
    }
  }

  private receive(data: unknown): void {
    if (typeof data !== "string") return this.output(new Uint8Array(data as ArrayBuffer));
    const message = JSON.parse(data) as { type: string } & Record<string, unknown>;
    switch (message.type) {
      case "ready":
        this.state = "ready";
        this.problem = "";
        this.confined = message["confined"] === true;
        this.send({ type: "resize", columns: this.size[0], rows: this.size[1] });
        this.prompt(false);
        return;
      case "more":
        this.state = "ready";
        this.draft = this.entries.at(-1)?.line ?? "";
        return this.prompt(true);
      case "done":
        return this.done(message["exit"] as number, message["cwd"] as string);
      case "waiting":
        this.output(new TextEncoder().encode(`… waiting: ${Number(message["ahead"]) + 1} commands of this server are before this one\r\n`));
        return;
      case "completed": {
        const candidates = (message["candidates"] as [string, string, string][]).map(([text, about, after]) => ({ text, about, after }));
        for (const view of this.views) view.completed?.(message["id"] as number, message["part"] as string, candidates);
        return;
      }
      case "edit":
        void this.page.edit(message["name"] as string, message["text"] as string).then((text) => this.send({ type: "edited", id: message["id"], text }));
        return;
      case "page":
        return this.page.act(message as unknown as { do: string });
      case "error":
        this.problem = String(message["message"]);
        return this.changed();
    }
  }

  private output(data: Uint8Array): void {
    const entry = this.entries.at(-1);
    if (entry) entry.text = plainText(entry.text, this.decoder.decode(data, { stream: true })).slice(-TEXT);
    for (const view of this.views) view.output?.(data);
    this.changed();
  }

  private done(exit: number, cwd: string): void {
    const entry = this.entries.at(-1);
    if (entry) entry.exit = exit;
    this.state = "ready";
    this.cwd = cwd;
    if (entry) this.page.done(entry);
    this.prompt(false);
  }

  private prompt(more: boolean): void {
    for (const view of this.views) view.prompt?.(more);
    this.changed();
    const next = this.queue.shift();
    if (next !== undefined) {
      for (const view of this.views) view.output?.(new TextEncoder().encode(`${next.replaceAll("\n", "\r\n")}\r\n`));
      this.start(next);
      this.changed();
    }
  }

  private changed(): void {
    for (const view of this.views) view.changed?.();
  }
}

// eslint-disable-next-line no-control-regex
const SEQUENCES = /\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[()][A-Z0-9]|[=>78cDEHM])/g;
const CLEARS = /\x1b\[[23]?J/g;

/** Text with more output put to it, as it would be read: no control sequences, a lone return overwrites, a cleared screen is empty. */
export function plainText(before: string, more: string): string {
  let text = more;
  let start = before;
  const clears = [...more.matchAll(CLEARS)];
  const last = clears.at(-1);
  if (last) {
    text = more.slice(last.index + last[0].length);
    start = "";
  }
  text = text.replace(SEQUENCES, "").replaceAll("\r\n", "\n");
  if (!/[\r\x08]/.test(text)) return start + text;
  let whole = start;
  for (const char of text) {
    if (char === "\r") whole = whole.slice(0, whole.lastIndexOf("\n") + 1);
    else if (char === "\x08") whole = whole.slice(0, -1);
    else whole += char;
  }
  return whole;
}
