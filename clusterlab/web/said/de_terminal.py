"""German for what the terminal's own commands say."""

__all__ = ["TERMINAL"]

TERMINAL = {
    "a line is under way; Ctrl-C ends it": "eine Zeile läuft noch; Strg-C beendet sie",
    "columns and rows must be whole numbers": "columns und rows müssen ganze Zahlen sein",
    "kubectl {0} needs a terminal of your own: use the line under Connect":
        "kubectl {0} braucht ein eigenes Terminal: Benutzen Sie die Zeile unter „Verbinden“",
    "the line cannot be read: {0}": "die Zeile lässt sich nicht lesen: {0}",
    "this lab has as many terminals open as it may; close one":
        "dieses Labor hat so viele Terminals offen, wie es darf; schließen Sie eines",
    "this lab is in another process; load the page again": "dieses Labor ist in einem anderen Prozess; laden Sie die Seite neu",
    "this lab runs {0} programs already; end some": "dieses Labor führt schon {0} Programme aus; beenden Sie einige",
    "this server does not run kubectl for its visitors; use your own with the line under Connect":
        "dieser Server führt kubectl nicht für seine Besucher aus; benutzen Sie Ihr eigenes mit der Zeile unter „Verbinden“",
    "this server runs as many programs as it may; try again soon":
        "dieser Server führt so viele Programme aus, wie er darf; versuchen Sie es bald wieder",
    "too many commands of this lab wait already": "es warten schon zu viele Befehle dieses Labors",
    "write a kubectl command, such as: kubectl get pods": "schreiben Sie einen kubectl-Befehl, etwa: kubectl get pods",
    "write the command first, then {0}": "schreiben Sie zuerst den Befehl, dann {0}",
    "{0} is not for this command line: it always speaks to this lab":
        "{0} gehört nicht in diese Befehlszeile: Sie spricht immer mit diesem Labor",
    "{0} lies outside the lab's folder": "{0} liegt außerhalb des Ordners dieses Labors",
    "a line runs at most {0} commands": "eine Zeile führt höchstens {0} Befehle aus",
    "nothing but kubectl port-forward and kubectl proxy goes on in the background here: open another terminal for it (+)":
        "im Hintergrund laufen hier nur kubectl port-forward und kubectl proxy: Öffnen Sie dafür ein weiteres Terminal (+)",
    "command not found (help lists what there is)": "Befehl nicht gefunden (help zeigt, was es gibt)",
    "this cannot be done here ({0})": "das geht hier nicht ({0})",
    "no program can be started just now; it is tried again": "gerade kann kein Programm gestartet werden; es wird noch einmal versucht",
    "this line met an internal error": "bei dieser Zeile gab es einen internen Fehler",
    # Commands of clusterlab's own: what they print.
    "       because of": "       wegen",
    "nothing but routine is left to do": "zu tun ist nur noch Routine",
    "… {0} steps that are not shown": "… {0} Schritte, die nicht gezeigt werden",
    "step {0} of {1}, {2}, {3}, settled": "Schritt {0} von {1}, {2}, {3}, in Ruhe",
    "step {0} of {1}, {2}, {3}, something is left to do": "Schritt {0} von {1}, {2}, {3}, es ist noch etwas zu tun",
    "speed is a number of simulated seconds for each second, as in: play 10":
        "das Tempo ist eine Zahl simulierter Sekunden je Sekunde, wie in: play 10",
    "no faults": "keine Fehler",
    "there are no faults": "es gibt keine Fehler",
    "healed: {0}": "behoben: {0}",
    "fault {0} began; heal all, or heal and its name, takes it away":
        "Fehler {0} hat begonnen; heal all oder heal und sein Name nimmt ihn weg",
    "this step is marked on the timeline": "dieser Schritt ist auf der Zeitleiste gemerkt",
    "a new lab opens with the same past": "ein neues Labor mit derselben Vergangenheit öffnet sich",
    "breakpoint set; continue runs to it": "Haltepunkt gesetzt; continue läuft bis dorthin",
    "this is for the terminal in the lab's page": "das gibt es nur im Terminal auf der Seite des Labors",
    "usage: step [1 to {0}]": "Aufruf: step [1 bis {0}]",
    "usage: seek STEP, from 0 to {0}": "Aufruf: seek SCHRITT, von 0 bis {0}",
    "usage: why pod NAME, or deploy/NAME, or pods/NAMESPACE/NAME": "Aufruf: why pod NAME oder deploy/NAME oder pods/NAMESPACE/NAME",
    "usage: fault KIND [TARGET] [for=30s]; kinds: {0}": "Aufruf: fault ART [ZIEL] [for=30s]; Arten: {0}",
    "usage: fault KIND [TARGET] [for=30s] [latency=100ms] [loss=5%] …": "Aufruf: fault ART [ZIEL] [for=30s] [latency=100ms] [loss=5%] …",
    "usage: heal ID or all; fault lists them": "Aufruf: heal NAME oder all; fault zeigt sie",
    "usage: break CONDITION, as in: break kind = Pod and status = CrashLoopBackOff":
        "Aufruf: break BEDINGUNG, wie in: break kind = Pod and status = CrashLoopBackOff",
    "usage: until CONDITION, as in: until kind = Deployment and .status.readyReplicas >= 3":
        "Aufruf: until BEDINGUNG, wie in: until kind = Deployment and .status.readyReplicas >= 3",
    "usage: {0} FILE, which opens in the page's editor": "Aufruf: {0} DATEI, die im Editor der Seite aufgeht",
    "usage: ssh NODE COMMAND, with NODE one of {0}": "Aufruf: ssh NODE BEFEHL, mit NODE einem von {0}",
    "on a node there are {0}: write ssh {1} crictl ps": "auf einem Node gibt es {0}: Schreiben Sie ssh {1} crictl ps",
    "(on {0}; ssh NODE {1} looks at another node)": "(auf {0}; mit ssh NODE {1} sehen Sie auf einen anderen Node)",
    "kubectl here reaches this lab alone, not {0}: open that in your browser, paste its text into a file (vi FILE)":
        "kubectl erreicht hier nur dieses Labor, nicht {0}: Öffnen Sie das im Browser, und fügen Sie den Text in eine Datei ein (vi DATEI)",
    "what? For example: watch kubectl get pods": "was? Zum Beispiel: watch kubectl get pods",
    "-n takes seconds": "-n erwartet Sekunden",
    "{0} was left as it was": "{0} bleibt, wie es war",
    # help, line by line.
    "kubectl (or k)    the real one: get -w, logs -f, exec -it, edit, diff, port-forward, apply -f, rollout …; Tab completes":
        "kubectl (oder k)  das echte: get -w, logs -f, exec -it, edit, diff, port-forward, apply -f, rollout …; Tab ergänzt",
    "curl wget nslookup dig ping nc        from a client inside the cluster's network":
        "curl wget nslookup dig ping nc        von einem Client im Netz des Clusters aus",
    "ssh NODE COMMAND  on a node: crictl, systemctl and journalctl of the kubelet, iptables-save, ipvsadm, curl, nslookup, ping":
        "ssh NODE BEFEHL   auf einem Node: crictl, systemctl und journalctl des Kubelets, iptables-save, ipvsadm, curl, nslookup, ping",
    "step play pause back seek settle until status      the clock of this lab":
        "step play pause back seek settle until status      die Uhr dieses Labors",
    "break continue bookmark               breakpoints (break kind = Pod and status = CrashLoopBackOff)":
        "break continue bookmark               Haltepunkte (break kind = Pod and status = CrashLoopBackOff)",
    "why fault heal fork                   causes, faults, another future":
        "why fault heal fork                   Ursachen, Fehler, eine andere Zukunft",
    "vi nano FILE      opens a file in the page's editor": "vi nano DATEI     öffnet eine Datei im Editor der Seite",
    "Files live in /lab. Pipes, > < <<, ;, &&, ||, $(…), <(…), variables, functions and loops work as in bash. help COMMAND tells more.":
        "Dateien liegen in /lab. Pipes, > < <<, ;, &&, ||, $(…), <(…), Variablen, Funktionen und Schleifen gehen wie in bash. "
        "help BEFEHL sagt mehr.",
    "units are on the nodes: write ssh node-1 {0}": "Dienste laufen auf den Nodes: Schreiben Sie ssh node-1 {0}",
    "{0} is always there in this model; the kubelet can be stopped": "{0} ist in diesem Modell immer da; anhalten lässt sich das Kubelet",
    "further terminals open with + above this one": "weitere Terminals öffnet das + über diesem",
    "Filters and changes YAML, as mikefarah's yq does; comments are not kept.":
        "Filtert und ändert YAML, wie yq von mikefarah; Kommentare bleiben nicht erhalten.",
    "{0} is the usual command, as far as scripts need it. It works on /lab and on what is piped into it.":
        "{0} ist der übliche Befehl, soweit Skripte ihn brauchen. Er arbeitet auf /lab und auf dem, was ihm durch eine Pipe zufließt.",
    "there is no command {0}; help lists them": "es gibt keinen Befehl {0}; help zeigt, welche es gibt",
    "play [SPEED]": "play [TEMPO]",
    "seek STEP": "seek SCHRITT",
    "until CONDITION": "until BEDINGUNG",
    "break CONDITION": "break BEDINGUNG",
    "continue [CONDITION]": "continue [BEDINGUNG]",
    "why OBJECT": "why OBJEKT",
    "fault [KIND [TARGET] [for=30s] [OPTION=VALUE …]]": "fault [ART [ZIEL] [for=30s] [OPTION=WERT …]]",
    "heal ID|all": "heal NAME|all",
    "ssh NODE COMMAND …": "ssh NODE BEFEHL …",
    "watch [-n SECONDS] COMMAND": "watch [-n SEKUNDEN] BEFEHL",
    "alias [NAME='VALUE' …]": "alias [NAME='WERT' …]",
    "vi FILE   (or vim, nano)": "vi DATEI   (oder vim, nano)",
    "etcdctl COMMAND …": "etcdctl BEFEHL …",
    "Takes one step that matters, or N, and says what each did. Routine such as heartbeats is passed over.":
        "Geht einen Schritt, der zählt, oder N, und sagt, was jeder tat. Routine wie Heartbeats wird übergangen.",
    "Lets time run: SPEED simulated seconds for each second, as in: play 10":
        "Lässt die Zeit laufen: TEMPO simulierte Sekunden je Sekunde, wie in: play 10",
    "Stops time. kubectl is still answered; nobody in the cluster does anything until the next step.":
        "Hält die Zeit an. kubectl bekommt weiter Antworten; im Cluster tut bis zum nächsten Schritt niemand etwas.",
    "Goes back before the last step that matters. What came after is kept until something else is done.":
        "Geht vor den letzten Schritt zurück, der zählt. Was danach kam, bleibt, bis etwas anderes getan wird.",
    "Stands after that step, paused. `status` tells which step this is.":
        "Steht nach diesem Schritt, angehalten. `status` sagt, welcher Schritt das ist.",
    "Runs until nothing is left to do but routine, and says what happened last.":
        "Läuft, bis nur noch Routine zu tun ist, und sagt, was zuletzt geschah.",
    "Tells the step, the time, whether the lab plays, and whether something is left to do.":
        "Nennt den Schritt und die Zeit, und ob das Labor läuft und ob noch etwas zu tun ist.",
    "Runs until a step makes the condition true. The rest of the line is the condition, without quotes:":
        "Läuft, bis ein Schritt die Bedingung wahr macht. Der Rest der Zeile ist die Bedingung, ohne Anführungszeichen:",
    "Sets a breakpoint: whatever runs stops at the first step that makes the condition true.":
        "Setzt einen Haltepunkt: Was auch läuft, hält beim ersten Schritt an, der die Bedingung wahr macht.",
    "The Debug tab lists breakpoints.": "Haltepunkte stehen unter „Debugger“.",
    "Runs to the next breakpoint, or to the first step that makes the condition true.":
        "Läuft bis zum nächsten Haltepunkt oder bis zum ersten Schritt, der die Bedingung wahr macht.",
    "Marks the step that is on the stage on the timeline.": "Merkt den Schritt, der auf der Bühne ist, auf der Zeitleiste.",
    "Opens a new lab with the same past, for another future.":
        "Öffnet ein neues Labor mit derselben Vergangenheit, für eine andere Zukunft.",
    "Tells the chain of causes behind an object, the newest step first. OBJECT is written as for kubectl:":
        "Nennt die Kette der Ursachen hinter einem Objekt, den neuesten Schritt zuerst. OBJEKT schreibt man wie für kubectl:",
    "Breaks something; without words, tells what is broken.": "Macht etwas kaputt; ohne weitere Worte sagt es, was kaputt ist.",
    "Kinds: {0}": "Arten: {0}",
    "Options: {0}": "Optionen: {0}",
    "Takes a fault away, or all. `fault` lists them.": "Behebt einen Fehler, oder alle. `fault` zeigt sie.",
    "On a node there are crictl, iptables-save, ipvsadm, curl, wget, nslookup, dig, ping, nc.":
        "Auf einem Node gibt es crictl, iptables-save, ipvsadm, curl, wget, nslookup, dig, ping, nc.",
    "Runs a command again and again, until Ctrl-C.": "Führt einen Befehl immer wieder aus, bis Strg-C.",
    "Other words for the beginning of a command; they last as long as this terminal.":
        "Andere Worte für den Anfang eines Befehls; sie gelten, solange dieses Terminal offen ist.",
    "Opens a file of /lab in the page's editor; what is saved there is written.":
        "Öffnet eine Datei aus /lab im Editor der Seite; was dort gespeichert wird, wird geschrieben.",
    "The lines of this terminal. Up and down go through them, Ctrl-R searches.":
        "Die Zeilen dieses Terminals. Auf und ab geht durch sie, Strg-R sucht darin.",
    "The cluster's own etcd: get, put, del, watch, member list, endpoint status|health|hashkv, lease,":
        "Das etcd des Clusters selbst: get, put, del, watch, member list, endpoint status|health|hashkv, lease,",
    "The containers of the first worker; ssh NODE crictl looks at another node.":
        "Die Container des ersten Workers; mit ssh NODE crictl sehen Sie auf einen anderen Node.",
}
