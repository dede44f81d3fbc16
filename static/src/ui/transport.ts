// <cl-transport>: to the start, back, play or pause, step, run until settled, pace; and the sentence of the step on the stage.
import { html, nothing, type TemplateResult } from "lit";
import { customElement } from "lit/decorators.js";
import { t } from "../i18n/t";
import { PACES, type Topic } from "../lab/lab";
import { actorName, clock, sentenceOf } from "../lab/words";
import { recall, remember } from "../lab/remember";
import type { Heading } from "../stream/types";
import { sentenceOfBeat } from "./beats";
import type { DrawerElement } from "./drawer";
import { LabElement } from "./element";
import { icons } from "./icons";

@customElement("cl-transport")
export class TransportElement extends LabElement {
  protected override readonly topics: Topic[] = ["mode", "step", "connection"];

  protected override render() {
    const { lab } = this;
    const off = !lab.options.canEdit;
    const playing = lab.willPlay;
    const button = (id: string, name: string, key: string, icon: unknown, act: () => void, kind = "") => html`<button
      type="button" class=${kind} data-testid=${id} ?disabled=${off} title=${`${name} (${key})`} aria-label=${name} @click=${act}>${icon}</button>`;
    return html`<div class="transport" role="toolbar" aria-label=${t("Transport")}>
      ${button("to-start", t("To the start"), "Home", icons.start, () => lab.send({ type: "reset" }))}
      ${button("back", t("Step back"), "←", icons.back, () => lab.back())}
      ${button("play", playing ? t("Pause") : t("Play"), "Space", playing ? icons.pause : icons.play, () => lab.toggle(), "go")}
      ${button("step", t("Step"), "→ or .", icons.step, () => lab.step())}
      ${button("into", t("Step into"), "I", icons.into, () => lab.into())}
      ${button("out", t("Step out"), "O", icons.out, () => lab.out(), "wide-only")}
      ${button("settle", t("Run until settled"), "End", icons.settle, () => lab.settle())}
      ${button("until", t("Run until a condition holds"), "U", icons.until, () => void document.querySelector<UntilElement>("cl-until")?.ask(), "wide-only")}
      <label class="pace"><span class="visually-hidden">${t("Pace")}</span>
        <select data-testid="pace" ?disabled=${off} @change=${this.paced}>
          ${PACES.map((pace) => html`<option value=${pace.name} ?selected=${pace === lab.pace}>${t(pace.name)}</option>`)}
        </select></label>
    </div>`;
  }

  private paced(event: Event): void {
    const name = (event.target as HTMLSelectElement).value;
    this.lab.setPace(PACES.find((pace) => pace.name === name) ?? PACES[1]!);
  }
}

@customElement("cl-say")
export class SayElement extends LabElement {
  protected override readonly topics: Topic[] = ["step", "state", "mode", "ask"];

  protected override render() {
    const { halted, frame, gated } = this.lab.player;
    if (gated && this.lab.ask.pod) return html`<p class="say" data-testid="say"><b>?</b> ${this.lab.ask.question} <button type="button" class="small" data-testid="ask-show" @click=${() => this.lab.ask.guess("")}>${t("Show it")}</button></p>`;
    if (halted && frame) return html`<p class="say" data-testid="say"><b>${t("Inside step {seq}", { seq: frame.seq })} · ${actorName(frame.actor)}</b> ${sentenceOfBeat(halted)}</p>`;
    const step = this.lab.shown;
    if (!step || this.untouched(step)) return this.welcome(step);
    return html`<p class="say" data-testid="say" title=${sentenceOf(step)}><b>${t("Step {seq}", { seq: step.seq })} · ${actorName(step.actor)}</b> ${sentenceOf(step)}</p>`;
  }

  /** A cluster that plays has heartbeats; whoever reads before pressing still finds the button. */
  private untouched(step: Heading): boolean {
    const { closely, player } = this.lab;
    return step.routine && !closely && !Object.keys(player.state.objects).some((key) => key.startsWith("pods/default/"));
  }

  /** Nothing has happened yet: offers something to do. */
  private welcome(step?: Heading) {
    if (this.lab.connection !== "open") return html`<p class="say" data-testid="say">${t("Connecting …")}</p>`;
    if (!step && this.lab.mode.last > 0) return html`<p class="say" data-testid="say">${t("Step {seq}", { seq: this.lab.shownSeq })}</p>`;
    if (!this.lab.options.canEdit || document.body.dataset["lesson"]) return html`<p class="say" data-testid="say">${t("The cluster is up and waits.")}</p>`;
    return html`<p class="say" data-testid="say">${t("The cluster is up and waits for you.")} <button type="button" class="small primary" data-testid="first" @click=${this.first}>${t("Start three pods")}</button>
      <span class="soft mono wide-only">${FIRST_LINE}</span></p>`;
  }

