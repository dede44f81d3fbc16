// Icons as shapes, so that no font decides whether they can be seen.
import { svg, html, type TemplateResult } from "lit";

const icon = (shape: TemplateResult<2>): TemplateResult => html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">${shape}</svg>`;

export const icons = {
  start: icon(svg`<path d="M3 3v10M13 3.5v9L5.5 8z"/>`),
  back: icon(svg`<path d="M12 3.2v9.6L4 8z"/>`),
  play: icon(svg`<path d="M4 2.8v10.4L13 8z"/>`),
  pause: icon(svg`<path d="M4 3h3v10H4zM9 3h3v10H9z"/>`),
  step: icon(svg`<path d="M3 3.2v9.6L10 8zM12 3v10"/>`),
  into: icon(svg`<path class="stroke" d="M8 1.800v6.400M5.200 5.600L8 8.400l2.800-2.800"/><circle cx="8" cy="12.200" r="2.300"/>`),
  out: icon(svg`<path class="stroke" d="M8 8.400V2M5.200 4.600L8 1.800l2.800 2.800"/><circle cx="8" cy="12.200" r="2.300"/>`),
  settle: icon(svg`<path d="M2.5 3.2v9.6L8 8zM8 3.2v9.6L13.5 8z"/>`),
  until: icon(svg`<path d="M2.5 3.2v9.6L9 8z"/><circle cx="12" cy="8" r="2.8"/>`),
  close: icon(svg`<path class="stroke" d="M4 4l8 8M12 4l-8 8"/>`),
  copy: icon(svg`<path class="stroke" d="M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3"/>`),
  theme: icon(svg`<path d="M8 2a6 6 0 1 0 0 12z"/><circle class="stroke" cx="8" cy="8" r="6"/>`),
  screen: icon(svg`<path class="stroke" d="M2 3h12v8H2zM8 11v3M5 14h6"/>`),
  picture: icon(svg`<path class="stroke" d="M2.500 3.500h11v9h-11zM2.500 10.500l3-3 3 3 2-2 3 3"/><circle cx="10.600" cy="6.200" r="1.100"/>`),
  find: icon(svg`<circle class="stroke" cx="7" cy="7" r="4.4"/><path class="stroke" d="M10.400 10.400L14 14"/>`),
  help: icon(svg`<circle class="stroke" cx="8" cy="8" r="6.2"/><path class="stroke" d="M6.2 6.3a1.9 1.9 0 1 1 2.6 2c-.6.3-.8.6-.8 1.3M8 11.6v.3"/>`),
  up: icon(svg`<path class="stroke" d="M4 10l4-4 4 4"/>`),
  down: icon(svg`<path class="stroke" d="M4 6l4 4 4-4"/>`),
};
