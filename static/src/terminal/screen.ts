// A session on xterm.js. This module and the library are loaded when a terminal is shown first.
//
// xterm.js puts style elements into the page, which the page's policy forbids. While it opens, those are replaced by elements that pass
// their text on to a constructed style sheet; and where it sets a style attribute, the style's text is set instead.
import { FitAddon } from "@xterm/addon-fit";
import { Terminal, type ITheme } from "@xterm/xterm";
import { columnsOf, commonStart, keysOf, Line } from "./line";
import type { Candidate, SessionView, TerminalSession } from "./session";

export interface ScreenOptions {
  label: string;
  history: string[];
  reader: boolean;
  /** Shift+Tab and Escape lead out of the terminal. */
  leave(): void;
  entered(line: string): void;
}

function styleSheetElement(): HTMLElement {
  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  const element = document.createElement("template");
  Object.defineProperty(element, "textContent", { set: (text: string) => void sheet.replaceSync(text), get: () => "" });
  const remove = element.remove.bind(element);
  element.remove = () => {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((each) => each !== sheet);
    remove();
  };
  return element;
}

function setAttribute(this: HTMLElement, name: string, value: string): void {
  if (name === "style") this.style.cssText = value;
  else Element.prototype.setAttribute.call(this, name, value);
}

/** A document that makes elements as the page's policy has them. */
function obedientDocument(): Document {
  const make = (name: string): HTMLElement => {
    if (name === "style") return styleSheetElement();
    const element = document.createElement(name);
    if (name === "span") element.setAttribute = setAttribute;
    return element;
  };
  return new Proxy(document, {
    get(real, name) {
      if (name === "createElement") return make;
      const value: unknown = Reflect.get(real, name, real);
      return typeof value === "function" ? (value as (...args: unknown[]) => unknown).bind(real) : value;
    },
  });
}

/** Opens a terminal; what it makes with the page's own document meanwhile obeys too. */
function openIn(terminal: Terminal, box: HTMLElement): void {
  const make = document.createElement;
  document.createElement = ((name: string, options?: ElementCreationOptions) => {
    if (name !== "style") return make.call(document, name, options);
    document.createElement = make;
    const element = styleSheetElement();
    document.createElement = patched;
    return element;
  }) as typeof document.createElement;
  const patched = document.createElement;
  try {
    terminal.open(box);
  } finally {
    document.createElement = make;
  }
}

function themeOf(): ITheme {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  return {
    background: colour("--panel"), foreground: colour("--text"), cursor: colour("--accent"), cursorAccent: colour("--panel"), selectionBackground: colour("--wire"),
    black: colour("--soft"), red: colour("--bad"), green: colour("--ok"), yellow: colour("--warn"), blue: colour("--accent"), magenta: colour("--etcd"), cyan: colour("--v5"), white: colour("--text"),
    brightBlack: colour("--soft"), brightRed: colour("--bad"), brightGreen: colour("--ok"), brightYellow: colour("--warn"), brightBlue: colour("--accent"), brightMagenta: colour("--etcd"), brightCyan: colour("--v5"), brightWhite: colour("--text"),
  };
}

export class Screen implements SessionView {
  private readonly terminal: Terminal;
  private readonly fit = new FitAddon();
  private readonly line: Line;
  private readonly observer: ResizeObserver;
  private row = 0;
  private more = false;
  private asked = 0;
  private tabs = 0;
  private editing = false;
  /** Keys that came while a line was under way, after it had been entered by a paste. */
  private pasted: string[] = [];

  constructor(private readonly box: HTMLElement, private readonly session: TerminalSession, private readonly options: ScreenOptions) {
    this.line = new Line(options.history);
    const style = getComputedStyle(document.documentElement);
    this.terminal = new Terminal({
      cursorBlink: false, fontFamily: style.getPropertyValue("--mono").trim() || "monospace", fontSize: this.fontSize(), lineHeight: 1.15, scrollback: 5000,
      screenReaderMode: options.reader, theme: themeOf(), documentOverride: obedientDocument() as unknown as Document, allowProposedApi: false, convertEol: false,
    });
    this.terminal.loadAddon(this.fit);
    openIn(this.terminal, box);
    const input = this.terminal.textarea!;
    input.setAttribute("aria-label", options.label);
    input.dataset["testid"] = "kubectl-line";
    this.terminal.attachCustomKeyEventHandler((event) => this.mayTake(event));
    this.terminal.onData((data) => this.typed(data));
    this.terminal.onResize(({ cols, rows }) => {
      session.resize(cols, rows);
      if (this.editing) this.draw();
    });
    this.observer = new ResizeObserver(() => this.refit());
    this.observer.observe(box);
    this.refit();
    for (const entry of session.entries) this.terminal.write(`${this.promptText()}${entry.line.replaceAll("\n", "\r\n")}\r\n${entry.text.replaceAll("\n", "\r\n")}`);
    session.views.add(this);
    if (session.state === "ready") this.prompt(session.unfinished);
  }

  private fontSize(): number {
    return parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--fs")) * 0.93 || 13;
  }

  focus(): void {
    this.terminal.focus();
  }

  /** Puts a line at the prompt and enters it, as if it had been typed. */
  enterLine(line: string): void {
    if (!this.editing) return this.session.run(line);
    this.line.text = line;
    this.enter();
  }

