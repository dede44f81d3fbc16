// What breaks, and webhooks.
export const faults: Record<string, string> = {
  "webhook": "Webhook",
  "The API server calls the webhook {name} at {pod}: {outcome}": "Der API-Server ruft den Webhook {name} bei {pod}: {outcome}",
  "nobody": "niemandem",
  "answered": "beantwortet",
  "refused or no answer": "abgelehnt oder keine Antwort",
};
