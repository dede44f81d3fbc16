// A line that finds things by name, and selects what is chosen.
import { html, nothing, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";
import { t } from "../i18n/t";
import { finding } from "../lab/finding";
import { LabElement } from "./element";
import { icons } from "./icons";

@customElement("cl-find")
export class FindElement extends LabElement {
  @state() private text: string | null = null;

  override connectedCallback(): void {
    super.connectedCallback();
    document.addEventListener("clusterlab:find", () => this.begin());
  }

  protected override render(): TemplateResult {
    return html`<button type="button" class="quiet" data-testid="find" title=${t("Find (G)")} aria-label=${t("Find")} @click=${this.begin}>${icons.find}</button>${this.text === null ? nothing : this.dialog(this.text)}`;
  }

  private begin(): void {
    this.text = "";
    void this.updateComplete.then(() => this.querySelector("dialog")?.showModal());
  }

  private dialog(text: string): TemplateResult {
    const { objects, components } = this.lab.player.state;
    const { keys, count } = finding(objects, Object.keys(components), text);
    return html`<dialog class="find" aria-label=${t("Find")} @close=${() => (this.text = null)} @keydown=${this.keyed}><form @submit=${(event: Event) => { event.preventDefault(); this.choose(keys[0]); }}>
      <input type="search" class="mono" aria-label=${t("Name of an object or a component")} placeholder="web" autocomplete="off" spellcheck="false" maxlength="200" data-testid="find-text" autofocus @input=${(event: Event) => (this.text = (event.target as HTMLInputElement).value)} /></form>
      <div class="hits">${keys.map((key) => html`<button type="button" data-testid="found" @click=${() => this.choose(key)}><span class="soft">${objects[key]?.kind ?? t("component")}</span> ${objects[key]?.name ?? key} <span class="soft">${objects[key]?.namespace ?? ""}</span></button>`)}</div>
      <p class="soft" role="status">${text.trim() ? (count > keys.length ? t("{shown} of {count}", { shown: keys.length, count }) : count ? "" : t("Nothing has such a name.")) : ""}</p></dialog>`;
  }

  private choose(key: string | undefined): void {
    if (key === undefined) return;
    this.querySelector("dialog")?.close();
    this.lab.select(key);
  }

  /** Up and down go through what was found. */
  private keyed(event: KeyboardEvent): void {
    event.stopPropagation();
    const way = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (!way) return;
    event.preventDefault();
    const stops = [...this.querySelectorAll<HTMLElement>("input, .hits button")];
    stops[(stops.indexOf(document.activeElement as HTMLElement) + way + stops.length) % stops.length]?.focus();
  }
}
