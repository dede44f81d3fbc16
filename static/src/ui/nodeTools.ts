// <cl-node-tools>: a node through its own tools: what crictl or docker, iptables-save, ipvsadm or nft would print there, and each container's
// cgroup and namespaces.
import { html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { t } from "../i18n/t";
import { fetchTools, type ContainerInside, type ToolsAnswer } from "../lab/api";
import type { Topic } from "../lab/lab";
import { OneAtATime } from "../lab/oneAtATime";
import { LabElement } from "./element";

const megabytes = (size: number): string => (size >= 1e9 ? `${(size / 1e9).toFixed(1)} GB` : `${(size / 1e6).toFixed(1)} MB`);

@customElement("cl-node-tools")
export class NodeToolsElement extends LabElement {
  protected override readonly topics: Topic[] = ["state"];
  @property() node = "";
  @state() private answer: ToolsAnswer | null = null;
  @state() private problem = "";
  private due = 0;
  private readonly asking = new OneAtATime(() => this.load());

  protected override willUpdate(changed: PropertyValues): void {
    if (!changed.has("node")) return;
    this.answer = null;
    this.asking.ask();
  }

  protected override told(): void {
    if (this.due) return;
    this.due = window.setTimeout(() => {
      this.due = 0;
      if (this.isConnected) this.asking.ask();
    }, 1000);
  }

  private async load(): Promise<void> {
    const { node } = this;
    try {
      const answer = await fetchTools(this.lab.options.id, node);
      if (this.node === node) [this.answer, this.problem] = [answer, ""];
    } catch (error) {
      if (this.node === node) this.problem = error instanceof Error ? error.message : String(error);
    }
  }

  protected override render(): TemplateResult {
    if (!this.answer) return html`<p class="soft">${this.problem || t("Loading …")}</p>`;
    const { runtime, disk, views, proxy, layers, sandboxes } = this.answer;
    const texts = [...Object.entries(views), ...Object.entries(proxy.views)];
    const gib = (size: number): string => `${(size / 2 ** 30).toFixed(1)} GiB`;
    return html`<dl class="fields" data-testid="runtime"><dt>${t("Runtime")}</dt><dd>${runtime.version}</dd><dt>${t("Socket")}</dt><dd class="mono">${runtime.socket}</dd>
        <dt>${t("Below it")}</dt><dd>${runtime.shim} · ${runtime.lowLevel}</dd><dt>${t("Disk")}</dt><dd>${t("{used} of {all}", { used: gib(disk.used), all: gib(disk.capacity) })}</dd></dl>
      ${texts.map(([command, text]) => html`<details class="request" data-testid="tool"><summary class="mono">$ ${command}</summary><pre class="yaml" tabindex="0" aria-label=${command}>${text}</pre></details>`)}
      <details class="request" data-testid="layers"><summary>${t("Layers of its images")} <small>${t("{count} layers", { count: layers.length })}</small></summary>
        <p class="soft">${t("Each layer lies on the disk once, however many images it is part of.")}</p>
        <dl class="fields">${layers.map((one) => html`<dt class="mono">${one.digest.slice(7, 19)}</dt><dd>${one.madeBy} · ${megabytes(one.size)} · ${one.images.length > 1 ? html`<b>${t("shared by {images}", { images: one.images.join(", ") })}</b>` : one.images[0]}</dd>`)}</dl></details>
      <section><h3 class="eyebrow">${t("Containers")}</h3>${sandboxes.flatMap((one) => one.containers.map((each) => this.container(one.pod, each)))}</section>`;
  }

  private container(pod: string, one: ContainerInside): TemplateResult {
    const { cgroup, namespaces } = one;
    return html`<details class="request"><summary><b>${one.name}</b> <small>${pod} · ${one.state}</small></summary><dl class="fields">
      <dt>ID</dt><dd class="mono">${one.id.slice(0, 30)}</dd>${cgroup ? html`<dt>cgroup</dt><dd class="mono">${cgroup.path}</dd>${Object.entries(cgroup.files).map(([file, text]) => html`<dt class="mono">${file}</dt><dd class="mono">${text}</dd>`)}` : nothing}
      ${namespaces ? html`<dt>${t("Namespaces")}</dt><dd class="mono">${Object.entries(namespaces).map(([kind, inode]) => `${kind}:[${inode}]`).join(" ")}</dd>` : nothing}
      ${one.processes ? html`<dt>${t("Processes")}</dt><dd class="mono">${one.processes.map((each) => `${each.pid} ${each.command}`).join("\n")}</dd>` : nothing}</dl></details>`;
  }
}
