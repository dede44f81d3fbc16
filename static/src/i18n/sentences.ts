// What steps say, in the reader's language. The model's sentences are a part of its record, compared byte for byte and the same for all;
// here they are looked up by the template that they fit. What none fits stays as it is.
import { languageNow } from "./t";

interface Template {
  start: string;
  pattern: RegExp;
  /** Which values are clauses of their own. */
  clauses: boolean[];
  /** Which values may hold sentences, so that those that follow may be among them. */
  open: boolean[];
  words: string;
}

const PLACE = /\{(\d+)([;*]?)\}/g;
// Where one sentence ends and the next begins.
const BETWEEN = /(?<=\.) (?=[A-Z]|etcd-)/;
const MOST_KEPT = 3000;
const LONGEST = 1500;
type Pairs = readonly (readonly [string, string])[];
interface Words {
  sentences: Pairs;
  clauses: Pairs;
}
type Shelf = typeof globalThis & { clusterlabSentences?: Record<string, Words> };
const compiled = new Map<Pairs, Template[]>();
const kept = new Map<string, string>();

/** Lays a language's sentences where every bundle finds them, as `offerWords` does with its words. */
export function offerSentences(language: string, words: Words): void {
  ((globalThis as Shelf).clusterlabSentences ??= {})[language] = words;
}

/** A step's sentence, or several, in the language of the page. */
export function sentence(text: string): string {
  const language = languageNow().split("-")[0] ?? "";
  const words = (globalThis as Shelf).clusterlabSentences?.[language];
  if (!words || !text || text.length > LONGEST) return text;
  const key = `${language} ${text}`;
  let found = kept.get(key);
  if (found === undefined) {
    if (kept.size >= MOST_KEPT) kept.clear();
    kept.set(key, (found = translate(text, words)));
  }
  return found;
}

function translate(text: string, words: Words): string {
  const whole = fitting(text, words.sentences, words);
  if (whole !== null) return whole;
  const parts = text.split(BETWEEN);
  // Some templates are two sentences long, so the longest beginning that fits one is taken first.
  for (let end = parts.length - 1; end > 0; end--) {
    const head = fitting(parts.slice(0, end).join(" "), words.sentences, words);
    if (head !== null) return `${head} ${translate(parts.slice(end).join(" "), words)}`;
  }
  return parts.length > 1 ? `${parts[0]} ${translate(parts.slice(1).join(" "), words)}` : text;
}

function fitting(text: string, pairs: Pairs, known: Words): string | null {
  for (const { start, pattern, clauses, open, words } of templatesOf(pairs)) {
    if (!text.startsWith(start)) continue;
    const match = pattern.exec(text);
    if (match) return words.replace(/\{(\d+)\}/g, (_, place: string) => {
      const text = match[Number(place) + 1] ?? "";
      return open[Number(place)] ? withFollowing(text, known) : value(text, clauses[Number(place)] ?? false, known);
    });
  }
  return null;
}

/** Somebody's own words, kept, and what the model said after them. */
function withFollowing(text: string, known: Words): string {
  const parts = text.split(BETWEEN);
  const last = parts.length > 1 ? fitting(`${parts.at(-1)!}.`, known.sentences, known) : null;
  return last === null ? text : `${parts.slice(0, -1).join(" ")} ${last.replace(/\.$/, "")}`;
}

const value = (text: string, clauses: boolean, known: Words): string =>
  clauses ? text.split("; ").map((each) => fitting(each, known.clauses, known) ?? each).join("; ") : text;

function templatesOf(pairs: Pairs): Template[] {
  let found = compiled.get(pairs);
  if (!found) {
    // Those with the most words of their own first.
    const own = (english: string): number => english.replace(PLACE, "").length;
    found = [...pairs].sort(([one], [other]) => own(other) - own(one)).map(([english, words]) => template(english, words));
    compiled.set(pairs, found);
  }
  return found;
}

function template(english: string, words: string): Template {
  const escape = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
  const clauses: boolean[] = [], open: boolean[] = [];
  let pattern = "", at = 0, start = "";
  for (const place of english.matchAll(PLACE)) {
    if (!at && !pattern) start = english.slice(0, place.index);
    pattern += escape(english.slice(at, place.index)) + (place[2] === "*" ? "(.*)" : "((?:(?!\\. (?:[A-Z]|etcd-)).)+?)");
    clauses[Number(place[1])] = place[2] === ";";
    open[Number(place[1])] = place[2] === "*";
    at = place.index + place[0].length;
  }
  return { start: pattern ? start : english, pattern: new RegExp(`^${pattern}${escape(english.slice(at))}$`, "s"), clauses, open, words };
}
