// The lab's history as a thing to keep: forks beside it, the lab as a file, a link that replays it.
import { html, nothing, type TemplateResult } from "lit";
import { t } from "../i18n/t";
import { fetchShare, importLab, makeReplay } from "../lab/api";
import type { Lab } from "../lab/lab";
import { pack, ShareProblem } from "../lab/share";
import { fork, forksOf } from "./fork";

export function historyPart(lab: Lab): TemplateResult {
  const forks = forksOf(lab);
  const edit = lab.options.canEdit;
  return html`<section aria-labelledby="history-title"><h3 class="eyebrow" id="history-title">${t("Other futures")}</h3>
    <ul>${forks.map((id) => html`<li data-testid="fork-of"><a href=${`/labs/${id}/`} target="_blank" rel="noopener">${t("lab {id}", { id: id.slice(0, 6) })}</a><button type="button" class="small" data-testid="compare-with" @click=${() => lab.compare(lab.comparing === id ? "" : id)}>${lab.comparing === id ? t("end comparing") : t("compare")}</button></li>`)}</ul>
    <p>${edit ? html`<button type="button" class="small" @click=${() => void fork(lab)}>${t("Fork from here")}</button>` : nothing}</p>
    ${edit ? html`<h3 class="eyebrow">${t("Take along")}</h3>${lab.replayUrl ? html`<cl-copy .text=${lab.replayUrl}></cl-copy>` : nothing}<p class="row"><a class="small button" data-testid="export" href=${`/api/labs/${lab.options.id}/export`} download>${t("Save the lab as a file")}</a>
      <button type="button" class="small" data-testid="replay-link" @click=${() => void replayLink(lab)}>${t("Link that replays it")}</button>
      <button type="button" class="small" data-testid="share-link" title=${t("The nodes and all that people made, in the link itself; it comes up anew on any server. Secrets are in it too.")} @click=${() => void shareLink(lab)}>${t("Link that holds the cluster")}</button>
      <label class="small button">${t("Open a lab's file")}<input type="file" accept="application/json,.json" class="visually-hidden" data-testid="import" @change=${(event: Event) => void open(lab, event)} /></label></p>
` : nothing}</section>`;
}

async function replayLink(lab: Lab): Promise<void> {
  try {
    lab.replayUrl = (await makeReplay(lab.options.id, lab.player.state.seq)).url;
    lab.tell("debug");
  } catch (error) {
    lab.say(error instanceof Error ? error.message : String(error));
  }
}

/** The link holds everything, so nothing is kept for it and it opens on any server. */
export async function shareLink(lab: Lab): Promise<void> {
  try {
    const { scenario, name } = await fetchShare(lab.options.id);
    lab.replayUrl = `${location.origin}/open/#${await pack({ scenario, name })}`;
    lab.tell("debug");
  } catch (error) {
    lab.say(error instanceof ShareProblem ? t("This cluster is too large for a link: save the lab as a file instead.") : error instanceof Error ? error.message : String(error));
  }
}

async function open(lab: Lab, event: Event): Promise<void> {
  const file = (event.target as HTMLInputElement).files?.[0];
  if (!file) return;
  try {
    location.assign((await importLab(JSON.parse(await file.text()) as object)).url);
  } catch (error) {
    lab.say(error instanceof SyntaxError ? t("This file is no lab: it is not JSON.") : error instanceof Error ? error.message : String(error));
  }
}
