// <cl-transport>: to the start, back, play or pause, step, run until settled, pace; and the sentence of the step on the stage.
import { html } from "lit";
import { customElement } from "lit/decorators.js";
import { t } from "../i18n/t";
import { PACES, type Topic } from "../lab/lab";
import { actorName, clock, sentenceOf } from "../lab/words";
import { LabElement } from "./element";
import { icons } from "./icons";

@customElement("cl-transport")
export class TransportElement extends LabElement {
  protected override readonly topics: Topic[] = ["mode", "step", "connection"];

  protected override render() {
    const { lab } = this;
    const off = !lab.options.canEdit;
    const playing = lab.playing;
    const button = (id: string, name: string, key: string, icon: unknown, act: () => void, kind = "") => html`<button
      type="button" class=${kind} data-testid=${id} ?disabled=${off} title=${`${name} (${key})`} aria-label=${name} @click=${act}>${icon}</button>`;
    return html`<div class="transport" role="toolbar" aria-label=${t("Transport")}>
      ${button("to-start", t("To the start"), "Home", icons.start, () => lab.send({ type: "reset" }))}
      ${button("back", t("Step back"), "←", icons.back, () => lab.back())}
      ${button("play", playing ? t("Pause") : t("Play"), "Space", playing ? icons.pause : icons.play, () => lab.toggle(), "go")}
      ${button("step", t("Step"), "→ or .", icons.step, () => lab.step())}
      ${button("settle", t("Run until settled"), "End", icons.settle, () => lab.settle())}
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
  protected override readonly topics: Topic[] = ["step", "state", "mode"];

  protected override render() {
    const step = this.lab.shown;
    if (!step) return this.welcome();
    return html`<p class="say" data-testid="say" title=${sentenceOf(step)}><b>${t("Step {seq}", { seq: step.seq })} · ${actorName(step.actor)}</b> ${sentenceOf(step)}</p>`;
  }

  /** Nothing has happened yet: offers something to do. */
  private welcome() {
    if (this.lab.connection !== "open") return html`<p class="say" data-testid="say">${t("Connecting …")}</p>`;
    if (!this.lab.options.canEdit || document.body.dataset["lesson"]) return html`<p class="say" data-testid="say">${t("The cluster is up and waits.")}</p>`;
    return html`<p class="say" data-testid="say">${t("The cluster is up and waits for you.")} <button type="button" class="small primary" data-testid="first" @click=${this.first}>${t("Start three pods")}</button>
      <span class="soft mono wide-only">${FIRST_LINE}</span></p>`;
  }

  private first(): void {
    this.lab.kubectl(FIRST_LINE);
    if (!this.lab.playing) this.lab.play();
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
    return html`<span class="pill ${open ? (lab.playing ? "live" : "") : "alarm"}" data-testid="status"
      ><span class="dot" aria-hidden="true"></span>${open ? html`${mode} <span class="time">${time}</span>` : words[lab.connection]}</span
    >${lab.options.canEdit ? "" : html`<span class="pill">${t("watching")}</span>`}`;
  }
}

const NOTICE = "cl-notice";
@customElement(NOTICE)
export class NoticeElement extends LabElement {
  protected override readonly topics: Topic[] = ["notice"];

  protected override render() {
    return html`<div class="notice" role="alert" ?hidden=${!this.lab.notice} data-testid="notice">${this.lab.notice}</div>`;
  }
}
