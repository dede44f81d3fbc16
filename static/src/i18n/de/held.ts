// German for requests that are held before the API server. One entry a line, in the order of the alphabet.
export const held: Record<string, string> = {
  "Held request": "Festgehaltene Anfrage",
  "Held requests": "Festgehaltene Anfragen",
  "It has gone on.": "Sie ist weitergegangen.",
  "It waits before the API server: nothing of it has happened yet.": "Sie wartet vor dem API-Server: Noch ist nichts davon geschehen.",
  "Let it go on": "Weitergehen lassen",
  "held before the API server: {what}": "festgehalten vor dem API-Server: {what}",
  waits: "wartet",
  "{count} held": "{count} festgehalten",
};
