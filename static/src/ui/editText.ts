// A dialog in which a text is edited: what kubectl edit opens in place of vi. Resolves with the text, or null where it is given up.
import { t } from "../i18n/t";
import { loadEditor } from "./loadEditor";

/** As messages.py of the server has it. */
const MOST = 2 << 20;

export async function editText(name: string, text: string): Promise<string | null> {
  const dialog = document.createElement("dialog");
  dialog.className = "edit-text";
  dialog.dataset["testid"] = "edit-text";
  dialog.setAttribute("aria-label", name);
  const head = document.createElement("h1"), box = document.createElement("div"), foot = document.createElement("p");
  head.textContent = name;
  box.className = "editor-box";
  foot.className = "buttons";
  const save = button(t("Save"), "primary", "edit-save"), cancel = button(t("Cancel"), "", "edit-cancel");
  foot.append(save, cancel);
  dialog.append(head, box, foot);
  document.body.append(dialog);
  dialog.showModal();
  const back = document.activeElement as HTMLElement | null;
  const editor = await loadEditor(box, { text, label: t("Manifest"), save: () => save.click() });
  editor.focus();
  return new Promise((resolve) => {
    const end = (answer: string | null): void => {
      editor.close();
      dialog.close();
      dialog.remove();
      back?.focus();
      resolve(answer);
    };
    save.addEventListener("click", () => {
      const size = new Blob([editor.text]).size;
      if (size <= MOST) return end(editor.text);
      foot.querySelector("[role=alert]")?.remove();
      const trouble = document.createElement("span");
      trouble.setAttribute("role", "alert");
      trouble.className = "bad";
      trouble.textContent = t("This is {size} MB; at most {most} MB can be saved.", { size: (size / (1 << 20)).toFixed(1), most: MOST >> 20 });
      foot.append(trouble);
    });
    cancel.addEventListener("click", () => end(null));
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      end(null);
    });
  });
}

function button(text: string, kind: string, testid: string): HTMLButtonElement {
  const made = document.createElement("button");
  made.type = "button";
  made.className = kind;
  made.textContent = text;
  made.dataset["testid"] = testid;
  return made;
}
