// The stage as a picture, saved as a file: pixels or vectors, with a title and what just happened as its caption.
import { LitElement, html, type TemplateResult } from "lit";
import { customElement } from "lit/decorators.js";
import { t } from "../i18n/t";
import type { Lab } from "../lab/lab";
import { clock, sentenceOf } from "../lab/words";
import type { Legend } from "../stage/picture";
import { LENS_NAMES, QUESTIONS } from "./lenses";
import { currentLab } from "./element";
import { icons } from "./icons";
import { theScene } from "./stage";

export type Format = "png" | "svg";

export async function savePicture(lab: Lab, format: Format): Promise<void> {
  const legend = legendOf(lab);
  const blob = format === "svg" ? await vectors(legend) : await theScene?.picture(legend);
  if (!blob?.size) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `cluster-${lab.options.id}-step-${lab.shownSeq}-${lab.lens}.${format}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** What writes SVG comes when it is asked for first. */
async function vectors(legend: Legend): Promise<Blob | null> {
  const found = (await import(new URL("./svg.js", import.meta.url).href).catch(() => null)) as typeof import("../stage/svg") | null;
  return found && theScene && new Blob([theScene.vectors(legend, found.SvgContext)], { type: "image/svg+xml" });
}

function legendOf(lab: Lab): Legend {
  const { shown } = lab;
  const when = [t("step {seq}", { seq: lab.shownSeq }), clock(lab.player.state.time), t("lab {id}", { id: lab.options.id.slice(0, 6) })].join(" · ");
  return { title: `${t(LENS_NAMES[lab.lens])}: ${t(QUESTIONS[lab.lens])}`, subtitle: `clusterlab · ${when}`, caption: shown ? sentenceOf(shown) : "" };
}

/** <cl-picture>: the button with its menu of kinds of pictures. */
@customElement("cl-picture")
export class PictureElement extends LitElement {
  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  protected override render(): TemplateResult {
    const kinds: [Format, string, string][] = [["png", t("Picture (PNG)"), "S"], ["svg", t("Drawing (SVG)"), "Shift S"]];
    return html`<button type="button" class="quiet" data-testid="picture" popovertarget="picture-kinds" title=${t("Save the picture")} aria-label=${t("Save the picture")}>${icons.picture}</button>
      <div id="picture-kinds" popover class="menu" role="group" aria-label=${t("Save the picture")}>${kinds.map(([format, name, key]) => html`<button type="button" class="small" data-testid=${`picture-${format}`} @click=${() => this.save(format)}>${name} <kbd>${key}</kbd></button>`)}
        <p class="soft">${t("What the stage shows now, with a title and a caption.")}</p></div>`;
  }

  private save(format: Format): void {
    this.querySelector<HTMLElement>("[popover]")!.hidePopover();
    void savePicture(currentLab(), format);
  }
}
