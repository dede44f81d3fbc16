// <cl-manifests>: an editor for manifests of the lab: apply, dry run, difference from what is there, files, a gallery, export.
import { html, nothing, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";
import { t } from "../i18n/t";
import { fetchGallery, fetchGalleryFile, sendManifests, type ManifestAnswer } from "../lab/api";
import { dropped, FilesProblem, joined, manifestsOf, type ReadFile } from "../lab/files";
import { recall, remember } from "../lab/remember";
import type { ManifestEditor } from "../editor/editor";
import type { DrawerElement } from "./drawer";
import { LabElement } from "./element";
import { shareLink } from "./history";
import { loadEditor } from "./loadEditor";

const MOST = 1_000_000;
const KEPT = 200_000;
const OUTLOOKS: Record<ManifestAnswer["outcome"], string> = { created: "would be created", changed: "would be changed", unchanged: "unchanged", refused: "refused" };
const OUTCOMES: Record<ManifestAnswer["outcome"], string> = { created: "created", changed: "changed", unchanged: "unchanged", refused: "refused" };

@customElement("cl-manifests")
export class ManifestsElement extends LabElement {
  @state() private gallery: { name: string; title: string }[] = [];
  @state() private answers: ManifestAnswer[] = [];
  @state() private said = "";
  @state() private failed = false;
  @state() private busy = false;
  @state() private comparing = false;
  /** What the answers are of: a trial, which changed nothing. */
  private tried = false;
  private editor: ManifestEditor | null = null;
  private difference: ManifestEditor | null = null;
  private loading: Promise<void> = Promise.resolve();
  private asked = 0;

  private get place(): string {
    return `manifest.${this.lab.options.id}`;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    if (!this.lab.options.canEdit) return;
    void fetchGallery().then(({ manifests }) => (this.gallery = manifests), () => undefined);
    this.addEventListener("dragover", (event) => event.preventDefault());
    // Before the editor sees it, which would put each file where it fell.
    this.addEventListener("drop", (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      event.stopPropagation();
      void dropped(event.dataTransfer).then((files) => this.read(files));
    }, { capture: true });
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.editor?.close();
    this.difference?.close();
    this.editor = this.difference = null;
  }

  protected override firstUpdated(): void {
    this.loading = this.load();
  }

  private async load(): Promise<void> {
    const box = this.querySelector<HTMLElement>(".editor-box");
    if (!box) return;
    const editor = await loadEditor(box, { text: recall(this.place) ?? "", label: t("Manifests"), changed: (text) => this.keep(text), save: () => void this.send("apply") });
    if (this.isConnected) this.editor = editor;
    else editor.close();
  }

  private keep(text: string): void {
    remember(this.place, text && text.length <= KEPT ? text : null);
  }

  private tell(text: string, failed = false): void {
    this.said = text;
    this.failed = failed;
  }

  /** Puts a text into the editor in place of what is there; undo brings that back. */
  private put(text: string): void {
    if (!this.editor) return;
    this.endCompare();
    this.editor.text = text;
    this.answers = [];
    this.editor.focus();
  }

  private async choose(event: Event): Promise<void> {
    const list = event.target as HTMLSelectElement;
    const { value } = list;
    list.value = "";
    if (!value) return;
    const asked = ++this.asked;
    const found = await fetchGalleryFile(value).catch((error: unknown) => this.tell(error instanceof Error ? error.message : String(error), true));
    await this.loading;
    if (found && asked === this.asked) this.put(found.text);
  }

  private async read(files: Iterable<File>): Promise<void> {
    let chosen: ReadFile[];
    const asked = ++this.asked;
    try {
      chosen = await manifestsOf(files);
    } catch (error) {
      return this.tell(t(error instanceof FilesProblem && error.message === "damaged" ? "This archive cannot be read." : "These files are too large together."), true);
    }
    if (!chosen.length) return this.tell(t("None of these is a YAML or JSON file."), true);
    const text = joined(chosen);
    await this.loading;
    if (asked !== this.asked) return; // something else was chosen meanwhile
    if (text.length > MOST) return this.tell(t("These files are too large together."), true);
    this.put(text);
    this.tell(chosen.length === 1 ? chosen[0]!.name : t("{count} files read", { count: chosen.length }));
  }

  private async send(mode: "apply" | "dry-run" | "diff"): Promise<void> {
    if (!this.editor?.text.trim() || this.busy) return;
    this.busy = true;
    this.tell("…");
    try {
      const { objects } = await sendManifests(this.lab.options.id, this.editor.text, mode);
      this.tried = mode !== "apply";
      this.answers = objects;
      this.editor.problems(objects.filter((each) => each.outcome === "refused"));
      const refused = objects.filter((each) => each.outcome === "refused").length;
      this.tell(refused ? t("{count} of {all} refused", { count: refused, all: objects.length }) : mode === "apply" ? t("Applied.") : mode === "dry-run" ? t("It would be taken; nothing was changed.") : "", refused > 0);
      if (mode === "diff" && objects.some((each) => each.merged !== undefined)) await this.compare(objects);
    } catch (error) {
      this.answers = [];
      this.tell(error instanceof Error ? error.message : String(error), true);
    } finally {
      this.busy = false;
    }
  }

  /** Shows what would be there after applying, against what is there now. */
  private async compare(objects: ManifestAnswer[]): Promise<void> {
    this.comparing = true;
    await this.updateComplete;
    this.difference?.close();
    const shown = objects.filter((each) => each.merged !== undefined);
    const join = (pick: (each: ManifestAnswer) => string): string => shown.map((each) => `# ${each.object}\n${pick(each)}`).join("---\n");
    this.difference = await loadEditor(this.querySelector<HTMLElement>(".difference")!, { text: join((each) => each.merged!), label: t("Difference from what is there"), readOnly: true });
    this.difference.compare(join((each) => each.live ?? ""));
    this.difference.focus();
  }

  private endCompare(): void {
    this.comparing = false;
    this.difference?.close();
    this.difference = null;
  }

  protected override render(): TemplateResult {
    if (!this.lab.options.canEdit) return html`<p class="soft pad">${t("You watch this lab, and cannot change it at the moment.")}</p>`;
    return html`<div class="manifests" data-testid="manifests"><div class="terminal-bar">
        <select aria-label=${t("Gallery")} data-testid="gallery" @change=${this.choose}><option value="">${t("Gallery")} …</option>${this.gallery.map(({ name, title }) => html`<option value=${name}>${t(title)}</option>`)}</select>
        <label class="button small">${t("Open files")}<input type="file" multiple accept=".yaml,.yml,.json,.zip" @change=${this.picked} /></label>
        <label class="button small wide-only">${t("Open a folder")}<input type="file" webkitdirectory @change=${this.picked} /></label>
        <span class="spacer"></span>
        <a href=${`/api/labs/${encodeURIComponent(this.lab.options.id)}/manifests/all`} download data-testid="export-all">${t("Export all")}</a> <button type="button" class="link wide-only" data-testid="manifests-link" @click=${() => void shareLink(this.lab).then(() => document.querySelector<DrawerElement>("cl-drawer")?.show("debug"))}>${t("Link that holds the cluster")}</button> <a class="wide-only" href="/import/" target="_blank" rel="noopener">${t("Import a cluster")}</a>
        ${this.comparing ? html`<button type="button" class="small" data-testid="diff-close" @click=${() => this.endCompare()}>${t("Back to the text")}</button>` : nothing}
        <button type="button" class="small" data-testid="diff" ?disabled=${this.busy} @click=${() => this.send("diff")}>${t("Difference")}</button>
        <button type="button" class="small" data-testid="dry-run" ?disabled=${this.busy} @click=${() => this.send("dry-run")}>${t("Dry run")}</button>
        <button type="button" class="small primary" data-testid="apply" title="Ctrl-S" ?disabled=${this.busy} @click=${() => this.send("apply")}>${t("Apply")}</button></div>
      <div class="editor-box" ?hidden=${this.comparing}></div><div class="editor-box difference" ?hidden=${!this.comparing}></div>
      <div class="manifest-answers" role="status" data-testid="manifest-answers"><span class=${this.failed ? "bad" : "soft"}>${this.said}</span>${this.answers.map((each) => html` <span class=${`pill ${each.outcome === "refused" ? "bad" : each.outcome === "unchanged" ? "" : "ok"}`} title=${each.message}>${each.object} ${t((this.tried ? OUTLOOKS : OUTCOMES)[each.outcome])}</span>`)}${this.answers.filter((each) => each.message).map((each) => html`<p class="bad">${each.object}: ${each.message}</p>`)}${this.answers.flatMap((each) => (each.warnings ?? []).map((words) => html`<p class="warn">⚠ ${each.object}: ${words}</p>`))}</div></div>`;
  }

  private picked(event: Event): void {
    const input = event.target as HTMLInputElement;
    void this.read(input.files ?? []).then(() => (input.value = ""));
  }
}
