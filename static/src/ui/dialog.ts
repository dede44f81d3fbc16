// Small questions: a text, a choice, a yes. Each is a dialog of the page's own, reached and left by keyboard.
import { t } from "../i18n/t";

interface Asked {
  title: string;
  /** What stands above the buttons. */
  body: HTMLElement[];
  yes: string;
  danger?: boolean;
  answer(): string;
  /** What is wrong with the answer; "" when nothing is. */
  wrong?(): string;
}

function element<K extends keyof HTMLElementTagNameMap>(tag: K, text = "", attributes: Record<string, string> = {}): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function ask(asked: Asked): Promise<string | null> {
  const back = document.activeElement as HTMLElement | null;
  const dialog = element("dialog", "", { class: "question", "aria-label": asked.title, "data-testid": "question" });
  const form = element("form", "", { method: "dialog" });
  const trouble = element("p", "", { class: "trouble", role: "alert" });
  const buttons = element("p", "", { class: "buttons" });
  const cancel = element("button", t("Cancel"), { type: "button", "data-testid": "question-no" });
  buttons.append(element("button", asked.yes, { type: "submit", class: asked.danger ? "primary bad" : "primary", "data-testid": "question-yes" }), cancel);
  form.append(element("h1", asked.title), ...asked.body, trouble, buttons);
  dialog.append(form);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    const end = (answer: string | null): void => {
      dialog.close();
      dialog.remove();
      back?.focus();
      resolve(answer);
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      trouble.textContent = asked.wrong?.() ?? "";
      if (!trouble.textContent) end(asked.answer());
    });
    cancel.addEventListener("click", () => end(null));
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      end(null);
    });
    // Keys are for the question: the page's own shortcuts do not hear them.
    dialog.addEventListener("keydown", (event) => event.stopPropagation());
  });
}

/** Asks for a line of text; null where it is given up. */
export function askText(title: string, label: string, value = "", wrong?: (text: string) => string): Promise<string | null> {
  const line = element("label", label), input = element("input", "", { "data-testid": "question-text", autocomplete: "off", spellcheck: "false" });
  input.value = value;
  line.append(input);
  return ask({ title, body: [line], yes: t("OK"), answer: () => input.value.trim(), wrong: () => wrong?.(input.value.trim()) ?? "" });
}

/** Asks for one of several; null where it is given up. */
export function askChoice(title: string, label: string, options: string[]): Promise<string | null> {
  const line = element("label", label), list = element("select", "", { "data-testid": "question-choice" });
  for (const option of options) list.append(element("option", option));
  line.append(list);
  return ask({ title, body: [line], yes: t("OK"), answer: () => list.value });
}

/** Asks whether to do something that cannot be undone. */
export async function askWhether(title: string, text: string, yes: string): Promise<boolean> {
  return (await ask({ title, body: [element("p", text)], yes, danger: true, answer: () => "yes" })) !== null;
}

/** Shows a picture over the page until it is closed; what had the focus has it again then. */
export function showLarge(title: string, picture: HTMLElement): void {
  const back = document.activeElement as HTMLElement | null;
  const dialog = element("dialog", "", { class: "large", "aria-label": title, "data-testid": "large" });
  const close = element("button", t("Close"), { type: "button", "data-testid": "large-close" });
  const room = element("div", "", { tabindex: "0", role: "group", "aria-label": title });
  room.append(picture);
  dialog.append(close, room, element("p", title));
  document.body.append(dialog);
  dialog.showModal();
  close.focus();
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => {
    dialog.remove();
    back?.focus();
  });
  dialog.addEventListener("keydown", (event) => event.stopPropagation());
}
