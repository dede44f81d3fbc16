// The keys of the page. Fields that take text keep theirs; a focused thing on the stage keeps its arrows.
import type { Lab } from "../lab/lab";
import { markStep } from "./debug";
import type { DrawerElement } from "./drawer";
import { fork, forksOf } from "./fork";
import { savePicture } from "./picture";
import type { TimelineElement } from "./timeline";
import type { UntilElement } from "./transport";
import { nextTheme, togglePresenting } from "./chrome";
import { LENS_ORDER } from "./lenses";
import { zoomBy } from "./zoom";

export function listenToKeys(lab: Lab): void {
  const drawer = (): DrawerElement | null => document.querySelector<DrawerElement>("cl-drawer");
  const edit: Record<string, () => void> = {
    " ": () => lab.toggle(), ArrowRight: () => lab.step(), ".": () => lab.step(), ArrowLeft: () => lab.back(), Home: () => lab.send({ type: "reset" }), End: () => lab.settle(),
    i: () => lab.into(), o: () => lab.out(), c: () => void lab.debugger.run(), h: () => lab.hold(!lab.mode.hold),
    b: () => drawer()?.debug("condition"), B: () => document.querySelector<TimelineElement>("cl-timeline")?.offer(), u: () => document.querySelector<UntilElement>("cl-until")?.ask(),
    "[": () => lab.seek(lab.shownSeq - 10), "]": () => lab.seek(lab.shownSeq + 10),
  };
  const anyone: Record<string, () => void> = {
    "/": () => drawer()?.focusLine(), "?": () => void document.dispatchEvent(new Event("clusterlab:help")), Escape: () => lab.select(""),
    g: () => void document.dispatchEvent(new Event("clusterlab:find")), w: () => drawer()?.debug("path"), m: () => markStep(lab), f: () => void fork(lab),
    x: () => lab.compare(lab.comparing ? "" : (forksOf(lab)[0] ?? "")),
    l: () => drawer()?.show("log"), s: () => void savePicture(lab, "png"), S: () => void savePicture(lab, "svg"),
    "+": () => zoomBy(1), "=": () => zoomBy(1), "-": () => zoomBy(-1), "0": () => zoomBy(0),
    p: () => {
      togglePresenting();
      lab.tell("theme");
    },
    t: () => {
      nextTheme();
      lab.tell("theme");
    },
  };
  document.addEventListener("keydown", (event) => {
    const target = event.target as HTMLElement;
    if (event.ctrlKey || event.metaKey || event.altKey || target.closest("input, textarea, select, dialog")) return;
    // Space on a button presses it, except on those of the stage and the transport, where it plays.
    if (event.key === " " && target.closest("button, a, summary") && !target.closest(".transport .go")) return;
    const lens = LENS_ORDER[Number(event.key) - 1];
    const act = anyone[event.key] ?? (lab.options.canEdit ? edit[event.key] : undefined) ?? (lens ? () => lab.look(lens) : undefined);
    if (!act) return;
    event.preventDefault();
    act();
  });
}
