// Parts that the board and the strip share: bars of a poll, the count-down, the switch of modes.
import { html, nothing, svg, type TemplateResult } from "lit";
import { t } from "../i18n/t";
import type { Room } from "./room";
import type { ClassState, Mode, PollState } from "./types";

export const MODES: [Mode, string, string][] = [
  ["follow", "Follow", "Everyone sees your lab and cannot change it."],
  ["own", "On their own", "Everyone has an own copy, from where your lab stands."],
  ["together", "Together", "Everyone may act on your lab; who did what is shown."],
];

/** A raised hand: few systems' fonts draw one. */
export const handIcon = html`<svg class="icon hand" viewBox="0 0 16 16" aria-hidden="true">${svg`<path d="M5 8.5V3.2a.9.9 0 0 1 1.8 0V7M6.8 7V2a.9.9 0 0 1 1.8 0v5M8.6 7V2.8a.9.9 0 0 1 1.8 0v4.7m0 0V4.6a.9.9 0 0 1 1.8 0V10c0 2.800-1.700 4.700-4.300 4.700-2 0-3-.9-3.900-2.500L2.500 9.500c-.5-.9.600-1.700 1.300-1L5 9.800" fill="none" stroke="currentColor" stroke-width="1.2" stroke-linecap="round" stroke-linejoin="round"></path>`}</svg>`;

/** How an answer reads: things on the stage by their name. */
export const answerName = (choice: string): string => choice.replace(/^(nodes|pods|services|deployments|replicasets)\//, "").replace(/^default\//, "");

/** The bars of a poll. They are a table to a screen reader, and differ in more than colour: the right one is marked. */
export function bars(poll: PollState): TemplateResult | typeof nothing {
  const votes = poll.votes;
  if (!votes) return nothing;
  const most = Math.max(1, ...Object.values(votes));
  return html`<ul class="bars" data-testid="bars" aria-label=${t("Answers")}>${Object.entries(votes).map(([choice, count]) => {
    const right = poll.state === "decided" && poll.answer === choice;
    return html`<li class=${right ? "right" : ""}><span class="what">${right ? html`<b aria-hidden="true">✓</b><span class="visually-hidden">${t("right:")}</span> ` : nothing}${answerName(choice)}</span><span class="count">${count}</span>
      <svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"><rect width="100" height="10" class="rail"></rect><rect width=${(100 * count) / most} height="10" class="fill"></rect></svg></li>`;
  })}</ul>`;
}

/** What the model, or the instructor, said. */
export function verdict(poll: PollState): TemplateResult | typeof nothing {
  if (poll.state !== "decided") return nothing;
  const who = poll.by ? t("The model says: {answer}", { answer: answerName(poll.answer ?? "") }) : t("The answer: {answer}", { answer: answerName(poll.answer ?? "") });
  return html`<p class="verdict" data-testid="verdict"><b>${who}</b> ${poll.explain ?? ""}</p>`;
}

/** A timer that is over says so for so long. */
const OVER_MS = 60_000;

/** The time that is left, as m:ss; "" without a timer. */
export function timeLeft(room: Room): string {
  const timer = room.state?.timer;
  if (!timer || room.now() > timer.until + OVER_MS) return "";
  const left = Math.max(0, Math.ceil((timer.until - room.now()) / 1000));
  return `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
}

export function timerPill(room: Room): TemplateResult | typeof nothing {
  const left = timeLeft(room);
  if (!left) return nothing;
  return html`<span class="timer ${left === "0:00" ? "over" : ""}" role="timer" data-testid="timer">${room.state?.timer?.label ? html`${room.state.timer.label} ` : nothing}<b>${left === "0:00" ? t("time is up") : left}</b></span>`;
}

/** A switch between the modes, as radio buttons are. */
export function modeSwitch(room: Room, state: ClassState): TemplateResult {
  const move = (event: KeyboardEvent): void => {
    const way = event.key === "ArrowRight" || event.key === "ArrowDown" ? 1 : event.key === "ArrowLeft" || event.key === "ArrowUp" ? -1 : 0;
    if (!way) return;
    event.preventDefault();
    event.stopPropagation();
    const at = MODES.findIndex(([mode]) => mode === state.mode);
    const next = MODES[(at + way + MODES.length) % MODES.length]![0];
    room.act({ type: "mode", mode: next });
    (event.currentTarget as HTMLElement).querySelector<HTMLElement>(`[data-mode="${next}"]`)?.focus();
  };
  return html`<div class="modes" role="radiogroup" aria-label=${t("Mode of the class")} @keydown=${move}>${MODES.map(([mode, name, what]) => html`<button type="button" role="radio" data-mode=${mode} data-testid=${`mode:${mode}`} aria-checked=${String(state.mode === mode)}
    tabindex=${state.mode === mode ? 0 : -1} title=${t(what)} ?disabled=${state.ended} @click=${() => room.act({ type: "mode", mode })}>${t(name)}</button>`)}</div>`;
}

/** Calls back each second while there is something that a clock moves. */
export function everySecond(callback: () => void): void {
  setInterval(() => {
    if (!document.hidden) callback();
  }, 1000);
}
