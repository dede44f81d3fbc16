// The stage: its graph of owners, pictures of it, what counts down on it.
export const picture: Record<string, string> = {
  "Nothing owns anything yet. A Deployment will own ReplicaSets, and these their pods.": "Noch besitzt nichts etwas. Ein Deployment wird ReplicaSets besitzen und diese ihre Pods.",
  "Laying out the graph …": "Der Graph wird ausgelegt …",
  "{count} not drawn": "{count} nicht gezeichnet",
};
