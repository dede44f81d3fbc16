// German for the terminal, the manifest editor and the import. One entry a line, in the order of the alphabet.
export const terminal: Record<string, string> = {
  "Another terminal": "Noch ein Terminal",
  Cancel: "Abbrechen",
  "Close terminal {number}": "Terminal {number} schließen",
  Manifest: "Manifest",
  Save: "Speichern",
  Terminal: "Terminal",
  "Terminal {number}": "Terminal {number}",
  "The terminal could not be loaded; this is its plain form.": "Das Terminal konnte nicht geladen werden; dies ist seine einfache Form.",
  "This machine cannot confine programs, so kubectl runs with the rights of the server. It is offered because the server answers to this machine alone.": "Dieser Rechner kann Programme nicht einsperren, also läuft kubectl mit den Rechten des Servers. Es wird angeboten, weil der Server nur diesem Rechner antwortet.",
  "not confined": "nicht eingesperrt",
  "plain text": "einfacher Text",
  "screen reader": "Screenreader",
  send: "senden",
};
