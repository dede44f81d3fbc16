// Those who teach a class along with its instructor: who they are, asking another one, and what they have done.
import { html, nothing, type TemplateResult } from "lit";
import { t } from "../i18n/t";
import { MODES } from "./parts";
import type { ClassState } from "./types";

type Ask = (message: { type: "invite" | "uninvite"; name: string }) => boolean;

/** Who teaches, and for the instructor whose class it is the form that asks somebody else. */
export function invitations(state: ClassState, busy: boolean, ask: Ask): TemplateResult | typeof nothing {
  const helpers = state.helpers ?? [];
  if (!state.me.owns && !helpers.length) return nothing;
  const submit = (event: Event): void => {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    const name = String(new FormData(form).get("name")).trim();
    if (name && ask({ type: "invite", name })) form.reset();
  };
  const away = (name: string, accepted: boolean): void => {
    if (!accepted || confirm(t("Let {name} teach this class no longer?", { name }))) ask({ type: "uninvite", name });
  };
  return html`<details class="teachers" ?open=${helpers.length > 0}><summary>${helpers.length ? t("Who teaches") : t("Teach it with somebody")}</summary>
    <ul class="who-teaches" data-testid="teachers"><li><b>${state.owner ?? ""}</b> <span class="soft">${t("whose class it is")}</span></li>${helpers.map((one) => html`<li><b>${one.name}</b>${one.accepted ? nothing : html` <span class="pill">${t("asked")}</span>`}
      <span class="spacer"></span>${state.me.owns ? html`<button type="button" class="small quiet" data-testid=${`uninvite:${one.account}`} aria-label=${one.accepted ? t("Let {name} teach no longer", { name: one.name }) : t("Take the invitation of {name} back", { name: one.name })} @click=${() => away(one.account, one.accepted)}>✕</button>` : nothing}</li>`)}</ul>
    ${state.me.owns ? html`<form @submit=${submit}><label>${t("Name of an account on this server")} <input name="name" maxlength="150" required autocomplete="off" autocapitalize="none" spellcheck="false" data-testid="invite-name"></label> <button type="submit" data-testid="invite" ?disabled=${busy}>${t("Ask to teach it too")}</button></form>
      <p class="soft">${t("They may do all that you may in this class, but end it or ask others.")}</p>` : html`<form method="post" action=${`/classes/${state.id}/decline`}><input type="hidden" name="csrfmiddlewaretoken" value=${document.querySelector<HTMLInputElement>("input[name=csrfmiddlewaretoken]")?.value ?? ""}><button type="submit" class="small" data-testid="step-down">${t("Teach it no longer")}</button></form>`}</details>`;
}

const WORDS: Record<string, string> = {
  mode: "switched to: {what}", "push-step": "opened step {what}", "push-manifest": "sent a manifest", "push-fault": "broke something: {what}", "timer": "set a timer: {what} s",
  "timer-": "stopped the timer", lock: "locked the class", "lock-off": "unlocked the class", freeze: "hands off", "freeze-off": "hands on again", code: "made another code", "code-off": "revoked the code",
  poll: "asked: {what}", close: "closed the question", decide: "had the question decided", "put-away": "put the question away", take: "took over {what}'s lab", "take-off": "gave {what}'s lab back",
  reset: "reset {what}'s lab", lower: "lowered {what}'s hand", remove: "sent {what} out", invite: "asked {what} to teach too", uninvite: "no longer teaching: {what}", end: "ended the class",
};

/** A deed in words; a command as it was typed. */
function words(text: string): TemplateResult {
  if (text.startsWith("$ ")) return html`<code>${text.slice(2)}</code>`;
  const [verb = "", ...rest] = text.split(" ");
  const what = verb === "mode" ? t(MODES.find(([mode]) => mode === rest[0])?.[1] ?? "") : rest.join(" ");
  const template = WORDS[what ? verb : `${verb}-`] ?? WORDS[verb];
  return template ? html`${t(template, { what })}` : html`<code>${text}</code>`;
}

/** What those who teach have done, the newest first: told where they are several. */
export function deeds(state: ClassState): TemplateResult | typeof nothing {
  if (!state.deeds?.length) return nothing;
  const time = (at: number): string => new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return html`<details class="box fold" data-testid="deeds"><summary><h2>${t("Who did what")}</h2></summary><ol class="deeds">${state.deeds.map((one) => html`<li><span class="soft">${time(one.at)}</span> <b>${one.who}</b> ${words(one.text)}</li>`)}</ol></details>`;
}
