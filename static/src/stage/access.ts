// The access lens: who may do what, and which rule says so. Subjects, the bindings that name them, the roles that these point at, and
// the roles' rules; an answer lights its way through them. Pure.
import { t } from "../i18n/t";
import type { AccessAnswer, AccessGraph, Rule } from "../lab/api";
import type { Board, Card, Wire } from "./board";
import { natural } from "./geometry";

const MOST_RULES = 5;

const kindOf = (subject: string): string => subject.slice(0, subject.indexOf(":"));
const subjectName = (subject: string): string => subject.slice(subject.indexOf(":") + 1);

/** The id of a subject's card: the object's key where it is one. */
export const subjectId = (subject: string): string => (kindOf(subject) === "ServiceAccount" ? `serviceaccounts/${subjectName(subject)}` : `subject:${subject}`);
const KINDS: Record<string, string> = { User: "user", Group: "group", ServiceAccount: "service account" };

/** A rule in words: its verbs, and on what. */
export function ruleWords(rule: Rule): [string, string] {
  const verbs = rule.verbs.includes("*") ? t("everything") : rule.verbs.join(", ");
  const groups = (rule.apiGroups ?? []).filter((group) => group && group !== "*");
  const what = [...(rule.resources ?? []), ...(rule.nonResourceURLs ?? [])].map((one) => (one === "*" ? t("all resources") : one)).join(", ");
  const names = rule.resourceNames?.length ? ` ${t("named {names}", { names: rule.resourceNames.join(", ") })}` : "";
  return [verbs, `${what}${groups.length ? ` (${groups.join(", ")})` : ""}${names}`];
}

const sameRule = (a: Rule, b: Rule): boolean => JSON.stringify(a) === JSON.stringify(b);

export function accessBoard(graph: AccessGraph | null, answer: AccessAnswer | null): Board {
  if (!graph) return { columns: [], wires: [], note: t("Reading who may do what …") };
  const path = answer?.path ?? null;
  const wires: Wire[] = [];
  const subjects = new Map<string, Card>();
  const lit = (part: boolean): boolean | undefined => (answer ? part : undefined);
  const bindings = [...graph.bindings].sort((a, b) => natural(a.key, b.key)).map((binding): Card => {
    const mine = path?.binding === binding.key;
    for (const subject of binding.subjects) {
      const id = subjectId(subject), asked = mine && path.subject === subject;
      const known = subjects.get(id);
      subjects.set(id, { id, title: subjectName(subject), lines: [t(KINDS[kindOf(subject)] ?? kindOf(subject))], link: id.startsWith("serviceaccounts/"), lit: lit(asked || known?.lit === true) });
      wires.push({ from: id, to: binding.key, lit: lit(asked) });
    }
    wires.push({ from: binding.key, to: binding.role, dashed: graph.roles[binding.role]?.missing, lit: lit(mine) });
    return { id: binding.key, title: last(binding.key), lines: [binding.namespace ? `RoleBinding ${t("in {namespace}", { namespace: binding.namespace })}` : `ClusterRoleBinding: ${t("everywhere")}`], link: true, lit: lit(mine) };
  });
  const roles: Card[] = [], rules: Card[] = [];
  for (const [key, role] of Object.entries(graph.roles).sort((a, b) => order(bindings, wires, a[0]) - order(bindings, wires, b[0]))) {
    const mine = path?.role === key;
    const used = wires.some((wire) => wire.to === key);
    const found = mine ? role.rules.findIndex((rule) => sameRule(rule, path.rule)) : -1;
    const shown = found >= MOST_RULES ? [role.rules[found]!, ...role.rules.slice(0, MOST_RULES - 1)] : role.rules.slice(0, MOST_RULES);
    const more = role.rules.length + role.more - shown.length;
    roles.push({ id: key, title: last(key), lines: [role.missing ? t("there is no such role") : more > 0 ? t("{count} rules in all", { count: shown.length + more }) : key.startsWith("clusterroles/") ? t("for the whole cluster") : t("in {namespace}", { namespace: key.split("/")[1]! })],
      tag: key.startsWith("clusterroles/") ? "ClusterRole" : "Role", tone: role.missing ? "bad" : "soft", dashed: role.missing || !used, link: true, lit: lit(mine) });
    shown.forEach((rule, i) => {
      const says = mine && sameRule(rule, path.rule);
      const [verbs, what] = ruleWords(rule);
      rules.push({ id: `rule:${key}#${i}`, title: verbs, lines: [what], link: false, lit: lit(says) });
      wires.push({ from: key, to: `rule:${key}#${i}`, lit: lit(says) });
    });
  }
  const columns = [{ title: t("WHO"), cards: [...subjects.values()] }, { title: t("BINDINGS"), cards: bindings }, { title: t("ROLES"), cards: roles }, { title: t("MAY"), cards: rules }];
  const note = graph.bindings.length || Object.keys(graph.roles).length ? t("Roles and bindings that Kubernetes brings are left out; a question is answered with all of them.") : t("Nobody has been given anything yet: there are only the roles and bindings that Kubernetes brings. Ask a question above.");
  return { columns: columns.filter((column) => column.cards.length), wires, note };
}

/** Roles stand in the order of their first binding. */
function order(bindings: Card[], wires: Wire[], role: string): number {
  const at = bindings.findIndex((binding) => wires.some((wire) => wire.from === binding.id && wire.to === role));
  return at < 0 ? bindings.length : at;
}

const last = (key: string): string => key.slice(key.lastIndexOf("/") + 1);
