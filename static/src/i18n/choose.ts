// The language of the pages: kept in the cookie that the server reads; the browser's own wish where there is none.
const YEAR_S = 365 * 86400;

export function setLanguage(language: string): void {
  document.cookie = `django_language=${language}; path=/; max-age=${YEAR_S}; samesite=lax${location.protocol === "https:" ? "; secure" : ""}`;
  location.reload();
}

/** Makes a list of languages a switch. */
export function chooseLanguage(list: HTMLSelectElement | null): void {
  if (!list) return;
  list.hidden = false;
  list.addEventListener("change", () => setLanguage(list.value));
}
