// The author's editor beside the lab, in a bundle of its own: few who open a lab write lessons.
import { useLanguage } from "./i18n/t";
import type { Lab } from "./lab/lab";
import { useLab } from "./ui/element";

useLanguage();
await customElements.whenDefined("cl-stage");
useLab((document.querySelector("cl-stage") as HTMLElement & { lab: Lab }).lab);
await import("./ui/author");