  retheme(): void {
    this.terminal.options.theme = themeOf();
    this.terminal.options.fontSize = this.fontSize();
    this.refit();
  }

  close(): void {
    this.session.views.delete(this);
    this.observer.disconnect();
    this.terminal.dispose();
  }

  /** The text on the screen and above it, for tests and for copying. */
  get text(): string {
    const { active } = this.terminal.buffer;
    return Array.from({ length: active.length }, (_, at) => active.getLine(at)?.translateToString(true) ?? "").join("\n").trimEnd();
  }

  private refit(): void {
    if (this.box.clientHeight > 20 && this.box.clientWidth > 40) this.fit.fit();
  }

  private mayTake(event: KeyboardEvent): boolean {
    if (event.type !== "keydown") return true;
    if (event.key === "Tab" && event.shiftKey) return false; // the page's own way out
    if (event.key === "Escape" && !this.session.running && this.line.search === null) {
      event.preventDefault();
      event.stopPropagation();
      this.options.leave();
      return false;
    }
    const copies = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "c" && this.terminal.hasSelection();
    return !(copies || ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "v"));
  }

  // What the session tells.

  output(data: Uint8Array): void {
    if (this.editing && this.session.state === "ready") this.leaveLine();
    this.editing = false;
    this.terminal.write(data);
  }

  prompt(more: boolean): void {
    this.more = more;
    this.line.begin();
    this.row = 0;
    this.editing = true;
    this.terminal.write("", () => {
      if (!this.editing) return; // a line was entered from elsewhere before this was drawn
      // A program may have left the cursor in the middle of a line.
      if (this.terminal.buffer.active.cursorX > 0) this.terminal.write("\r\n");
      this.draw();
      const keys = this.pasted;
      this.pasted = [];
      for (const [at, key] of keys.entries()) {
        this.take(key);
        if (!this.editing) {
          this.pasted = keys.slice(at + 1);
          break;
        }
      }
    });
  }

  completed(id: number, part: string, candidates: Candidate[]): void {
    if (id !== this.asked || !this.editing) return;
    if (candidates.length === 1) {
      this.line.replace(part, candidates[0]!.text + candidates[0]!.after);
      return this.draw();
    }
    const start = commonStart(candidates.map((each) => each.text));
    if (start.length > part.length) this.line.replace(part, start);
    else if (candidates.length && this.tabs > 1) {
      this.leaveLine();
      this.terminal.write(columnsOf(candidates, this.terminal.cols).map((each) => `${each}\r\n`).join(""));
      this.row = 0;
    }
    this.draw();
  }

  // The line.

  private promptText(): string {
    if (this.line.search !== null) return `(search \`${this.line.search}') `;
    return this.more ? "> " : `\x1b[34m${this.session.cwd.replace(/^\/lab/, "~")}\x1b[0m $ `;
  }

  private promptWidth(): number {
    // eslint-disable-next-line no-control-regex
    return this.promptText().replace(/\x1b\[[0-9;]*m/g, "").length;
  }

  private draw(): void {
    const width = this.terminal.cols;
    const end = this.promptWidth() + this.line.text.length, at = this.promptWidth() + this.line.cursor;
    let out = `${this.row ? `\x1b[${this.row}A` : ""}\r\x1b[J${this.promptText()}${this.line.text}`;
    if (end % width === 0) out += "\r\n"; // the cursor waits beyond the edge until something is written
    const endRow = Math.floor(end / width), row = Math.floor(at / width);
    if (endRow > row) out += `\x1b[${endRow - row}A`;
    out += "\r" + (at % width ? `\x1b[${at % width}C` : "");
    this.row = row;
    this.terminal.write(out);
  }

  /** To the line below what is being edited. */
  private leaveLine(): void {
    const rows = Math.floor((this.promptWidth() + this.line.text.length) / this.terminal.cols) - this.row;
    this.terminal.write(`${rows > 0 ? `\x1b[${rows}B` : ""}\r\n`);
    this.row = 0;
  }

  private typed(data: string): void {
    if (this.session.running && !this.pasted.length) return this.session.input(data);
    const keys = keysOf(data);
    for (const [at, key] of keys.entries()) {
      if (!this.editing) {
        if (key === "\x03") this.pasted = [];
        if (key === "\x03" || this.session.running) this.session.input(key === "\x03" ? key : "");
        this.pasted.push(...keys.slice(at).filter((each) => each !== "\x03"));
        return;
      }
      this.take(key);
    }
  }

  private take(key: string): void {
    const outcome = this.line.key(key);
    this.tabs = outcome === "complete" ? this.tabs + 1 : 0;
    switch (outcome) {
      case "enter":
        return this.enter();
      case "interrupt":
        this.leaveLine();
        this.session.forget();
        return this.prompt(false);
      case "clear":
        this.terminal.write("\x1b[H\x1b[2J\x1b[3J");
        this.row = 0;
        return this.draw();
      case "complete":
        this.asked = this.session.complete(this.line.text.slice(0, this.line.cursor));
        return;
      case "edited":
        return this.draw();
      case "escape":
      case "end":
      case "none":
        return;
    }
  }

  private enter(): void {
    const { text } = this.line;
    this.line.cursor = text.length;
    this.draw();
    this.leaveLine();
    this.editing = false;
    if (!text.trim() && !this.more) return this.prompt(false);
    this.line.remember(text);
    this.options.entered(text);
    this.session.run(text);
  }
}
