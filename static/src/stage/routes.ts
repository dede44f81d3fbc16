// Routes of the traffic lens: HTTPRoutes and Ingresses, the weights that they set, and the shares that were measured. Pure.
import type { ClusterIndex } from "../lab/index";
import type { IngressView } from "../stream/views";
import { t } from "../i18n/t";
import type { Card, Wire } from "./board";

export const podKey = (endpoint: { pod: string }, namespace: string): string =>
  endpoint.pod?.startsWith("pods/") ? endpoint.pod : `pods/${endpoint.pod?.includes("/") ? "" : `${namespace}/`}${endpoint.pod}`;

/** Requests that each service's versions were sent in the last ten seconds. */
export type Shares = Record<string, Record<string, number>>;

/** How many of them a header, cookie or parameter has led to each service, so that no weight was asked. */
export type Led = Record<string, number>;

export const total = (versions: Record<string, number> | undefined): number => Object.values(versions ?? {}).reduce((sum, count) => sum + count, 0);
export const percent = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(part === 0 || part === whole ? 0 : 1)} %`;

/** What the weights had to share out. */
const byWeight = (shares: Shares, led: Led, key: string): number => Math.max(0, total(shares[key]) - (led[key] ?? 0));
/** Testers are told with the header that leads them: a share that counted them would stand above its weight. */
const ledText = (led: Led, keys: string[]): string => {
  const asked = keys.reduce((sum, key) => sum + (led[key] ?? 0), 0);
  return asked ? `${Math.round(asked / 10)}/s · ` : "";
};

/** Whether a host is one that a rule is about: the same, one of a wildcard's, or any. */
const fits = (pattern: string, host: string): boolean => !pattern || pattern === host || (pattern.startsWith("*.") && host.endsWith(pattern.slice(1)));

/** The route or Ingress that answers for the host of an address. */
export const routeOf = (index: ClusterIndex, address: string): string | undefined => {
  const host = /^(?:[a-z]+:\/\/)?([^/:]+)/.exec(address)?.[1] ?? "";
  const route = [...index.routes].find(([, one]) => !one.hostnames.length || one.hostnames.some((name) => fits(name, host)))?.[0];
  return route ?? [...index.ingresses].find(([, one]) => !one.canary && one.paths.some((path) => fits(path.host, host)))?.[0];
};

/** HTTPRoutes, and a wire for each Service that a rule leads to: the weight that is set, and the share that was measured. */
export function routeCards(index: ClusterIndex, shares: Shares, wires: Wire[], led: Led = {}): Card[] {
  return [...index.routes].map(([key, route]): Card => {
    const services = [...new Set(route.rules.flatMap((rule) => rule.backends.map((backend) => backend.service)))];
    const measured = (service: string): number => total(shares[`services/${route.namespace}/${service}`]);
    const weighed = (service: string): number => byWeight(shares, led, `services/${route.namespace}/${service}`);
    const whole = services.reduce((sum, service) => sum + weighed(service), 0);
    // The last rule is the one that most requests meet; others are for headers.
    const main = route.rules.at(-1), weights = main?.backends.reduce((sum, backend) => sum + backend.weight, 0) ?? 0;
    for (const service of services) {
      const backend = main?.backends.find((one) => one.service === service);
      const share = whole && (weighed(service) || backend?.weight) ? percent(weighed(service), whole) : "";
      const label = [backend && weights ? `${backend.weight}/${weights}` : "", share].filter(Boolean).join(" · ");
      wires.push({ from: key, to: `services/${route.namespace}/${service}`, dashed: !backend?.weight, rate: measured(service) / 10, errors: 0, label, pod: onlyVersion(index, `services/${route.namespace}/${service}`) });
    }
    for (const rule of route.rules) for (const mirror of rule.mirrors) wires.push({ from: key, to: `services/${route.namespace}/${mirror}`, dashed: true, label: t("copies") });
    const special = route.rules.filter((rule) => rule.headers.length).map((rule) => {
      const to = rule.backends.filter((backend) => backend.weight).map((backend) => backend.service);
      return `${ledText(led, to.map((name) => `services/${route.namespace}/${name}`))}${rule.headers.join(", ")} → ${to.join(", ")}`;
    });
    return { id: key, title: route.name, lines: [route.hostnames.join(", ") || "*", ...special].slice(0, 2), tag: "HTTPRoute", tone: "soft", link: true };
  });
}

/** The canary Ingress that stands beside a Service of another one: for the same host and path. */
const canaryOf = (index: ClusterIndex, main: IngressView, service: string): [string, IngressView, string] | undefined => {
  for (const [key, other] of index.ingresses) {
    const beside = other.canary && other.paths.find((mine) => mine.service !== service && main.paths.some((path) => path.service === service && path.host === mine.host && path.path === mine.path));
    if (beside) return [key, other, beside.service];
  }
  return undefined;
};

/** Ingresses, each with the canary beside it; a canary that stands beside nothing says so. */
export function ingressCards(index: ClusterIndex, shares: Shares, wires: Wire[], led: Led = {}): Card[] {
  const paired = new Set<string>();
  const cards = [...index.ingresses].filter(([, one]) => !one.canary).map(([key, ingress]): Card => {
    const lines = [[...new Set(ingress.paths.map((path) => path.host || "*"))].join(", ")];
    for (const service of new Set(ingress.paths.map((path) => path.service))) {
      const at = (name: string): string => `services/${ingress.namespace}/${name}`;
      const found = canaryOf(index, ingress, service), asked = found?.[1].canary;
      const measured = (name: string): number => total(shares[at(name)]);
      const weighed = (name: string): number => byWeight(shares, led, at(name));
      const whole = weighed(service) + (found ? weighed(found[2]) : 0);
      const wire = (name: string, part?: number): void => {
        const share = whole && found ? percent(weighed(name), whole) : "";
        wires.push({ from: key, to: at(name), dashed: part === 0, rate: measured(name) / 10, errors: 0, label: [part === undefined ? "" : `${part}/${asked!.total}`, share].filter(Boolean).join(" · "), pod: onlyVersion(index, at(name)) });
      };
      wire(service, asked && asked.total - asked.weight);
      if (!found || !asked) continue;
      paired.add(found[0]);
      wire(found[2], asked.weight);
      const who = [asked.header ?? "", asked.cookie ? t("cookie {name}", { name: asked.cookie }) : ""].filter(Boolean);
      lines.push(who.length ? `${ledText(led, [at(found[2])])}${who.join(", ")} → ${found[2]}` : t("canary {name}", { name: found[1].name }));
    }
    return { id: key, title: ingress.name, lines: lines.slice(0, 2), tag: "Ingress", tone: "soft", link: true };
  });
  const alone = [...index.ingresses].filter(([key, one]) => one.canary && !paired.has(key)).map(([key, one]): Card => ({
    id: key, title: one.name, lines: [one.paths.map((path) => `${path.host || "*"}${path.path}`).join(", "), t("a canary of no Ingress: none has its host and path")], tag: t("no effect"), tone: "warn", link: true,
  }));
  return [...cards, ...alone];
}

/** A pod of the version that a Service leads to, where it leads to one alone. */
function onlyVersion(index: ClusterIndex, key: string): string | undefined {
  const service = index.services.get(key);
  const pods = service ? index.endpointsOf(service).filter((endpoint) => endpoint.ready).map((endpoint) => podKey(endpoint, service.namespace ?? "default")) : [];
  return new Set(pods.map((pod) => index.pods.get(pod)?.version)).size === 1 ? pods[0] : undefined;
}
