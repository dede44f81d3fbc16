// The stage as a picture, saved as a file.
import type { Lab } from "../lab/lab";
import { theScene } from "./stage";

export async function savePicture(lab: Lab): Promise<void> {
  const blob = await theScene?.picture();
  if (!blob) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `cluster-${lab.options.id}-step-${lab.shownSeq}-${lab.lens}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
