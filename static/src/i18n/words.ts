// The script of a page in German: its words.
import { german } from "./de";
import { offerWords } from "./t";

offerWords("de", german);
