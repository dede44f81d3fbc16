// German for the probes on the cards of pods. One entry a line, in the order of the alphabet.
export const probes: Record<string, string> = {
  fails: "scheitert",
  "probes: startup, liveness, readiness": "Probes: Startup, Liveness, Readiness",
  succeeds: "gelingt",
};
