// On a phone the keyboard takes half of the screen. The page is then as high as what is left, and shows what is typed into: no transport, no tabs.

/** A window that is so much lower than before, while something is typed into, has a keyboard in front of it. */
const KEYBOARD_PX = 140;

export function yieldToKeyboard(): void {
  const seen = window.visualViewport, root = document.documentElement;
  if (!seen) return;
  let width = innerWidth, most = seen.height;
  const look = (): void => {
    if (innerWidth !== width) [width, most] = [innerWidth, seen.height]; // turned
    if (Math.abs(seen.scale - 1) > 0.05) return; // looked at from nearer
    most = Math.max(most, seen.height);
    const typing = most - seen.height > KEYBOARD_PX && (document.activeElement?.matches("input, textarea, [contenteditable]") ?? false);
    root.style.setProperty("--seen", `${seen.height}px`);
    root.toggleAttribute("data-typing", typing);
    if (typing) scrollTo(0, 0);
  };
  seen.addEventListener("resize", look);
  document.addEventListener("focusout", () => setTimeout(look));
}
