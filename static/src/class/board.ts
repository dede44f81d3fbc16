// The instructor's board: the code to join with, modes, questions, pushes, the timer, and a tile for each learner.
import "../styles/theme.css";
import "../styles/base.css";
import "../styles/front.css";
import "../styles/accounts.css";
import "../styles/board.css";
import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";
import { chooseLanguage } from "../i18n/choose";
import { t, useLanguage } from "../i18n/t";
import { bars, everySecond, handIcon, MODES, modeSwitch, timeLeft, timerPill, verdict } from "./parts";
import { Room } from "./room";
import { deeds, invitations } from "./teachers";
import { drawThumb, thumbText } from "./thumb";
import type { ClassState, PollState, Tile } from "./types";

useLanguage();
chooseLanguage(document.querySelector<HTMLSelectElement>("header select[name=language]"));
const { classId = "", join = "" } = document.body.dataset;
const room = new Room(classId);

const FAULTS: [string, string][] = [["node-down", "node-1"], ["node-cut-off", "node-1"], ["kubelet-stop", "node-1"], ["component-stop", "kube-scheduler"], ["component-stop", "kube-controller-manager"], ["etcd-kill", "etcd-0"], ["registry-unreachable", ""]];
const TIMERS = [1, 3, 5, 10, 15];
/** Learners whose tiles are roomy; of more the tiles are small, so that a class of thirty is seen at a glance. */
const ROOMY = 12;

function given(id: string): { id: string; question: string }[] {
  return JSON.parse(document.getElementById(id)?.textContent || "[]") as { id: string; question: string }[];
}

const predictions = given("predictions");
const steps = JSON.parse(document.getElementById("steps")?.textContent || "[]") as string[];