  private first(): void {
    this.lab.kubectl(FIRST_LINE);
    if (!this.lab.willPlay) this.lab.play();
  }
}

const FIRST_LINE = "kubectl create deployment web --image=nginx:1.25 --replicas=3";

@customElement("cl-status")
export class StatusElement extends LabElement {
  protected override readonly topics: Topic[] = ["mode", "step", "state", "connection"];

  protected override render() {
    const { lab } = this;
    const time = clock(lab.player.state.time);
    const words: Record<string, string> = { connecting: t("connecting …"), waiting: t("connection lost, trying again …"), closed: t("disconnected") };
    const mode = lab.playing ? (lab.mode.settled ? t("playing, settled") : t("playing")) : lab.mode.settled ? t("paused, settled") : t("paused");
    const open = lab.connection === "open";
    return html`${lab.mode.hold ? html`<span class="pill warn" data-testid="holding">${lab.mode.held ? t("{count} held", { count: lab.mode.held.count }) : t("holding requests")}</span>` : ""}<span class="pill ${open ? (lab.playing ? "live" : "") : "alarm"}" data-testid="status"
      ><span class="dot" aria-hidden="true"></span>${open ? html`<span class="words">${mode}</span> <span class="time">${time}</span>` : words[lab.connection]}</span
    >${lab.options.canEdit ? "" : html`<span class="pill">${t("watching")}</span>`}`;
  }
}

const CONDITIONS = ["kind = Pod and status = Running", "actor = kube-scheduler", "kind = ReplicaSet", "kind = Pod and status = CrashLoopBackOff", "kind = Deployment and .status.readyReplicas >= 3", "etcd.leader = none"];

/** Asks for a condition and runs until it holds: a breakpoint. The server says what is wrong with one that cannot be read. */
@customElement("cl-until")
export class UntilElement extends LabElement {
  private readonly known: string[] = JSON.parse(recall("conditions") ?? "[]") as string[];

  ask(): void {
    const dialog = this.querySelector("dialog")!;
    dialog.showModal();
    dialog.querySelector("input")!.select();
  }

  protected override render() {
    const offers = [...this.known, ...CONDITIONS.filter((one) => !this.known.includes(one))].slice(0, 8);
    return html`<dialog aria-label=${t("Run until")} @click=${this.clicked}><h1>${t("Run until …")}</h1>
      <form method="dialog" @submit=${this.submitted}><div class="cmd"><input class="mono" name="condition" maxlength="500" spellcheck="false" autocomplete="off" data-testid="condition" aria-label=${t("Condition")} placeholder="kind = Pod and status = Running" />
        <button type="submit" class="small">${t("run")}</button><button type="button" class="small" @click=${this.keep}>${t("keep as a breakpoint")}</button></div></form>
      <p class="soft">${t("For example:")}</p><ul class="links">${offers.map((one) => html`<li><button type="button" class="link mono" data-condition=${one}>${one}</button></li>`)}</ul></dialog>`;
  }

  private clicked(event: Event): void {
    const target = event.target as HTMLElement;
    if (target.tagName === "DIALOG") this.querySelector("dialog")!.close();
    const { condition } = target.dataset;
    if (condition) this.go(condition);
  }

  private keep(): void {
    this.lab.debugger.addBreakpoint(this.querySelector("input")!.value);
    this.querySelector("dialog")!.close();
    document.querySelector<DrawerElement>("cl-drawer")?.show("debug");
  }

  private submitted(): void {
    this.go(this.querySelector("input")!.value);
  }

  private go(text: string): void {
    const condition = text.trim();
    this.querySelector("dialog")!.close();
    if (!condition) return;
    const kept = [condition, ...this.known.filter((one) => one !== condition)].slice(0, 5);
    this.known.splice(0, this.known.length, ...kept);
    remember("conditions", JSON.stringify(kept));
    void this.lab.debugger.run(condition);
    this.requestUpdate();
  }
}

const NOTICE = "cl-notice";
@customElement(NOTICE)
export class NoticeElement extends LabElement {
  protected override readonly topics: Topic[] = ["notice", "headings"];
  private read = "";

  protected override render() {
    return html`<div class="notice" role="alert" ?hidden=${!this.lab.notice} data-testid="notice">${this.lab.notice}</div>${this.ofLab()}`;
  }

  /** What those who open this lab should know, until they have read it. */
  private ofLab(): TemplateResult | typeof nothing {
    const text = this.lab.info?.notice ?? "";
    if (!text || text === this.read) return nothing;
    return html`<div class="lab-notice" role="status" data-testid="lab-notice"><p>${text}</p><button type="button" class="quiet" aria-label=${t("Close")} @click=${() => this.close(text)}>×</button></div>`;
  }

  private close(text: string): void {
    this.read = text;
    this.requestUpdate();
  }
}
