// German for links that hold a cluster and what came with them. One entry a line, in the order of the alphabet.
export const tools: Record<string, string> = {
  "Link that holds the cluster": "Link, der den Cluster enthält",
  "The nodes and all that people made, in the link itself; it comes up anew on any server. Secrets are in it too.": "Die Nodes und alles, was Menschen angelegt haben, im Link selbst; auf jedem Server entsteht es neu. Auch Secrets sind darin.",
  "This address holds no cluster. The link may have been cut off: ask for it again.": "Diese Adresse enthält keinen Cluster. Vielleicht wurde der Link abgeschnitten: bitten Sie noch einmal darum.",
  "This cluster is too large for a link: save the lab as a file instead.": "Dieser Cluster ist zu groß für einen Link: speichern Sie das Lab stattdessen als Datei.",
  "This link is damaged: what it holds cannot be read. It may have been cut off on its way.": "Dieser Link ist beschädigt: was er enthält, lässt sich nicht lesen. Vielleicht wurde er unterwegs abgeschnitten.",
  "What this link holds is larger than a link may be.": "Was dieser Link enthält, ist größer, als ein Link sein darf.",
  "{nodes} workers and {objects} objects are in it.": "{nodes} Worker und {objects} Objekte sind darin.",
};
