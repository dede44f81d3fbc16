// What `describe` knows of each kind, as a bundle of its own: it comes with the first object that somebody looks at.
import { useLanguage } from "../i18n/t";

useLanguage();

export { describe } from "./describe";
