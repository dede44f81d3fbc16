// <cl-terminal>: the command lines of a lab, each in a tab of its own. xterm.js shows them; on a phone, and for those who like it better,
// they are plain text with a line to type in.
import { html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";
import { t } from "../i18n/t";
import type { Topic } from "../lab/lab";
import { recall, remember } from "../lab/remember";
import type { Screen } from "../terminal/screen";
import { TerminalSession, type Entry, type SessionView, type SocketLike } from "../terminal/session";
import { markStep } from "./debug";
import { editText } from "./editText";
import { LabElement } from "./element";
import { fork } from "./fork";
import { icons } from "./icons";

const MOST = 4;
const HISTORY = 200;
const PHONE = "(max-width: 760px), (pointer: coarse)";
const EXAMPLES = ["kubectl get nodes", "kubectl create deployment web --image=nginx:1.25 --replicas=3", "kubectl get pods -o wide", "help"];

type ScreenModule = { Screen: typeof Screen };
let screens: Promise<ScreenModule> | null = null;
/** xterm.js and what shows a session on it, fetched once. */
const loadScreens = (): Promise<ScreenModule> => (screens ??= import(new URL("./terminal.js", import.meta.url).href) as Promise<ScreenModule>);

@customElement("cl-terminal")
export class TerminalElement extends LabElement implements SessionView {
  protected override readonly topics: Topic[] = ["theme"];
  @state() private sessions: TerminalSession[] = [];
  @state() private active = 0;
  @state() private plain = recall("terminal.plain") === "yes" || (recall("terminal.plain") === null && matchMedia(PHONE).matches);
  @state() private reader = recall("terminal.reader") === "yes";
  @state() private failed = "";
  private readonly history: string[] = JSON.parse(recall("kubectl.history") ?? "[]") as string[];
  private historyAt = this.history.length;
  private readonly shown = new Map<TerminalSession, Screen>();
  private wantsFocus = false;

  private get session(): TerminalSession {
    return this.sessions[this.active]!;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    if (!this.sessions.length && this.lab.options.canEdit) this.add();
  }

  /** Runs a command line as if it had been typed. */
  run(line: string): void {
    if (!this.sessions.length) return;
    this.remember(line);
    const screen = this.shown.get(this.session);
    if (screen && this.session.state === "ready") screen.enterLine(line);
    else this.session.run(line);
  }

  focusLine(): void {
    this.wantsFocus = true;
    const input = this.querySelector<HTMLElement>(".prompt input");
    const screen = this.sessions.length ? this.shown.get(this.session) : undefined;
    if (input) input.focus();
    else if (screen) screen.focus();
    else return;
    this.wantsFocus = false;
  }

  protected override told(topic: Topic): void {
    if (topic === "theme") for (const screen of this.shown.values()) screen.retheme();
  }

  // The sessions tell.

  changed(): void {
    this.requestUpdate();
  }

  private add(): void {
    if (this.sessions.length >= MOST) return;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const open = (): SocketLike => new WebSocket(`${scheme}://${location.host}/ws/labs/${encodeURIComponent(this.lab.options.id)}/terminal/`) as unknown as SocketLike;
    const session = new TerminalSession(open, {
      edit: (_name, text) => editText(session.entries.at(-1)?.line ?? "kubectl edit", text),
      act: (action) => this.act(action),
      done: (entry) => this.done(entry),
    });
    session.views.add(this);
    this.sessions = [...this.sessions, session];
    this.active = this.sessions.length - 1;
  }

  private removeAt(at: number): void {
    const session = this.sessions[at]!;
    session.close();
    this.shown.get(session)?.close();
    this.shown.delete(session);
    this.sessions = this.sessions.filter((each) => each !== session);
    this.active = Math.min(this.active, this.sessions.length - 1);
    if (!this.sessions.length) this.add();
  }

  /** What a command line asks of the page. */
  private act(action: { do: string; condition?: string; name?: string }): void {
    if (action.do === "break" && action.condition) this.lab.debugger.addBreakpoint(action.condition);
    else if (action.do === "continue") void this.lab.debugger.run();
    else if (action.do === "bookmark") markStep(this.lab);
    else if (action.do === "fork") void fork(this.lab);
  }

  private done(entry: Entry): void {
    this.lab.kubectlAnswers.push({ type: "kubectl", line: entry.line, exit: entry.exit ?? 0, stdout: entry.text, stderr: "" });
    if (this.lab.kubectlAnswers.length > 200) this.lab.kubectlAnswers.shift();
    this.lab.tell("kubectl");
  }

  private remember(line: string): void {
    if (line.trim() && this.history.at(-1) !== line) this.history.push(line);
    if (this.history.length > HISTORY) this.history.shift();
    remember("kubectl.history", JSON.stringify(this.history.slice(-100)));
    this.historyAt = this.history.length;
  }

  private setPlain(on: boolean): void {
    this.plain = on;
    remember("terminal.plain", on ? "yes" : "no");
    for (const screen of this.shown.values()) screen.close();
    this.shown.clear();
    this.wantsFocus = true;
  }

  private setReader(on: boolean): void {
    this.reader = on;
    remember("terminal.reader", on ? "yes" : null);
    for (const screen of this.shown.values()) screen.close();
    this.shown.clear();
    this.requestUpdate();
  }

  protected override updated(_changed: PropertyValues): void {
    for (const list of this.querySelectorAll<HTMLElement>("[data-follow]")) list.scrollTop = list.scrollHeight;
    if (!this.plain) void this.show();
    else if (this.wantsFocus) this.focusLine();
  }

  /** Puts each session on its screen. */
  private async show(): Promise<void> {
    let module: ScreenModule;
    try {
      module = await loadScreens();
    } catch {
      screens = null;
      this.failed = t("The terminal could not be loaded; this is its plain form.");
      return this.setPlain(true);
    }
    if (this.plain) return;
    for (const session of this.sessions) {
      const box = this.querySelector<HTMLElement>(`[data-screen="${this.sessions.indexOf(session)}"]`);
      if (this.shown.has(session) || !box || session.state === "closed") continue;
      box.replaceChildren();
      this.shown.set(session, new module.Screen(box, session, {
        label: t("kubectl command line"), history: this.history, reader: this.reader, entered: (line) => this.remember(line),
        leave: () => document.querySelector<HTMLElement>("#tab-kubectl")?.focus(),
      }));
    }
    if (this.wantsFocus) this.focusLine();
  }

  protected override render(): TemplateResult {
    if (!this.lab.options.canEdit) return html`<p class="soft pad">${t("You watch this lab, and cannot change it at the moment.")}</p>`;
    const { session } = this;
    return html`<div class="terminal" data-testid="kubectl">
      <div class="terminal-bar">${this.sessions.map((each, at) => html`<span class="terminal-tab" data-on=${at === this.active ? "yes" : "no"}><button type="button" class="link" aria-pressed=${at === this.active ? "true" : "false"} @click=${() => this.choose(at)}>${t("Terminal {number}", { number: at + 1 })}${each.running ? " •" : ""}</button>${this.sessions.length > 1 ? html`<button type="button" class="quiet" aria-label=${t("Close terminal {number}", { number: at + 1 })} @click=${() => this.removeAt(at)}>${icons.close}</button>` : nothing}</span>`)}
        ${this.sessions.length < MOST ? html`<button type="button" class="quiet" data-testid="terminal-add" aria-label=${t("Another terminal")} title=${t("Another terminal")} @click=${() => this.add()}>+</button>` : nothing}
        <span class="spacer"></span>
        ${session.confined ? nothing : html`<span class="pill warn" data-testid="unconfined" title=${t("This machine cannot confine programs, so kubectl runs with the rights of the server. It is offered because the server answers to this machine alone.")}>${t("not confined")}</span>`}
        ${this.plain ? nothing : html`<label><input type="checkbox" .checked=${this.reader} @change=${(event: Event) => this.setReader((event.target as HTMLInputElement).checked)} /> ${t("screen reader")}</label>`}
        <label><input type="checkbox" data-testid="terminal-plain" .checked=${this.plain} @change=${(event: Event) => this.setPlain((event.target as HTMLInputElement).checked)} /> ${t("plain text")}</label></div>
      ${session.problem || this.failed ? html`<p class="bad pad" role="alert">${session.problem || this.failed}</p>` : nothing}
      ${this.plain ? this.plainPanel(session) : this.sessions.map((_each, at) => html`<div class="screen" data-screen=${at} ?hidden=${at !== this.active}></div>`)}</div>`;
  }

  private choose(at: number): void {
    this.active = at;
    this.wantsFocus = true;
  }

  private plainPanel(session: TerminalSession): TemplateResult {
    return html`<div class="output mono" data-follow tabindex="0" role="log" aria-label=${t("Answers of kubectl")}>${session.entries.length ? nothing : html`<p class="soft">${t("Try:")} ${EXAMPLES.map((line) => html`<button type="button" class="link mono" @click=${() => this.run(line)}>${line}</button>`)}</p>`}
        ${session.entries.map((entry) => html`<div class="entry"><div class="line"><span aria-hidden="true">$ </span>${entry.line}</div>${entry.text ? html`<pre class=${entry.exit ? "bad" : ""}>${entry.text}</pre>` : nothing}${entry.exit === null ? html`<div class="soft">…</div>` : nothing}</div>`)}</div>
      <form class="prompt" @submit=${this.submitted}><span class="mono" aria-hidden="true">${session.unfinished ? ">" : "$"}</span><input class="mono" type="text" name="line" autocomplete="off" autocapitalize="off" spellcheck="false" maxlength="4000" enterkeyhint="send"
        aria-label=${t("kubectl command line")} data-testid="kubectl-line" placeholder="kubectl get pods" @keydown=${this.lineKeyed} />${session.running ? html`<button type="button" class="small" @click=${() => session.input("\x03")}>${t("Stop")}</button>` : nothing}<button type="submit" class="small">${session.running ? t("send") : t("run")}</button></form>`;
  }

  private submitted(event: Event): void {
    event.preventDefault();
    const input = this.querySelector<HTMLInputElement>(".prompt input")!;
    const line = input.value;
    input.value = "";
    if (this.session.running) return this.session.input(`${line}\n`);
    if (line.trim() || this.session.unfinished) {
      this.remember(line);
      this.session.run(line);
    }
  }

  private lineKeyed(event: KeyboardEvent): void {
    event.stopPropagation();
    const input = event.target as HTMLInputElement;
    if (event.key === "Escape") return input.blur();
    if (event.key === "c" && event.ctrlKey && input.selectionStart === input.selectionEnd) return this.session.input("\x03");
    const way = event.key === "ArrowUp" ? -1 : event.key === "ArrowDown" ? 1 : 0;
    if (!way) return;
    event.preventDefault();
    this.historyAt = Math.max(0, Math.min(this.history.length, this.historyAt + way));
    input.value = this.history[this.historyAt] ?? "";
  }
}
