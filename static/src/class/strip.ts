// The class on the lab page: a strip under the header that says which mode holds and what one may do, the poll, and what goes over the
// stage. The lab page itself knows nothing of classes: this script is loaded beside it.
import "../styles/strip.css";
import { html, LitElement, nothing, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";
import { t, useLanguage } from "../i18n/t";
import type { Lab } from "../lab/lab";
import { answerName, bars, everySecond, handIcon, modeSwitch, timerPill, verdict } from "./parts";
import { Room } from "./room";
import { sharePointer, StageLayer } from "./stageLayer";
import type { ClassState, PollState } from "./types";

useLanguage();
const { classId = "", teaches, owns, seat = "", seatName = "", labId = "", canEdit } = document.body.dataset;
const teaching = teaches === "true";
const room = new Room(classId);
const RELOAD_MS = 4000;

await customElements.whenDefined("cl-stage");
const lab = (document.querySelector("cl-stage") as HTMLElement & { lab: Lab }).lab;
const layer = new StageLayer(t("instructor"));

/** Loads the page again where another lab, or another right to it, is this learner's now. Never twice for the same reason in a row. */
function followLab(state: ClassState): boolean {
  const { me } = state;
  const here = `${labId} ${canEdit}`, there = `${me.lab} ${me.canEdit}`;
  if (here === there) {
    sessionStorage.removeItem("clusterlab.class");
    return false;
  }
  const [was, at] = (sessionStorage.getItem("clusterlab.class") ?? "|0").split("|");
  if (was === there && Date.now() - Number(at) < RELOAD_MS) return false;
  sessionStorage.setItem("clusterlab.class", `${there}|${Date.now()}`);
  location.assign(`/classes/${classId}/`);
  return true;
}

let viewed = "", pushedAt = -1, stepShown = -2;

/** Looks at what the instructor looks at. */
function followView(state: ClassState): void {
  if (state.mode === "own" || state.ended) return void (viewed = "");
  const view = JSON.stringify(state.view);
  if (view === viewed) return;
  viewed = view;
  if (state.view.lens) lab.look(state.view.lens as Lab["lens"]);
  lab.select(state.view.selected ?? "");
}

function openStep(index: number): void {
  const section = document.querySelectorAll<HTMLElement>("#lesson section[aria-label]")[index];
  if (!section) return;
  section.scrollIntoView({ block: "start", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  document.querySelector("#lesson .pushed")?.classList.remove("pushed");
  section.classList.add("pushed");
}

let stageAsked = 0;

/** Brings the stage to the front, where a question wants a click on it and only one panel is shown. */
function followQuestion({ poll }: ClassState): void {
  if (poll?.kind !== "stage" || poll.state !== "open" || poll.id === stageAsked) return;
  stageAsked = poll.id;
  const tab = document.querySelector("cl-tabs")?.querySelector<HTMLElement>('[data-testid="panel:stage"]');
  if (!tab?.offsetParent) return;
  tab.click();
  lab.select(""); // what is looked at covers the stage there
}

function followPushes(state: ClassState): void {
  if (state.step !== stepShown) {
    const first = stepShown === -2;
    stepShown = state.step;
    if (state.step >= 0) openStep(state.step);
    if (first) pushedAt = state.pushed.at ?? 0;
  }
  if ((state.pushed.at ?? 0) <= pushedAt) return;
  pushedAt = state.pushed.at ?? 0;
  const text = state.pushed.text ?? "";
  const words = { step: "The instructor opened: {text}", manifest: "The instructor applied {text}", fault: "The instructor broke something: {text}" }[state.pushed.kind ?? ""];
  const byName = { step: "{who} opened: {text}", manifest: "{who} applied {text}", fault: "{who} broke something: {text}" }[state.pushed.kind ?? ""];
  const who = state.pushed.by ?? "";
  if (words && byName && !teaching) lab.say(who ? t(byName, { who, text }) : t(words, { text }));
}

/** Tells which step of the lesson is being read. */
function tellStep(): void {
  const sections = [...document.querySelectorAll<HTMLElement>("#lesson section[aria-label]")];
  if (!sections.length || teaching) return;
  let told = -1, timer = 0;
  document.querySelector("#lesson")!.addEventListener("scroll", () => {
    clearTimeout(timer);
    timer = window.setTimeout(() => {
      const top = document.querySelector("#lesson")!.getBoundingClientRect().top + 120;
      const at = sections.findLastIndex((section) => section.getBoundingClientRect().top <= top);
      if (at >= 0 && at !== told && room.send({ type: "at", step: at })) told = at;
    }, 600);
  }, { passive: true });
}

@customElement("class-strip")
export class ClassStrip extends LitElement {
  /** The question that was closed here, and how it stood: its answer is shown all the same. It outlives the page, which another mode loads anew. */
  @state() private folded = sessionStorage.getItem("clusterlab.folded");

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  protected override render(): TemplateResult {
    const { state } = room;
    if (room.out) return html`<div class="strip"><b>${t("You are not in this class any more.")}</b> <a href="/join">${t("Join a class")}</a></div>`;
    if (!state) return html`<div class="strip soft">${t("Connecting …")}</div>`;
    return html`<div class="strip ${state.mode}" data-testid="strip" data-mode=${state.mode} role="region" aria-label=${t("Class")}>
        ${room.connected ? nothing : html`<span class="pill bad" role="status">${t("Not connected; trying again …")}</span>`}
        ${teaching ? this.teacher(state) : this.learner(state)}</div>
      ${this.poll(state)}`;
  }

  private learner(state: ClassState): TemplateResult {
    const { me } = state;
    const mode = state.ended ? t("The class is over") : { follow: t("Follow"), own: t("On your own"), together: t("Together") }[state.mode];
    const words = state.ended ? t("What you see stays yours to try things in.") : me.taken && me.own ? (me.by ? t("{who} has taken over your lab for a moment.", { who: me.by }) : t("The instructor has taken over your lab for a moment.")) : state.frozen ? t("Hands off for a moment: the instructor is speaking.")
      : { follow: t("You see the instructor's lab."), own: t("This is your own copy."), together: t("Everyone acts on this lab.") }[state.mode];
    // What changes who may act is said on a phone too, where there is no room for the rest.
    const matters = state.ended || state.frozen || (state.mode === "own" && (me.taken || me.watched));
    return html`<b class="mode" data-testid="mode">${mode}</b><span class="words ${matters ? "matters" : ""}" role="status">${words}${me.watched && !me.taken && state.mode === "own" ? html` <span class="pill" data-testid="watched">${me.by ? t("{who} is looking at your lab", { who: me.by }) : t("The instructor is looking at your lab")}</span>` : nothing}</span>${this.activity(state)}
      <span class="spacer"></span>${timerPill(room)}
      ${state.mode === "own" && !state.ended ? html`<button type="button" class="small" data-testid="catch-up" ?disabled=${me.taken} title=${t("A new copy, from where the instructor's lab stands. Yours goes.")} @click=${() => this.catchUp()}>${t("Catch up")}</button>` : nothing}
      ${state.ended ? nothing : html`<button type="button" class="small ${me.hand ? "on" : ""}" data-testid="hand" aria-pressed=${String(me.hand ?? false)} aria-label=${me.hand ? t("Lower your hand") : t("Raise your hand")} @click=${() => room.act({ type: "hand", up: !me.hand })}>${handIcon} <span class="hand-words">${me.hand ? t("Lower your hand") : t("Raise your hand")}</span></button>`}
      <span class="who wide" title=${state.title}>${me.name}</span>
      <form method="post" action=${`/classes/${state.id}/leave`} @submit=${this.leaving}><input type="hidden" name="csrfmiddlewaretoken" value=${csrf()}><button type="submit" class="small" data-testid="leave">${t("Leave")}</button></form>`;
  }

  private teacher(state: ClassState): TemplateResult {
    const hands = [...room.tiles.values()].filter((tile) => tile.hand !== null).length;
    const back = html`<a class="small button" href=${`/classes/${state.id}/`} data-testid="board">${t("Board")}</a>`;
    if (seat) {
      const tile = room.tiles.get(seat), mine = takenByMe(), other = tile?.taken && !mine ? tile.takenBy : "";
      const words = mine ? t("You act; {name} watches.", { name: seatName }) : other ? t("{who} acts here just now.", { who: other }) : t("You watch; {name} sees that you do.", { name: seatName });
      return html`${back}<b class="mode">${t("{name}'s lab", { name: seatName })}</b><span class="words" role="status">${words}</span><span class="spacer"></span>${timerPill(room)}
        <button type="button" class="small ${mine ? "on" : ""}" data-testid="take" aria-pressed=${String(mine)} @click=${() => this.take(!mine)}>${mine ? t("Give it back") : t("Take over")}</button>
        <button type="button" class="small" data-testid="reset-lab" @click=${() => this.reset()}>${t("Reset to where it began")}</button>`;
    }
    return html`${back}<b class="mode">${state.title}</b>${state.ended ? html`<span class="words matters" role="status">${t("The class is over")}</span>` : modeSwitch(room, state)}${this.activity(state)}<span class="spacer"></span>${timerPill(room)}
      ${hands ? html`<span class="pill warn" role="status">${handIcon} ${hands}</span>` : nothing}
      <button type="button" class="small ${state.frozen ? "on" : ""}" aria-pressed=${String(state.frozen)} ?disabled=${state.ended} @click=${() => room.act({ type: "freeze", on: !state.frozen })}>${t("Hands off")}</button>
      ${state.code ? html`<span class="code" data-testid="code">${state.code}</span>` : nothing}<span class="pill">${t("{count} learners", { count: state.count })}</span>`;
  }

  private poll(state: ClassState): TemplateResult | typeof nothing {
    const { poll } = state;
    if (!poll || state.ended || seat || this.folded === foldOf(poll)) return nothing;
    const open = poll.state === "open";
    return html`<section class="poll" data-testid="poll" aria-label=${t("Question to the class")}>
      <button type="button" class="quiet close" aria-label=${t("Close")} @click=${() => this.fold(poll)}>✕</button>
      <h2>${poll.question}</h2>
      ${open && !teaching ? this.answers(poll) : nothing}
      ${poll.votes ? bars(poll) : nothing}${verdict(poll)}
      ${teaching ? html`<p class="row"><span class="soft">${t("{count} answers", { count: poll.total })}</span><span class="spacer"></span>
        ${open ? nothing : html`<button type="button" class="small" data-testid="put-away" @click=${() => room.act({ type: "put-away", poll: poll.id })}>${t("Put it away")}</button>`}
        ${open ? html`<button type="button" class="small" data-testid="close-poll" @click=${() => room.act({ type: "close", poll: poll.id })}>${t("Close it")}</button>` : nothing}
        ${poll.by && poll.state !== "decided" ? html`<button type="button" class="small go" data-testid="decide" @click=${() => room.act({ type: "decide", poll: poll.id })}>${t("Let the model decide")}</button>` : nothing}</p>` : nothing}</section>`;
  }

  private answers(poll: PollState): TemplateResult {
    if (poll.kind === "stage") return html`<p class="hint" role="status">${poll.mine ? t("Your answer: {answer}. Click on something else to change it.", { answer: answerName(poll.mine) }) : t("Click on the stage.")}</p>`;
    return html`<div class="choices" role="radiogroup" aria-label=${poll.question}>${poll.choices.map((choice) => html`<button type="button" role="radio" aria-checked=${String(poll.mine === choice)} data-testid=${`choice:${choice}`} @click=${() => room.act({ type: "vote", poll: poll.id, choice })}>${choice}</button>`)}</div>`;
  }

  private activity(state: ClassState): TemplateResult | typeof nothing {
    if (state.mode !== "together" || state.ended || !state.activity.length) return nothing;
    const last = state.activity[0]!;
    return html`<details class="activity" data-testid="activity"><summary aria-label=${t("Who did what")}><b>${last.who}</b> <code>${last.text}</code></summary><ol>${state.activity.slice(0, 12).map((one) => html`<li><b>${one.who}</b> <code>${one.text}</code></li>`)}</ol></details>`;
  }

  private fold(poll: PollState): void {
    this.folded = foldOf(poll);
    sessionStorage.setItem("clusterlab.folded", this.folded);
  }

  private catchUp(): void {
    if (confirm(t("A new copy, from where the instructor's lab stands. Yours goes."))) room.act({ type: "catch-up" });
  }

  private take(on: boolean): void {
    room.act({ type: "take", seat, on });
  }

  private reset(): void {
    if (confirm(t("Take {name}'s lab back to where it began?", { name: seatName }))) room.act({ type: "reset", seat });
  }

  private leaving(event: Event): void {
    if (!confirm(t("Leave the class? Your name, answers and own copy are deleted."))) event.preventDefault();
  }
}

function foldOf(poll: PollState): string {
  return `${poll.id} ${poll.state === "decided" ? "decided" : ""}`;
}

function csrf(): string {
  return document.querySelector<HTMLInputElement>("input[name=csrfmiddlewaretoken]")?.value ?? "";
}

/** Whether it is the one at this page who has taken over the learner's lab that it shows. */
function takenByMe(): boolean {
  const tile = room.tiles.get(seat);
  return tile !== undefined && tile.taken && tile.takenBy === room.state?.me.account;
}

const strip = document.querySelector<ClassStrip>("class-strip")!;
room.on(["state"], () => {
  const state = room.state!;
  if (state.me.teaches !== teaching) return location.assign(`/classes/${classId}/`);
  if (!teaching && followLab(state)) return;
  if (!teaching) {
    followView(state);
    followQuestion(state);
  }
  followPushes(state);
  layer.show(state.poll);
  strip.requestUpdate();
});
room.on(["connection", "tiles"], () => {
  if (seat) {
    // Taking over, and giving back, is a matter of rights: the page is loaded anew with them. It goes by what the page was loaded
    // with, not by the tile before: that may have changed while the page was on its way.
    const taken = room.tiles.has(seat) ? takenByMe() : undefined, told = `${seat} ${taken}`;
    if (taken === undefined || taken === (canEdit === "true")) sessionStorage.removeItem("clusterlab.taken");
    else if (sessionStorage.getItem("clusterlab.taken") !== told) {
      sessionStorage.setItem("clusterlab.taken", told);
      return location.reload();
    }
  }
  strip.requestUpdate();
});
room.on(["connection"], () => {
  if (room.connected && seat) room.send({ type: "watch", seat });
  if (room.connected && owns && !seat) sendView(); // who teaches along leads the class's eyes only by looking at something else
});
room.on(["pointer"], () => layer.point(room.state?.mode === "own" ? null : room.pointer));
room.on(["error"], () => lab.say(room.lastError));
everySecond(() => {
  if (room.state?.timer) strip.requestUpdate();
});

function sendView(): void {
  room.send({ type: "view", lens: lab.lens, selected: lab.selected });
}

if (teaching && !seat) {
  lab.on(["lens", "selection"], sendView);
  sharePointer((at) => room.send({ type: "pointer", ...(at ?? { id: "" }) }));
}
if (!teaching) {
  // An answer on the stage is what the learner selects while such a question is open.
  lab.on(["selection"], () => {
    const poll = room.state?.poll;
    if (poll?.kind === "stage" && poll.state === "open" && lab.selected && lab.selected !== room.state?.view.selected) room.act({ type: "vote", poll: poll.id, choice: lab.selected });
  });
}
tellStep();
room.start();
