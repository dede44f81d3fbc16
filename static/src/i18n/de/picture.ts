// The stage: its graph of owners, pictures of it, what counts down on it.
export const picture: Record<string, string> = {
  "Nothing owns anything yet. A Deployment will own ReplicaSets, and these their pods.": "Noch besitzt nichts etwas. Ein Deployment wird ReplicaSets besitzen und diese ihre Pods.",
  "Laying out the graph …": "Der Graph wird ausgelegt …",
  "save the picture (PNG)": "das Bild speichern (PNG)",
  "save the drawing (SVG)": "die Zeichnung speichern (SVG)",
  "Picture (PNG)": "Bild (PNG)",
  "Drawing (SVG)": "Zeichnung (SVG)",
  "What the stage shows now, with a title and a caption.": "Was die Bühne jetzt zeigt, mit Titel und Bildunterschrift.",
  "{count} not drawn": "{count} nicht gezeichnet",
};
