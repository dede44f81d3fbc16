// German for the titles of the gallery of manifests (clusterlab/web/gallery).
export const gallery: Record<string, string> = {
  "A Deployment and its Service": "Ein Deployment und sein Service",
  "A guest list: a web front end, a leader and two followers": "Eine Gästeliste: ein Web-Frontend, ein Leader und zwei Follower",
  "Every type of Service before the same pods": "Jede Art von Service vor denselben Pods",
  "A StatefulSet with a volume for each pod": "Ein StatefulSet mit einem Volume für jeden Pod",
  "A Job that works through five pieces, two at a time": "Ein Job, der fünf Stücke abarbeitet, je zwei zugleich",
  "A CronJob, every minute": "Ein CronJob, jede Minute",
  "A DaemonSet on every node, the control plane too": "Ein DaemonSet auf jedem Node, auch auf der Control Plane",
  "A HorizontalPodAutoscaler on CPU": "Ein HorizontalPodAutoscaler nach CPU",
  "Network policies: nobody in, but the front end to the back end": "Network Policies: niemand hinein, außer dem Frontend zum Backend",
  "RBAC: an account that may read pods and nothing else": "RBAC: ein Konto, das Pods lesen darf und sonst nichts",
  "Blue and green: change the Service's selector to switch": "Blau und Grün: Der Selektor des Service schaltet um",
  "A canary: one pod in ten is new": "Ein Canary: Einer von zehn Pods ist neu",
  "Settings and a secret in a pod: as variables and as files": "Einstellungen und ein Geheimnis in einem Pod: als Variablen und als Dateien",
  "An Ingress with two paths": "Ein Ingress mit zwei Pfaden",
  "Pods spread over nodes, and a budget for their disruption": "Pods auf Nodes verteilt, und ein Budget für ihre Unterbrechung",
};