@customElement("class-board")
export class ClassBoard extends LitElement {
  @state() private notice = "";
  @state() private big = false;
  @state() private busy = "";
  private noticeTimer = 0;
  private codeVersion = "";

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    room.on(["state", "tiles", "connection"], () => this.requestUpdate());
    room.on(["state"], () => {
      if (!room.state!.me.teaches) location.reload(); // no more
    });
    room.on(["connection"], () => {
      if (!room.connected) this.busy = ""; // its answer will not come any more
    });
    room.on(["error"], () => {
      this.busy = "";
      this.say(room.lastError);
    });
    room.on(["done"], () => {
      this.busy = "";
      this.say({ push: t("Sent to everyone."), reset: t("Reset."), end: t("The class has ended."), invite: t("Asked. It stands under Teach, on their own page.") }[room.lastDone] ?? "");
    });
    everySecond(() => {
      if (room.state?.timer) this.requestUpdate();
    });
  }

  private say(text: string): void {
    this.notice = text;
    clearTimeout(this.noticeTimer);
    this.noticeTimer = window.setTimeout(() => (this.notice = ""), 5000 + text.length * 40);
  }

  private send(message: { type: string } & Record<string, unknown>): boolean {
    return room.act(message);
  }

  protected override updated(_changed: PropertyValues): void {
    for (const canvas of this.querySelectorAll<HTMLCanvasElement>("canvas[data-seat]")) {
      const tile = room.tiles.get(canvas.dataset["seat"]!);
      const small = room.tiles.size > ROOMY, looks = `${small} ${JSON.stringify(tile?.picture)}`;
      if (tile && canvas.dataset["looks"] !== looks) {
        canvas.dataset["looks"] = looks;
        drawThumb(canvas, tile.picture, small);
      }
    }
  }

  protected override render(): TemplateResult {
    const { state } = room;
    if (room.out) return html`<p class="trouble">${t("This class is gone, or you are signed out.")} <a href="/classes/">${t("Your classes")}</a></p>`;
    if (!state) return html`<p class="soft">${t("Connecting …")}</p>`;
    return html`<div class="top"><h1>${state.title}</h1>${modeSwitch(room, state)}<span class="spacer"></span>${timerPill(room)}
        ${room.connected ? nothing : html`<span class="pill bad" role="status">${t("Not connected; trying again …")}</span>`}
        <a class="button go" href=${`/classes/${state.id}/lab`} data-testid="to-lab">${t("Your lab, for the projector")}</a></div>
      <p class="soft what">${state.ended ? t("The class has ended") : t(MODES.find(([mode]) => mode === state.mode)![2])}</p>
      <div class="sides">
        <div class="main">${this.tiles(state)}</div>
        <div class="side">${this.code(state)}${this.roster(state)}${this.poll(state)}${this.pushes(state)}${this.controls(state)}${deeds(state)}</div></div>
      <div class="notice" role="status" ?hidden=${!this.notice}>${this.notice}</div>`;
  }

  // Join.

  private code(state: ClassState): TemplateResult | typeof nothing {
    if (state.ended) return html`<section class="box"><h2>${t("The class has ended")}</h2><p><a class="button" href=${`/classes/${state.id}/report`}>${t("Report")}</a></p></section>`;
    if (!state.code) return html`<section class="box"><h2>${t("Join")}</h2><p>${t("No code holds: nobody else can join.")}</p><button type="button" data-testid="new-code" @click=${() => this.send({ type: "code" })}>${t("Make a code")}</button></section>`;
    this.codeVersion = state.code;
    return html`<section class="box join ${this.big ? "big" : ""}" aria-label=${t("Join")}>
      <div class="qr"><img src=${`/classes/${state.id}/code.svg?${encodeURIComponent(this.codeVersion)}`} alt=${t("QR code with the address to join at")} width="132" height="132"></div>
      <div><p class="soft">${t("Join at")} <b class="at">${join.replace(/^https?:\/\//, "")}</b></p><p class="code" data-testid="code">${state.code}</p>
      <p class="row"><button type="button" class="small" data-testid="big" aria-pressed=${String(this.big)} @click=${() => (this.big = !this.big)}>${this.big ? t("Smaller") : t("Show it large")}</button>
      <button type="button" class="small" data-testid="new-code" @click=${() => this.send({ type: "code" })}>${t("Another code")}</button>
      <button type="button" class="small" data-testid="revoke" @click=${() => this.send({ type: "code", on: false })}>${t("Revoke")}</button></p></div></section>`;
  }

  // Questions.

  private poll(state: ClassState): TemplateResult | typeof nothing {
    if (state.ended) return nothing;
    const { poll } = state;
    return html`<section class="box asking ${poll ? "asked" : ""}" aria-label=${t("Question to the class")}><h2>${t("Question to the class")}</h2>
      ${poll ? this.current(poll) : nothing}
      <details class="ask" ?open=${!poll || poll.state === "decided"}><summary>${t("Ask something")}</summary>
      ${predictions.length ? html`<form @submit=${this.askPrediction}><label>${t("From the lesson; the model decides")} <select name="prediction" data-testid="prediction">${predictions.map((one) => html`<option value=${one.id}>${one.question}</option>`)}</select></label> <button type="submit" data-testid="ask-prediction">${t("Ask")}</button></form>` : nothing}
      <form @submit=${this.askScheduler}><label>${t("On the stage")} <input name="question" maxlength="300" required .defaultValue=${t("Which node will the scheduler choose next?")}></label>
        <label class="check"><input type="checkbox" name="model" checked> ${t("the scheduler decides")}</label> <button type="submit" data-testid="ask-stage">${t("Ask")}</button></form>
      <form @submit=${this.askOwn}><label>${t("Your own")} <input name="question" maxlength="300" required placeholder=${t("What happens next?")} data-testid="question"></label>
        <label>${t("Choices, one on a line")} <textarea name="choices" rows="3" required data-testid="choices"></textarea></label> <button type="submit" data-testid="ask-own">${t("Ask")}</button></form></details></section>`;
  }

  private current(poll: PollState): TemplateResult {
    return html`<div class="current" data-testid="poll"><p class="question"><b>${poll.question}</b></p>${bars(poll)}${verdict(poll)}
      <p class="row"><span class="soft">${t("{count} of {all} answered", { count: poll.total, all: room.state?.count ?? 0 })}</span><span class="spacer"></span>
      ${poll.state === "open" ? html`<button type="button" class="small" data-testid="close-poll" @click=${() => this.send({ type: "close", poll: poll.id })}>${t("Close it")}</button>` : nothing}
      ${poll.state !== "decided" && poll.by ? html`<button type="button" class="small go" data-testid="decide" @click=${() => this.send({ type: "decide", poll: poll.id })}>${t("Let the model decide")}</button>` : nothing}
      ${poll.state !== "decided" && !poll.by ? html`<label>${t("Right is")} <select data-testid="right" @change=${(event: Event) => this.decide(poll, (event.target as HTMLSelectElement).value)}><option value="">…</option>${Object.keys(poll.votes ?? {}).map((choice) => html`<option>${choice}</option>`)}</select></label>` : nothing}
      ${poll.state !== "open" ? html`<button type="button" class="small" data-testid="put-away" @click=${() => this.send({ type: "put-away", poll: poll.id })}>${t("Put it away")}</button>` : nothing}</p></div>`;
  }

  private decide(poll: PollState, answer: string): void {
    if (answer) this.send({ type: "decide", poll: poll.id, answer });
  }

  private fields(event: Event): FormData {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    const found = new FormData(form);
    form.closest("details")?.removeAttribute("open");
    return found;
  }

  private readonly askPrediction = (event: Event): void => void this.send({ type: "poll", prediction: String(this.fields(event).get("prediction")) });
  private readonly askScheduler = (event: Event): void => {
    const fields = this.fields(event);
    this.send({ type: "poll", kind: "stage", question: String(fields.get("question")), decide: fields.get("model") ? "scheduler" : "" });
  };

  private readonly askOwn = (event: Event): void => {
    const fields = this.fields(event);
    const choices = String(fields.get("choices")).split("\n").map((line) => line.trim()).filter(Boolean);
    if (this.send({ type: "poll", kind: "choice", question: String(fields.get("question")), choices })) (event.target as HTMLFormElement).reset();
  };

  // Pushes.

  private pushes(state: ClassState): TemplateResult | typeof nothing {
    if (state.ended) return nothing;
    return html`<details class="box fold" open><summary><h2>${t("Send to everyone")}</h2></summary>
      ${steps.length ? html`<form @submit=${this.pushStep}><label>${t("Step of the lesson")} <select name="step" data-testid="step">${steps.map((title, i) => html`<option value=${i} ?selected=${i === state.step}>${i + 1}. ${title}</option>`)}</select></label> <button type="submit" data-testid="push-step">${t("Open it")}</button></form>` : nothing}
      <form @submit=${this.pushFault}><label>${t("Fault")} <select name="fault" data-testid="fault">${FAULTS.map(([kind, target]) => html`<option value=${`${kind} ${target}`}>${kind} ${target}</option>`)}</select></label> <button type="submit" data-testid="push-fault">${t("Break it")}</button></form>
      <details><summary>${t("A manifest")}</summary><form @submit=${this.pushManifest}><label><span class="visually-hidden">${t("A manifest")}</span><textarea name="manifest" rows="8" class="mono" spellcheck="false" required data-testid="manifest"></textarea></label> <button type="submit" data-testid="push-manifest" ?disabled=${this.busy === "manifest"}>${t("Apply it")}</button></form></details>
      <p class="row"><span>${t("Timer")}</span>${TIMERS.map((minutes) => html`<button type="button" class="small" data-testid=${`timer:${minutes}`} @click=${() => this.send({ type: "timer", seconds: minutes * 60 })}>${t("{minutes} min", { minutes })}</button>`)}${timeLeft(room) ? html`<button type="button" class="small" data-testid="timer:0" @click=${() => this.send({ type: "timer", seconds: 0 })}>${t("Stop")}</button>` : nothing}</p></details>`;
  }

  private readonly pushStep = (event: Event): void => {
    event.preventDefault();
    this.send({ type: "push", step: Number(new FormData(event.target as HTMLFormElement).get("step")) });
  };

  private readonly pushFault = (event: Event): void => {
    event.preventDefault();
    const [kind, target] = String(new FormData(event.target as HTMLFormElement).get("fault")).split(" ");
    this.send({ type: "push", fault: target ? { kind, target } : { kind } });
  };

  private readonly pushManifest = (event: Event): void => {
    event.preventDefault();
    if (this.send({ type: "push", manifest: String(new FormData(event.target as HTMLFormElement).get("manifest")) })) this.busy = "manifest";
  };

  private controls(state: ClassState): TemplateResult | typeof nothing {
    if (state.ended && !state.me.owns) return nothing;
    if (state.ended) return html`<section class="box"><form method="post" action=${`/classes/${state.id}/delete`} @submit=${this.deleting}><input type="hidden" name="csrfmiddlewaretoken" value=${csrf()}><button type="submit" class="danger">${t("Delete the class and its report")}</button></form></section>`;
    return html`<section class="box"><h2>${t("The class")}</h2><p class="row">
      <button type="button" aria-pressed=${String(state.locked)} class=${state.locked ? "on" : ""} data-testid="lock" @click=${() => this.send({ type: "lock", on: !state.locked })}>${state.locked ? t("Locked: nobody else joins") : t("Lock: nobody else joins")}</button>
      <button type="button" aria-pressed=${String(state.frozen)} class=${state.frozen ? "on" : ""} data-testid="freeze" @click=${() => this.send({ type: "freeze", on: !state.frozen })}>${state.frozen ? t("Hands are off") : t("Hands off")}</button>
      <a class="button" href=${`/classes/${state.id}/report`}>${t("Report")}</a>
      ${state.me.owns ? html`<button type="button" class="danger" data-testid="end" @click=${() => this.end()}>${t("End the class")}</button>` : nothing}</p>
      ${invitations(state, this.busy === "invite", (message) => this.invite(message))}</section>`;
  }

  private invite(message: { type: "invite" | "uninvite"; name: string }): boolean {
    const sent = this.send(message);
    if (sent && message.type === "invite") this.busy = "invite";
    return sent;
  }

  private end(): void {
    if (confirm(t("End the class? Nobody joins any more; the report stays."))) this.send({ type: "end" });
  }

  private readonly deleting = (event: Event): void => {
    if (!confirm(t("Delete the class with its report and the learners' copies?"))) event.preventDefault();
  };

  // Learners.

  private tiles(state: ClassState): TemplateResult {
    const all = [...room.tiles.values()];
    if (!all.length) return html`<div class="empty"><p>${t("Nobody has joined yet.")}</p><p class="soft">${t("Learners need no account: they open the address, or the QR picture, and type the code and a name.")}</p></div>`;
    // Hands first, then whoever may need help, then in the order in which they came.
    const rank = (tile: Tile): number => (tile.hand !== null ? 0 : tile.stuck ? 1 : tile.online ? 2 : 3);
    const sorted = all.map((tile, i) => ({ tile, i })).sort((a, b) => rank(a.tile) - rank(b.tile) || (a.tile.hand ?? 0) - (b.tile.hand ?? 0) || a.i - b.i);
    const hands = all.filter((tile) => tile.hand !== null).length, stuck = all.filter((tile) => tile.stuck).length;
    const away = all.filter((tile) => !tile.online).length;
    return html`<p class="sum" role="status">${t("{count} learners", { count: all.length })}${hands ? html` · <b class="warn">${handIcon} ${hands === 1 ? t("1 hand") : t("{count} hands", { count: hands })}</b>` : nothing}${stuck ? html` · <b class="bad">${t("{count} may need help", { count: stuck })}</b>` : nothing}${away && !state.ended ? html` · <span class="soft">${t("{count} away", { count: away })}</span>` : nothing}</p>
      <ul class="tiles ${all.length > ROOMY ? "many" : ""}">${sorted.map(({ tile }) => this.tile(state, tile))}</ul>`;
  }

  private roster(state: ClassState): TemplateResult | typeof nothing {
    const { roster } = state;
    if (!roster || state.ended) return nothing;
    const here = roster.expected - roster.missing.length;
    return html`<details class="box fold" data-testid="roster"><summary><h2>${t("{here} of {all} of the course are here", { here, all: roster.expected })}</h2></summary>
      <p class="soft">${roster.title}</p>${roster.missing.length ? html`<p>${t("Not here yet:")}</p><ul class="missing">${roster.missing.map((name) => html`<li>${name}</li>`)}</ul>` : nothing}
      <p class="row"><button type="button" class="small" data-testid="fetch-roster" @click=${() => this.send({ type: "roster" })}>${t("Ask the platform again")}</button></p></details>`;
  }

  private tile(state: ClassState, tile: Tile): TemplateResult {
    const why = { failing: t("stuck: commands fail"), trying: t("stuck: tries without progress"), idle: t("stuck: nothing for a while"), "": "" }[tile.stuck];
    const seen = thumbText(tile.picture);
    const part = tile.tasks ? Math.round((100 * tile.done) / tile.tasks) : 0;
    return html`<li class="tile ${tile.online ? "" : "offline"} ${tile.stuck ? "stuck" : ""} ${tile.hand !== null ? "hand" : ""}" data-testid=${`tile:${tile.name}`} data-seat=${tile.seat}>
      <div class="name"><b title=${tile.name}>${tile.name}</b>${tile.hand !== null ? html`<button type="button" class="small" data-testid="lower" aria-label=${t("Lower {name}'s hand", { name: tile.name })} @click=${() => this.send({ type: "lower", seat: tile.seat })}>${handIcon}</button>` : nothing}
        <span class="spacer"></span>${tile.online ? nothing : html`<span class="pill is-away">${t("away")}</span>`}${tile.taken ? html`<span class="pill warn">${state.helpers?.length ? t("taken over by {who}", { who: tile.takenBy }) : t("taken over")}</span>` : nothing}</div>
      ${state.mode === "own" && tile.own ? html`<canvas data-seat=${tile.seat} width="232" height="92" role="img" aria-label=${t("{nodes} nodes, {pods} pods: {ready} ready, {bad} in trouble", seen)}></canvas>` : nothing}
      ${tile.tasks ? html`<div class="progress"><svg viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true"><rect width="100" height="6" class="rail"></rect><rect width=${part} height="6" class="fill"></rect></svg><span data-testid="done">${t("{done} of {tasks} tasks", { done: tile.done, tasks: tile.tasks })}</span></div>` : nothing}
      <p class="line" title=${tile.line}>${tile.online ? nothing : html`<span class="pill gone">${t("away")}</span> `}${tile.line ? html`<span aria-hidden="true" class=${tile.failed ? "bad" : ""}>${tile.failed ? "✗" : "$"}</span>${tile.failed ? html`<span class="visually-hidden">${t("failed:")}</span>` : nothing} <code>${tile.line}</code>` : html`<span class="soft">${t("nothing typed yet")}</span>`}</p>
      ${why ? html`<p class="why bad">${why}</p>` : nothing}
      <p class="row">${state.mode === "own" && tile.own ? html`<a class="button small" href=${`/classes/${state.id}/labs/${tile.seat}`} data-testid="open">${t("Open")}</a><button type="button" class="small reset" @click=${() => this.reset(tile)}>${t("Reset")}</button>` : nothing}${tile.taken ? html`<button type="button" class="small on" data-testid="give-back" @click=${() => this.send({ type: "take", seat: tile.seat, on: false })}>${t("Give it back")}</button>` : nothing}
        <span class="spacer"></span><button type="button" class="small quiet" aria-label=${t("Send {name} out", { name: tile.name })} title=${t("Send {name} out", { name: tile.name })} data-testid="remove" @click=${() => this.sendOut(tile)}>✕</button></p></li>`;
  }

  private reset(tile: Tile): void {
    if (confirm(t("Take {name}'s lab back to where it began?", { name: tile.name }))) this.send({ type: "reset", seat: tile.seat });
  }

  private sendOut(tile: Tile): void {
    if (confirm(t("Send {name} out of the class?", { name: tile.name }))) this.send({ type: "remove", seat: tile.seat });
  }
}

function csrf(): string {
  return document.querySelector<HTMLInputElement>("input[name=csrfmiddlewaretoken]")?.value ?? "";
}

room.start();
