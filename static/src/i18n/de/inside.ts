// German for requests that are followed and for nodes from inside. One entry a line, in the order of the alphabet.
export const inside: Record<string, string> = {
  Answer: "Antwort",
  "Below it": "Darunter",
  Containers: "Container",
  Disk: "Platte",
  Namespaces: "Namensräume",
  "One request, followed from its client over names, addresses and rules to the pod that answers, and on through the services that it calls.":
    "Eine Anfrage, verfolgt von ihrem Client über Namen, Adressen und Regeln bis zu dem Pod, der antwortet, und weiter durch die Services, die er fragt.",
  Processes: "Prozesse",
  Request: "Anfrage",
  Runtime: "Laufzeit",
  Send: "Senden",
  Socket: "Socket",
  Tools: "Werkzeuge",
  "connection refused": "Verbindung abgelehnt",
  from: "von",
  "no answer": "keine Antwort",
  "no such name": "kein solcher Name",
  to: "an",
  "{used} of {all}": "{used} von {all}",
};
