// What breaks, and webhooks.
export const faults: Record<string, string> = {
  "webhook": "Webhook",
  "runtime down": "Runtime steht",
  "certificate expired": "Zertifikat abgelaufen",
  "clock wrong": "Uhr falsch",
  "flooded: 429, come back later": "überflutet: 429, später wieder",
  "Set its clock ten minutes ahead": "Seine Uhr zehn Minuten vorstellen",
  "Let its certificate expire": "Sein Zertifikat ablaufen lassen",
  "Slow its disk down": "Seine Platte verlangsamen",
  "Flood it with requests": "Mit Anfragen überfluten",
  "The API server calls the webhook {name} at {pod}: {outcome}": "Der API-Server ruft den Webhook {name} bei {pod}: {outcome}",
  "nobody": "niemandem",
  "answered": "beantwortet",
  "refused or no answer": "abgelehnt oder keine Antwort",
};
