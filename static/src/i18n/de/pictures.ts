// German for pictures of the stage within lesson text.
export const pictures: Record<string, string> = {
  "Go to this step": "Zu diesem Schritt gehen",
  "Show it on the stage": "Auf der Bühne zeigen",
  Enlarge: "Vergrößern",
  "This picture comes when it has happened.": "Dieses Bild kommt, wenn es geschehen ist.",
  now: "jetzt",
};
