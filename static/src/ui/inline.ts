// Words that come as text: what stands between backticks is code.
import { html, type TemplateResult } from "lit";

export function inline(text: string): TemplateResult {
  return html`${text.split("`").map((part, number) => (number % 2 ? html`<code class="mono">${part}</code>` : part))}`;
}

/** Takes an element's content out of it, to be drawn again within the element's own markup. */
export function takeContent(element: HTMLElement): Node[] {
  const nodes = [...element.childNodes];
  // A single paragraph is taken out of its wrapper: it will stand in one of the element's own.
  const only = nodes.filter((node) => node.nodeType !== Node.TEXT_NODE || node.textContent?.trim());
  const inner = only.length === 1 && only[0] instanceof HTMLParagraphElement ? [...only[0].childNodes] : only;
  element.replaceChildren();
  return inner;
}
