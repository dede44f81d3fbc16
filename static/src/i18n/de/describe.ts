// German for what an object is described with. One entry a line, in the order of the alphabet.
export const describe: Record<string, string> = {
  "Container {name}": "Container {name}",
  "GET {path} on {port}": "GET {path} an {port}",
  available: "verfügbar",
  "connects to {port}": "verbindet sich mit {port}",
  "exit code {code}": "Exit-Code {code}",
  "for {seconds} s": "für {seconds} s",
  "node port {port}": "Node-Port {port}",
  "runs {command}": "führt {command} aus",
  "{count} characters, base64": "{count} Zeichen, base64",
  "{count} of {wanted}": "{count} von {wanted}",
  "{how}, every {seconds} s, {count} failures": "{how}, alle {seconds} s, {count} Fehlschläge",
  "{least} to {most}": "{least} bis {most}",
  "{path} from {volume}": "{path} aus {volume}",
  "{wanted} wanted, {there} there": "{wanted} gewünscht, {there} da",
};
