// The colours of the stage, read from the page's custom properties so that style sheets stay the one place where they are chosen.

export interface Theme {
  bg: string; panel: string; raise: string; line: string; text: string; soft: string; accent: string; onAccent: string;
  ok: string; warn: string; bad: string; etcd: string; bus: string; wire: string; shadow: string;
  versions: string[];
  dark: boolean;
  sans: string;
  mono: string;
}

const NAMES = ["bg", "panel", "raise", "line", "text", "soft", "accent", "on-accent", "ok", "warn", "bad", "etcd", "bus", "wire", "shadow"] as const;
export const VERSION_COLORS = 8;

export function readTheme(): Theme {
  const style = getComputedStyle(document.documentElement);
  const get = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  const values = Object.fromEntries(NAMES.map((name) => [name === "on-accent" ? "onAccent" : name, get(name)]));
  return {
    ...(values as unknown as Omit<Theme, "versions" | "dark" | "sans" | "mono">),
    versions: Array.from({ length: VERSION_COLORS }, (_, i) => get(`v${i + 1}`)),
    dark: get("scheme") === "dark",
    sans: get("sans") || "system-ui, sans-serif",
    mono: get("mono") || "ui-monospace, monospace",
  };
}
