// <cl-drawer>: the log, the events, a command line for kubectl, and how to point one's own kubectl here.
import { html, nothing, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";
import { t } from "../i18n/t";
import { fetchEvents } from "../lab/api";
import type { Topic } from "../lab/lab";
import { recall, remember } from "../lab/remember";
import { actorName, age, clock, sentenceOf } from "../lab/words";
import type { Heading } from "../stream/types";
import type { EventView } from "../stream/views";
import type { DebugElement } from "./debug";
import { LabElement } from "./element";
import { icons } from "./icons";
import "./manifests";
import "./request";
import "./terminal";
import type { TerminalElement } from "./terminal";

type Tab = "log" | "events" | "kubectl" | "manifests" | "debug" | "charts" | "request" | "connect";
const TABS: [Tab, string][] = [["kubectl", "Terminal"], ["manifests", "Manifests"], ["log", "Log"], ["events", "Events"], ["debug", "Debug"], ["charts", "Charts"], ["request", "Request"], ["connect", "Connect"]];
const LOG_LINES = 200;
/** What a chart needs to be read. */
const CHART_HEIGHT = 300;
const PHONE = "(max-width: 760px)";

@customElement("cl-drawer")
export class DrawerElement extends LabElement {
  protected override readonly topics: Topic[] = ["step", "state", "mode"];
  @state() private tab: Tab = (recall("drawer.tab") as Tab | null) ?? "kubectl";
  @state() open = recall("drawer") === "open";
  @state() private routine = false;
  /** The terminal stays once it has been shown: what runs in it goes on behind other tabs. */
  private terminalShown = false;
  private due = 0;
  /** Events from before those that the page holds, the newest first; they were asked for. */
  @state() private older: EventView[] = [];
  @state() private noOlder = false;
  private olderOf = -1;

  protected override told(_topic: Topic): void {
    // The log may grow by thousands of steps a second; the page need not follow each.
    if (this.due) return;
    this.due = window.setTimeout(() => {
      this.due = 0;
      this.requestUpdate();
    }, this.open ? 120 : 400);
  }

  protected override updated(): void {
    document.body.dataset["drawer"] = this.open ? "open" : "closed";
    for (const list of this.querySelectorAll<HTMLElement>("[data-follow]")) list.scrollTop = list.scrollHeight;
  }

  show(tab: Tab): void {
    this.tab = tab;
    const root = document.documentElement;
    if ((tab === "charts" || tab === "manifests") && parseInt(getComputedStyle(root).getPropertyValue("--drawer-size")) < CHART_HEIGHT) root.style.setProperty("--drawer-size", `${CHART_HEIGHT}px`);
    this.setOpen(true);
    remember("drawer.tab", tab);
  }

  setOpen(open: boolean): void {
    this.open = open;
    remember("drawer", open ? "open" : "closed");
  }

  /** Runs a command line as if it had been typed. */
  run(line: string): void {
    const words = line.trim();
    if (!words) return;
    this.show("kubectl");
    void this.updateComplete.then(() => this.querySelector<TerminalElement>("cl-terminal")?.run(words));
  }

  focusLine(): void {
    this.show("kubectl");
    void this.updateComplete.then(() => this.querySelector<TerminalElement>("cl-terminal")?.focusLine());
  }

  /** Shows the debugger, with the cursor where a breakpoint or a watch is written. */
  debug(field: "condition" | "path"): void {
    this.show("debug");
    void this.updateComplete.then(() => this.querySelector<DebugElement>("cl-debug")?.focusField(field));
  }

  override connectedCallback(): void {
    super.connectedCallback();
    // On a phone the drawer is a panel of its own, and always open.
    const phone = matchMedia(PHONE);
    phone.addEventListener("change", () => this.requestUpdate());
  }

  private get shown(): boolean {
    return this.open || matchMedia(PHONE).matches;
  }

  protected override render(): TemplateResult {
    const open = this.shown;
    this.terminalShown ||= open && this.tab === "kubectl";
    return html`<div class="drawer">
      <div class="drawer-bar">
        <div role="tablist" aria-label=${t("Drawer")} @keydown=${this.tabKeyed}>${TABS.map(([tab, name]) => html`<button type="button" role="tab" id=${`tab-${tab}`} aria-controls="drawer-panel"
            data-testid=${`tab-${tab}`} aria-selected=${open && this.tab === tab ? "true" : "false"} tabindex=${this.tab === tab ? 0 : -1}
            @click=${() => (this.open && this.tab === tab ? this.setOpen(false) : this.show(tab))}>${t(name)}</button>`)}</div>
        <span class="spacer"></span>
        <button type="button" class="quiet" aria-label=${this.open ? t("Close the drawer") : t("Open the drawer")} aria-expanded=${this.open ? "true" : "false"} @click=${() => this.setOpen(!this.open)}>${this.open ? icons.down : icons.up}</button>
      </div>
      <div class="drawer-panel" id="drawer-panel" role="tabpanel" aria-labelledby=${`tab-${this.tab}`} ?hidden=${!open}>${this.terminalShown ? html`<cl-terminal ?hidden=${this.tab !== "kubectl"}></cl-terminal>` : nothing}${open ? this.panel() : nothing}</div>
    </div>`;
  }

  private tabKeyed(event: KeyboardEvent): void {
    const at = TABS.findIndex(([tab]) => tab === this.tab);
    const to = event.key === "ArrowRight" ? at + 1 : event.key === "ArrowLeft" ? at - 1 : -9;
    if (to === -9) return;
    event.preventDefault();
    event.stopPropagation();
    const tab = TABS[(to + TABS.length) % TABS.length]![0];
    this.show(tab);
    void this.updateComplete.then(() => this.querySelector<HTMLElement>(`#tab-${tab}`)?.focus());
  }

  private panel(): TemplateResult | typeof nothing {
    switch (this.tab) {
      case "log":
        return this.logPanel();
      case "events":
        return this.eventsPanel();
      case "debug":
        return html`<cl-debug></cl-debug>`;
      case "charts":
        return html`<cl-charts></cl-charts>`;
      case "request":
        return html`<cl-request></cl-request>`;
      case "connect":
        return this.connectPanel();
      case "manifests":
        return html`<cl-manifests></cl-manifests>`;
      case "kubectl":
        return nothing;
    }
  }

  private logPanel(): TemplateResult {
    const lines: (Heading | number)[] = [];
    for (const step of this.lab.log.slice(-LOG_LINES * 3)) {
      if (step.routine && !this.routine) {
        const last = lines.at(-1);
        if (typeof last === "number") lines[lines.length - 1] = last + 1;
        else lines.push(1);
      } else lines.push(step);
    }
    return html`<label class="fold"><input type="checkbox" .checked=${this.routine} @change=${(event: Event) => (this.routine = (event.target as HTMLInputElement).checked)} /> ${t("show routine steps")}</label>
      <ol class="log" data-follow data-testid="log" tabindex="0" aria-label=${t("Log")}>${lines.slice(-LOG_LINES).map((line) =>
        typeof line === "number"
          ? html`<li class="routine">${line === 1 ? t("1 routine step") : t("{count} routine steps", { count: line })}</li>`
          : html`<li class=${line.routine ? "routine" : ""}><span class="mono seq">${line.seq}</span> <span class="mono time">${clock(line.time)}</span> <b>${actorName(line.actor)}</b> ${sentenceOf(line)}</li>`)}
      </ol>`;
  }

  private eventsPanel(): TemplateResult {
    const { objects, time, eventsAfter } = this.lab.player.state, { generation } = this.lab.stream;
    if (generation !== this.olderOf) [this.older, this.noOlder, this.olderOf] = [[], false, generation];
    const held = Object.values(objects).filter((view): view is EventView => view.kind === "Event").sort((a, b) => a.last - b.last);
    const begin = this.older.length && held[0] ? new Set(this.older.map((event) => event.uid)) : null;
    const events = begin ? [...this.older.toReversed(), ...held.filter((event) => !begin.has(event.uid))] : held.slice(-LOG_LINES);
    if (!events.length) return html`<p class="soft pad">${t("No events yet.")}</p>`;
    const more = !this.noOlder && (eventsAfter > 0 || held.length > events.length);
    return html`<div class="table" ?data-follow=${!this.older.length} tabindex="0" role="region" aria-label=${t("Events")}>${more ? html`<button type="button" class="small" data-testid="older-events" @click=${() => this.askOlder(Math.min(...events.map((event) => event.written)))}>${t("Older events")}</button>` : nothing}<table data-testid="events"><thead><tr><th>${t("Last seen")}</th><th>${t("Type")}</th><th>${t("Reason")}</th><th>${t("Object")}</th><th>${t("Message")}</th></tr></thead><tbody>
      ${events.map((event) => html`<tr class=${event.type === "Warning" ? "warn" : ""}><td>${age(time - event.last)}${event.count > 1 ? html` <small>×${event.count}</small>` : nothing}</td><td>${event.type}</td><td>${event.reason}</td>
        <td><button type="button" class="link" @click=${() => this.lab.select(event.about)}>${event.about.replace(/^(\w+)\/[^/]+\//, "$1/")}</button></td><td>${event.message}</td></tr>`)}</tbody></table></div>`;
  }

  private async askOlder(before: number): Promise<void> {
    const { generation } = this.lab.stream;
    const answer = await fetchEvents(this.lab.options.id, "", before).catch(() => null);
    if (!answer || generation !== this.lab.stream.generation) return;
    this.older = [...this.older, ...answer.events];
    this.noOlder = !answer.more;
  }

  private connectPanel(): TemplateResult {
    const { kubeconfig = "", kubeconfigTls = "" } = document.body.dataset;
    if (!kubeconfig) return html`<p class="soft pad">${t("Only whoever started this lab can connect to it.")}</p>`;
    return html`<div class="pad"><p>${t("Point your own kubectl at this lab: paste this line into a terminal, then use kubectl as always.")}</p>
      <cl-copy .text=${kubeconfig}></cl-copy>
      ${kubeconfigTls ? html`<p>${t("To act as somebody else, with a token or a certificate, connect over TLS instead: kubectl sends neither without it.")}</p>
      <cl-copy .text=${kubeconfigTls}></cl-copy>` : nothing}
      <p class="soft">${t("The line holds the key to this lab: whoever has it can change the lab. To let others watch, share this page's address instead.")}</p></div>`;
  }
}

/** Texts that are scrolled in their box, and so are reached by keyboard. */
const LONG = 300;

@customElement("cl-copy")
export class CopyElement extends LabElement {
  @state() text = "";
  @state() private copied = false;

  protected override render(): TemplateResult {
    return html`<div class="cmd"><code class="mono" data-testid="copy-text" tabindex=${this.text.length > LONG ? 0 : nothing}>${this.text}</code><button type="button" class="small" data-testid="copy" @click=${this.copy}>${this.copied ? t("copied") : t("copy")}</button></div>`;
  }

  private async copy(): Promise<void> {
    await copyText(this.text, this.querySelector("code")!);
    this.copied = true;
    setTimeout(() => (this.copied = false), 1600);
  }
}

/** Copies; where the clipboard is not to be had (plain HTTP), the text is selected for the reader to copy. */
async function copyText(text: string, shown: HTMLElement): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    getSelection()?.selectAllChildren(shown);
    document.execCommand("copy");
  }
}
