// A ring around the pointer while presenting, so that an audience sees where the speaker points.
let ring: HTMLElement | null = null;

const follow = (event: PointerEvent): void => {
  if (!ring) return;
  ring.hidden = event.pointerType === "touch";
  ring.style.transform = `translate(${event.clientX}px, ${event.clientY}px)`;
};
const press = (event: PointerEvent): void => void ring?.classList.toggle("pressed", event.type === "pointerdown");

export function showPointer(on: boolean): void {
  if (on === (ring !== null)) return;
  if (!on) {
    ring?.remove();
    ring = null;
    removeEventListener("pointermove", follow);
    removeEventListener("pointerdown", press);
    removeEventListener("pointerup", press);
    return;
  }
  ring = document.createElement("div");
  ring.className = "pointer-ring";
  ring.hidden = true;
  ring.setAttribute("aria-hidden", "true");
  document.body.append(ring);
  addEventListener("pointermove", follow);
  addEventListener("pointerdown", press);
  addEventListener("pointerup", press);
}
