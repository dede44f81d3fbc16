// <cl-author>: the author's editor beside the running lab. While one types, what is wrong stands at its line and the text below is renewed;
// it saves versions and compares them, records what the author does as a solution, and publishes. <cl-live-lesson> follows files that are
// saved in another editor.
import { html, nothing, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { t } from "../i18n/t";
import type { EditorLanguage, ManifestEditor } from "../editor/editor";
import { call } from "../lab/authorApi";
import { ask } from "../lab/lessonApi";
import { OneAtATime } from "../lab/oneAtATime";
import { currentLab, LabElement } from "./element";
import { askChoice, askText, askWhether } from "./dialog";
import { loadEditor } from "./loadEditor";
import { isPicture, pictureType, readPicture } from "./pictures";
import { Recorder, withSolution } from "./recorder";

interface Problem {
  file: string;
  line: number;
  message: string;
}

interface Page {
  html: string;
  title: string;
}

interface State {
  version: number;
  audience: "private" | "class" | "all";
  published: number;
  problems: Problem[];
  page: Page | null;
  tasks: string[];
  may: { publish: boolean; prove: boolean; folder: boolean };
  files?: Record<string, string>;
}

const NAME = /^(lesson\.[a-z]{2}\.md|manifests\/[a-z0-9][a-z0-9._-]{0,60}\.(yaml|json))$/;
const EDITING_PX = 620;
/** Without a key for so long, what was typed is looked through. */
const CHECK_MS = 700;

type Checked = Pick<State, "problems" | "page" | "tasks">;
const languageOf = (file: string): EditorLanguage => (file.endsWith(".md") ? "lesson" : file.startsWith("manifests/") ? "manifest" : "yaml");

/** Puts a lesson's text (sanitised by the server) into its place; the elements in it come to life by themselves. */
function show(page: Page): void {
  const place = document.querySelector<HTMLElement>("#lesson-text");
  if (!place) return;
  place.innerHTML = page.html;
  const title = document.querySelector<HTMLElement>("#lesson .title");
  if (title) title.textContent = page.title;
  currentLab().tell("state");
}

@customElement("cl-author")
export class AuthorElement extends LabElement {
  @property() lesson = "";
  @state() private known: State | undefined;
  @state() private files: Record<string, string> = {};
  @state() private file = "lesson.md";
  @state() private open = false;
  @state() private dirty = false;
  @state() private busy = "";
  @state() private notice = "";
  @state() private proof: { holds: boolean; problems: Problem[] } | undefined;
  @state() private versions: { number: number; created: string }[] | undefined;
  @state() private recording = false;
  /** A version that the text is compared with. */
  @state() private compared: { number: number; files: Record<string, string> } | undefined;
  @state() private preview = true;
  private editor: ManifestEditor | null = null;
  private edited = "";
  private timer = 0;
  private readonly recorder = new Recorder();
  private readonly saving = new OneAtATime(() => this.store());
  private readonly guard = (event: BeforeUnloadEvent): void => {
    if (this.dirty) event.preventDefault();
  };

  override connectedCallback(): void {
    super.connectedCallback();
    window.addEventListener("beforeunload", this.guard);
    void this.asking(t("reading"), async () => {
      this.known = await call<State>("GET", this.lesson);
      this.files = this.known.files ?? {};
    });
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    window.removeEventListener("beforeunload", this.guard);
    clearTimeout(this.timer);
    this.close();
  }

  private close(): void {
    this.editor?.close();
    this.editor = null;
    this.edited = "";
  }

  /** Puts an editor for the chosen file into its place. */
  protected override updated(): void {
    const box = this.querySelector<HTMLElement>(".editor-box");
    if (!box || isPicture(this.file)) return this.close();
    if (this.edited === this.file) return;
    this.close();
    const file = (this.edited = this.file);
    void loadEditor(box, { text: this.files[file] ?? "", label: t("Text of {file}", { file }), language: languageOf(file), changed: (text) => this.typed(file, text), save: () => this.save() }).then((editor) => {
      if (this.edited !== file || !this.isConnected) return editor.close();
      this.editor = editor;
      if (editor.text !== (this.files[file] ?? "")) editor.text = this.files[file] ?? ""; // something was put there meanwhile
      this.mark();
      if (this.compared) editor.compare(this.compared.files[file] ?? "");
    });
  }

  /** Shows the problems of the file at their lines. */
  private mark(): void {
    this.editor?.lines([...(this.known?.problems ?? []), ...(this.proof?.problems ?? [])].filter((one) => one.file === this.file));
  }

  /** Other files, from elsewhere than the keyboard. */
  private put(files: Record<string, string>, file: string): void {
    this.files = files;
    this.file = file;
    this.dirty = true;
    if (this.editor && this.edited === file) this.editor.text = files[file] ?? "";
    this.later();
  }

  private later(): void {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.check(), CHECK_MS);
  }

  /** Looks through what is in the editor, without saving it. */
  private async check(): Promise<void> {
    const { files } = this;
    try {
      const found = await call<Checked>("POST", `${this.lesson}/check`, { files });
      if (files !== this.files || !this.known) return;
      this.known = { ...this.known, ...found };
      this.mark();
      if (found.page && this.preview) show(found.page);
    } catch (error) {
      this.notice = error instanceof Error ? error.message : String(error);
    }
  }

  private async asking(what: string, work: () => Promise<void>): Promise<void> {
    this.busy = what;
    this.notice = "";
    try {
      await work();
    } catch (error) {
      this.notice = error instanceof Error ? error.message : String(error);
    } finally {
      this.busy = "";
    }
  }

  protected override render(): TemplateResult {
    const { known } = this;
    return html`<div class="author" role="group" aria-label=${t("The author's editor")} data-testid="author" @keydown=${this.keyed}>
      <div class="author-bar"><b>${t("Your lesson")}</b>${known ? html`<span class="soft">${t("version {number}", { number: known.version })}${this.dirty ? " *" : ""}</span>` : nothing}<span class="spacer"></span>
        <button type="button" class="small" data-testid="author-edit" aria-expanded=${this.open ? "true" : "false"} @click=${this.toggle}>${this.open ? t("close the editor") : t("edit")}</button></div>
      ${this.open && known ? this.desk(known) : nothing}
      <p class="author-notice" role="status">${this.busy ? `${this.busy} …` : this.notice}</p></div>`;
  }

  private desk(known: State): TemplateResult {
    const problems = [...known.problems, ...(this.proof?.problems ?? [])];
    return html`<div class="author-bar"><label class="visually-hidden" for="author-file">${t("File")}</label><select id="author-file" data-testid="author-file" @change=${(event: Event) => (this.file = (event.target as HTMLSelectElement).value)}>
        ${Object.keys(this.files).sort().map((name) => html`<option value=${name} ?selected=${name === this.file}>${name}</option>`)}</select>
        <button type="button" class="small" data-testid="author-add" @click=${() => void this.add()}>${t("add a file")}</button>
        <label class="button small">${t("add a picture")}<input type="file" accept=".png,.svg,.webp" data-testid="author-picture" @change=${this.picked} /></label>
        <button type="button" class="small" ?disabled=${this.file === "lesson.md"} @click=${this.drop}>${t("delete it")}</button><span class="spacer"></span>
        <label class="switch"><input type="checkbox" .checked=${this.preview} @change=${(event: Event) => (this.preview = (event.target as HTMLInputElement).checked)} /> ${t("preview")}</label>
        <button type="button" class="small primary" data-testid="author-save" ?disabled=${!!this.busy} @click=${this.save}>${t("save")}</button></div>
      ${this.compared ? html`<div class="author-bar"><span class="soft">${t("Compared with version {number}.", { number: this.compared.number })}</span><button type="button" class="small" data-testid="author-compare-end" @click=${this.uncompare}>${t("end comparing")}</button></div>` : nothing}
      <div class="editor-box" data-testid="author-text" ?hidden=${isPicture(this.file)}></div>
      ${isPicture(this.file) ? html`<p class="picture-shown"><img src=${`data:${pictureType(this.file)};base64,${this.files[this.file] ?? ""}`} alt=${this.file} /><br /><code class="mono">![${t("what it shows")}](${this.file})</code></p>` : nothing}
      ${problems.length ? html`<ul class="problems" data-testid="author-problems">${problems.map((one) => html`<li><button type="button" class="link" @click=${() => void this.jump(one)}><span class="mono">${one.file}:${one.line}</span></button> ${one.message}</li>`)}</ul>` : html`<p class="soft">${this.proof?.holds ? t("It holds: played from start to end.") : t("No mistake found by reading it.")}</p>`}
      <div class="author-bar">
        <button type="button" class="small" aria-pressed=${this.recording ? "true" : "false"} data-testid="author-record" @click=${() => void this.record()}>${this.recording ? t("end the recording") : t("record what I do as a solution")}</button>
        ${known.may.prove ? html`<button type="button" class="small" data-testid="author-prove" ?disabled=${!!this.busy || this.dirty} @click=${this.prove}>${t("play it from start to end")}</button>` : nothing}
        <form method="post" action=${`/author/${this.lesson}/lab`}><input type="hidden" name="csrfmiddlewaretoken" value=${document.querySelector<HTMLInputElement>("input[name=csrfmiddlewaretoken]")?.value ?? ""} /><button type="submit" class="small" ?disabled=${this.dirty}>${t("new lab of this version")}</button></form></div>
      <div class="author-bar"><a class="small button" href=${`/api/author/${this.lesson}/zip`} download>${t("save as a zip")}</a>
        ${known.may.folder ? html`<button type="button" class="small" @click=${() => void this.toFolder()}>${t("save as a folder")}</button>` : nothing}
        <button type="button" class="small" data-testid="author-versions" @click=${this.history}>${t("versions")}</button>
        <button type="button" class="small" @click=${() => void this.forget()}>${t("delete the lesson")}</button>
        ${known.may.publish ? html`<label>${t("published to")} <select data-testid="author-audience" @change=${this.publish}>${[["private", t("nobody")], ["class", t("my classes")], ["all", t("all")]].map(([value, name]) => html`<option value=${value!} ?selected=${known.audience === value}>${name}</option>`)}</select></label>${known.published ? html`<span class="soft">${t("version {number}", { number: known.published })}</span>` : nothing}` : nothing}</div>
      ${this.versions ? html`<ol class="versions" reversed>${this.versions.map((one) => html`<li><span class="mono">${one.number}</span> ${new Date(one.created).toLocaleString()} <button type="button" class="small" data-testid=${`author-compare:${one.number}`} @click=${() => this.compareWith(one.number)}>${t("compare")}</button> <button type="button" class="small" data-testid=${`author-restore:${one.number}`} @click=${() => this.restore(one.number)}>${t("take this one")}</button></li>`)}</ol>` : nothing}`;
  }

  private toggle(): void {
    this.open = !this.open;
    if (!this.open) this.close();
    const root = document.documentElement;
    if (this.open && parseInt(getComputedStyle(root).getPropertyValue("--lesson-size") || "0") < EDITING_PX) root.style.setProperty("--lesson-size", `${Math.min(EDITING_PX, innerWidth * 0.5)}px`);
  }

  private typed(file: string, text: string): void {
    if (this.files[file] === text) return;
    this.files = { ...this.files, [file]: text };
    this.dirty = true;
    this.proof = undefined;
    this.later();
  }

  private keyed(event: KeyboardEvent): void {
    if ((event.ctrlKey || event.metaKey) && event.key === "s") {
      event.preventDefault();
      this.save();
    }
  }

  private save(): void {
    this.saving.ask();
  }

  /** Saves what is there now. What is typed until the answer comes is not in it: that stays to be saved, and to be looked through. */
  private async store(): Promise<void> {
    const { files } = this;
    await this.asking(t("saving"), async () => {
      const known = await call<State>("PUT", this.lesson, { files });
      this.versions = undefined;
      this.notice = t("Saved as version {number}.", { number: known.version });
      if (files !== this.files && this.known) return void (this.known = { ...this.known, version: known.version });
      this.known = known;
      this.dirty = false;
      clearTimeout(this.timer);
      this.mark();
      if (known.page) show(known.page);
    });
  }

  private prove(): void {
    void this.asking(t("playing it from start to end"), async () => {
      this.proof = await call("POST", `${this.lesson}/prove`, {});
      this.mark();
    });
  }

  private publish(event: Event): void {
    const audience = (event.target as HTMLSelectElement).value;
    void this.asking(t("publishing"), async () => {
      const found = await call<Pick<State, "audience" | "published">>("POST", `${this.lesson}/publish`, { audience });
      this.known = { ...this.known!, ...found };
    }).then(() => this.requestUpdate());
  }

  private history(): void {
    void this.asking(t("reading"), async () => {
      this.versions = this.versions ? undefined : (await call<{ versions: { number: number; created: string }[] }>("GET", `${this.lesson}/versions`)).versions;
    });
  }

  private async filesOf(number: number): Promise<Record<string, string>> {
    return (await call<{ files: Record<string, string> }>("GET", `${this.lesson}/versions/${number}`)).files;
  }

  private restore(number: number): void {
    void this.asking(t("reading"), async () => {
      this.put(await this.filesOf(number), "lesson.md");
      this.notice = t("Version {number} is in the editor. Save it to make it the newest.", { number });
    });
  }

  private compareWith(number: number): void {
    void this.asking(t("reading"), async () => {
      const files = await this.filesOf(number);
      this.compared = { number, files };
      if (isPicture(this.file) || files[this.file] === this.files[this.file]) {
        // Go to a file in which something is otherwise.
        const other = Object.keys(this.files).find((name) => !isPicture(name) && files[name] !== this.files[name]);
        if (!other) this.notice = t("Nothing differs from version {number}.", { number });
        else if (other !== this.file) return void (this.file = other);
      }
      this.editor?.compare(files[this.file] ?? "");
    });
  }

  private uncompare(): void {
    this.compared = undefined;
    this.editor?.compare(null);
  }

  private async toFolder(): Promise<void> {
    const name = await askText(t("Save as a folder"), t("Name of the folder under lessons/"), "", (text) => (/^[a-z0-9][a-z0-9-]{0,62}$/.test(text) ? "" : t("Small letters, digits and dashes.")));
    if (!name) return;
    await this.asking(t("saving"), async () => {
      const made = await call<{ folder: string; check: string }>("POST", `${this.lesson}/folder`, { name });
      this.notice = `${made.folder} · ${made.check}`;
    });
  }

  private async add(): Promise<void> {
    const wrong = (text: string): string => (NAME.test(text) ? "" : t("A lesson holds lesson.md, lesson.de.md and the like, scenario.yaml, and manifests/NAME.yaml."));
    const name = await askText(t("Add a file"), t("Name of the file, such as manifests/web.yaml or lesson.de.md"), "manifests/", wrong);
    if (name) this.put({ ...this.files, [name]: this.files[name] ?? "" }, name);
  }

  private picked(event: Event): void {
    const input = event.target as HTMLInputElement, file = input.files?.[0];
    input.value = "";
    if (file) void readPicture(file).then(({ name, data }) => this.put({ ...this.files, [name]: data }, name), (error: Error) => (this.notice = error.message));
  }

  private drop(): void {
    const { [this.file]: _gone, ...rest } = this.files;
    this.put(rest, "lesson.md");
  }

  private async forget(): Promise<void> {
    if (!(await askWhether(t("Delete the lesson"), t("Delete this lesson with all of its versions?"), t("Delete")))) return;
    await this.asking(t("deleting"), async () => {
      await call("DELETE", this.lesson);
      this.dirty = false;
      location.assign("/author/");
    });
  }

  /** Puts the cursor on the line of a problem. */
  private async jump(problem: Problem): Promise<void> {
    if (this.files[problem.file] !== undefined && problem.file !== this.file) {
      this.file = problem.file;
      await this.updateComplete;
      await new Promise((next) => setTimeout(next, 60)); // the editor of the file is on its way
    }
    this.editor?.goTo(problem.line);
  }

  private async record(): Promise<void> {
    if (!this.recording) {
      this.recorder.start();
      this.recording = true;
      this.notice = t("Do what solves the task: commands, faults, waiting. Then end the recording.");
      return;
    }
    this.recording = false;
    const actions = this.recorder.stop();
    if (!actions.length) return void (this.notice = t("Nothing was done."));
    const tasks = this.known?.tasks ?? [];
    const task = tasks.length > 1 ? await askChoice(t("A solution was recorded"), t("Of which task is it the solution?"), tasks) : tasks[0];
    const changed = task ? withSolution(this.files["lesson.md"] ?? "", task, actions) : null;
    if (changed === null) {
      void navigator.clipboard?.writeText(actions.map((line) => `- ${line}`).join("\n")).catch(() => undefined);
      return void (this.notice = t("There is no such task; the lines are in the clipboard."));
    }
    this.put({ ...this.files, "lesson.md": changed }, "lesson.md");
    this.notice = t("The solution of {task} is written down. Save to keep it.", { task: task! });
  }
}

const FOLLOW_MS = 1000;

@customElement("cl-live-lesson")
export class LiveLessonElement extends LabElement {
  @state() private problem = "";
  private stamp = "";
  private timer = 0;
  private readonly asking = new OneAtATime(() => this.follow());

  override connectedCallback(): void {
    super.connectedCallback();
    this.timer = window.setInterval(() => this.asking.ask(), FOLLOW_MS);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearInterval(this.timer);
  }

  protected override render(): TemplateResult {
    return html`<p class=${this.problem ? "trouble" : "soft"} role="status">${this.problem || t("This text follows its files.")}</p>`;
  }

  private async follow(): Promise<void> {
    if (document.hidden) return;
    try {
      const found = await ask<{ stamp: string; page?: Page; problem?: string }>("GET", `text?stamp=${encodeURIComponent(this.stamp)}`);
      if (found.stamp === this.stamp) return;
      const first = this.stamp === "";
      this.stamp = found.stamp;
      this.problem = found.problem ?? "";
      if (found.page && !first) show(found.page);
    } catch {
      // The server starts again; the next second asks again.
    }
  }
}
