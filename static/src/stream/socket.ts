// The connection to a lab: says from where to go on, comes back with back-off, lets each frame through exactly once.
import type { Frame, ServerMessage } from "./types";

export type ConnectionState = "connecting" | "open" | "waiting" | "closed";

/** What a socket must be able to do; the browser's WebSocket does, and so does a test's. */
export interface SocketLike {
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
  send(text: string): void;
  close(): void;
  /** As of a WebSocket: 1 is open. */
  readonly readyState?: number;
}

export interface StreamHandlers {
  message(message: ServerMessage): void;
  connection(state: ConnectionState, retryInMs: number): void;
  /** Commands that waited for a connection were given up with it. */
  lost?(): void;
}

export interface StreamOptions {
  open: () => SocketLike;
  later: (delayMs: number, task: () => void) => void;
}

const OPEN = 1;
/** Commands that may wait for a connection which is being made. */
const MOST_HELD = 20;
const BACKOFF_FIRST_MS = 250;
const BACKOFF_MOST_MS = 8_000;
/** Close codes after which trying again makes no sense: too many bad messages, unknown lab, not allowed. */
const FINAL_CODES = new Set([4400, 4403, 4404, 4410]);

/** One lab's stream. Frames reach `handlers.message` in order, none twice; after a gap it asks again from the last one held. */
export class LabStream {
  private socket: SocketLike | null = null;
  private lastSeq: number | null = null;
  /** Which timeline `lastSeq` counts on: the server's number for it, up by one with each jump. */
  private where: { lab: string; generation: number } | null = null;
  private failures = 0;
  private stopped = false;
  private opened = false;
  private readonly waiting: string[] = [];

  constructor(private readonly options: StreamOptions, private readonly handlers: StreamHandlers) {}

  /** The last frame held, which a reconnect goes on from; null before the first snapshot. */
  get held(): number | null {
    return this.lastSeq;
  }

  /** The number of the timeline that is held: another one after each jump. */
  get generation(): number {
    return this.where?.generation ?? 0;
  }

  start(): void {
    this.handlers.connection("connecting", 0);
    this.opened = false;
    const socket = (this.socket = this.options.open());
    socket.onopen = () => {
      if (socket !== this.socket) return;
      this.opened = true;
      this.send({ type: "hello", packed: true, ...(this.lastSeq === null ? {} : { from: this.lastSeq, ...this.where }) });
      for (const text of this.waiting.splice(0)) socket.send(text);
      this.handlers.connection("open", 0);
    };
    socket.onmessage = (event) => {
      if (socket === this.socket) this.receive(JSON.parse(String(event.data)) as ServerMessage);
    };
    socket.onclose = (event) => {
      if (socket === this.socket) this.dropped(event.code);
    };
  }

  stop(): void {
    this.stopped = true;
    this.socket?.close();
  }

  /** Sends a command; false while there is no connection. What comes while one is being made is sent as soon as it stands. */
  send(command: object): boolean {
    const { socket } = this, text = JSON.stringify(command);
    if (!socket) return false;
    if (!this.opened) return this.waiting.length < MOST_HELD && this.waiting.push(text) > 0;
    // A socket that closes swallows what it is given.
    if (socket.readyState !== undefined && socket.readyState !== OPEN) return false;
    try {
      socket.send(text);
      return true;
    } catch {
      return false;
    }
  }

  private receive(message: ServerMessage): void {
    this.failures = 0;
    switch (message.type) {
      case "hello":
        if (message.snapshot) this.lastSeq = message.snapshot.seq;
        this.where = { lab: message.lab.id, generation: message.lab.generation ?? 0 };
        break;
      case "snapshot":
        this.lastSeq = message.snapshot.seq;
        if (this.where) this.where.generation = message.generation ?? 0;
        break;
      case "steps": {
        if (message.replay) break;
        const frames = this.fresh(message.frames);
        if (frames === null) return this.reconnect();
        if (!frames.length) return;
        return this.handlers.message({ ...message, frames });
      }
    }
    this.handlers.message(message);
  }

  /** The frames that are new, or null when one is missing in between. */
  private fresh(frames: Frame[]): Frame[] | null {
    const last = this.lastSeq;
    const fresh = last === null ? frames : frames.filter((frame) => frame.seq > last);
    const first = last === null ? fresh[0]?.seq : last + 1;
    if (fresh.some((frame, i) => frame.seq !== first! + i)) return null;
    this.lastSeq = fresh.at(-1)?.seq ?? last;
    return fresh;
  }

  private reconnect(): void {
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    this.start();
  }

  private dropped(code: number): void {
    this.socket = null;
    if (this.waiting.splice(0).length) this.handlers.lost?.();
    if (this.stopped || FINAL_CODES.has(code)) return this.handlers.connection("closed", 0);
    const delayMs = Math.min(BACKOFF_MOST_MS, BACKOFF_FIRST_MS * 2 ** this.failures++);
    this.handlers.connection("waiting", delayMs);
    this.options.later(delayMs, () => {
      if (!this.stopped) this.start();
    });
  }
}

/** The stream of a lab on this page's own server. */
export function labStream(labId: string, handlers: StreamHandlers): LabStream {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const url = `${scheme}//${location.host}/ws/labs/${encodeURIComponent(labId)}/`;
  return new LabStream(
    { open: () => new WebSocket(url) as unknown as SocketLike, later: (delayMs, task) => void setTimeout(task, delayMs) },
    handlers,
  );
}
