// The script of a page in German: its words, and what steps say.
import { german } from "./de";
import { clauses, sentences } from "./de/sentences";
import { offerSentences } from "./sentences";
import { offerWords } from "./t";

offerWords("de", german);
offerSentences("de", { sentences, clauses });
