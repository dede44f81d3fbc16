// The lab page.
import "./styles/app.css";
import { Lab } from "./lab/lab";
import { chooseLanguage } from "./i18n/choose";
import { useLanguage } from "./i18n/t";
import { useLab } from "./ui/element";
import { yieldToKeyboard } from "./ui/keyboard";

useLanguage();
const { labId = "", canEdit } = document.body.dataset;
const lab = new Lab({ id: labId, canEdit: canEdit === "true" });
useLab(lab);

// Elements come after the lab that they show.
const [{ listenToKeys }] = await Promise.all([import("./ui/keys"), import("./ui/stage"), import("./ui/transport"), import("./ui/timeline"), import("./ui/inspector"), import("./ui/drawer"), import("./ui/debug"), import("./ui/compare"), import("./ui/charts"), import("./ui/lesson"), import("./ui/chrome")]);
listenToKeys(lab);
yieldToKeyboard();
chooseLanguage(document.querySelector<HTMLSelectElement>("header select[name=language]"));
lab.stream.start();
