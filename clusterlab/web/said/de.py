"""German for messages; see the package. In the order of the alphabet within each part."""

from clusterlab.web.said.de_lessons import AUTHORING
from clusterlab.web.said.de_terminal import TERMINAL

__all__ = ["GERMAN"]

_LABS = {
    "a breakpoint is a condition, or {condition, on}": "ein Haltepunkt ist eine Bedingung oder {condition, on}",
    "a lab has at most {0} nodes here, not {1}": "ein Labor hat hier höchstens {0} Nodes, nicht {1}",
    "a lab has at most {0} replay links; delete one": "ein Labor hat höchstens {0} Links zum Wiedergeben; löschen Sie einen",
    "a lab has at most {0} steps here, not {1}": "ein Labor hat hier höchstens {0} Schritte, nicht {1}",
    "as many browsers watch this lab as may; try again later":
        "diesem Labor sehen so viele Browser zu, wie dürfen; versuchen Sie es später wieder",
    "breakpoints must be a list of at most {0}": "breakpoints muss eine Liste von höchstens {0} sein",
    "commands must stand in the order of their times": "commands müssen in der Reihenfolge ihrer Zeiten stehen",
    "fault must be an object with kind and target": "ein Fehler hat eine Art und ein Ziel (kind und target)",
    "instructors publish lessons: sign in with an account that may teach":
        "Lektionen veröffentlichen Lehrende: Melden Sie sich mit einem Konto an, das unterrichten darf",
    "lens must be one of {0}": "die Ansicht muss eine von {0} sein",
    "mode must be one of {0}": "mode muss eines von {0} sein",
    "the host of this lab is away": "der Rechner dieses Labors ist weg",
    "no container of {0} runs at the moment: let the cluster run until one does":
        "im Augenblick läuft kein Container von {0}: Lassen Sie den Cluster laufen, bis einer läuft",
    "no lab host answers at the moment; try again in a few seconds":
        "im Augenblick antwortet kein Rechner mit Laboren; versuchen Sie es in einigen Sekunden wieder",
    "no step has touched {0}": "kein Schritt hat {0} berührt",
    "{0} was there before the first step": "{0} war schon vor dem ersten Schritt da",
    "object is written as pods/default/NAME, or nodes/NAME": "ein Objekt schreibt man als pods/default/NAME oder nodes/NAME",
    "secrets are shown to those who hold the lab's key": "Secrets sieht nur, wer den Schlüssel des Labors hat",
    "port must be a number between 1 and 65535": "port muss eine Zahl von 1 bis 65535 sein",
    "scenario must be a name or an object": "scenario muss ein Name oder ein Objekt sein",
    "the body is larger than {0} bytes": "der Inhalt ist größer als {0} Bytes",
    "the body is not JSON: {0}": "der Inhalt ist kein JSON: {0}",
    "the body must be a JSON object": "der Inhalt muss ein JSON-Objekt sein",
    "the commands of this file cannot be done again: {0}: {1}": "die Befehle dieser Datei lassen sich nicht wiederholen: {0}: {1}",
    "the CSRF token is missing or wrong: send X-CSRFToken, or the lab's key as a bearer token":
        "das CSRF-Token fehlt oder ist falsch: Laden Sie die Seite neu, oder senden Sie X-CSRFToken oder den Schlüssel "
        "des Labors als Bearer-Token",
    "the lab has come here; ask again": "das Labor ist hierher umgezogen; versuchen Sie es noch einmal",
    "the scheduler has not decided on a pod {0} (write NAMESPACE/NAME)":
        "der Scheduler hat über keinen Pod {0} entschieden (schreiben Sie NAMESPACE/NAME)",
    "there is no fault {0}": "es gibt keinen Fehler {0}",
    "there is no pod with the labels {0} yet: let the cluster run until one comes":
        "noch gibt es keinen Pod mit den Labels {0}: Lassen Sie den Cluster laufen, bis einer kommt",
    "there is no lab {0}": "es gibt kein Labor {0}",
    "there is no lab {0} to compare with": "es gibt kein Labor {0} zum Vergleichen",
    "there is no node {0}": "es gibt keinen Node {0}",
    "there is no node {0}; there are {1}": "es gibt keinen Node {0}; es gibt {1}",
    "there is no object {0}": "es gibt kein Objekt {0}",
    "there is no scenario called {0}": "es gibt kein Szenario namens {0}",
    "there is no step {0}: the timeline goes from 0 to {1}": "es gibt keinen Schritt {0}: Die Zeitleiste geht von 0 bis {1}",
    "there is no such lab": "ein solches Labor gibt es nicht",
    "there is no such lab; it may have expired": "ein solches Labor gibt es nicht; es kann abgelaufen sein",
    "there is nothing at this address": "unter dieser Adresse ist nichts",
    "this host has lost touch with the others; ask again":
        "dieser Rechner hat die Verbindung zu den anderen verloren; versuchen Sie es noch einmal",
    "{0} cannot befall {1}; it can befall: {2}": "{0} kann {1} nicht treffen; treffen kann es: {2}",
    "{0} is not available yet; available are {1}": "{0} gibt es noch nicht; es gibt {1}",
    "The steps before this lab was woken could not be worked out again; it can be sought from there on.":
        "Die Schritte, bevor dieses Labor geweckt wurde, ließen sich nicht noch einmal berechnen; von da an kann man sich darin bewegen.",
    "The API server refused what the scenario brings: {0} (and {1} more)":
        "Der API-Server hat abgelehnt, was das Szenario mitbringt: {0} (und {1} weitere)",
    "The API server refused what the scenario brings: {0}":
        "Der API-Server hat abgelehnt, was das Szenario mitbringt: {0}",
    "This lab was made by another version of clusterlab. Its commands were done again in this one: step numbers may be others.":
        "Dieses Labor stammt aus einer anderen Version von clusterlab. Seine Befehle wurden in dieser noch einmal ausgeführt: "
        "Die Nummern der Schritte können andere sein.",
    "This lab was made by another version of clusterlab. Its commands were done again in this one, and things went another way: "
    "it stands at step {0}, where it stood at step {1}.":
        "Dieses Labor stammt aus einer anderen Version von clusterlab. Seine Befehle wurden in dieser noch einmal ausgeführt, und es kam "
        "anders: Es steht bei Schritt {0}, wo es bei Schritt {1} stand.",
    "code must be a number between 0 and 255": "code muss eine Zahl von 0 bis 255 sein",
    "kubectl could not be run: {0}": "kubectl ließ sich nicht ausführen: {0}",
    "this comes from another site's page": "das kommt von der Seite einer anderen Website",
    "this lab has just gone to sleep; ask again": "dieses Labor ist gerade eingeschlafen; versuchen Sie es noch einmal",
    "you may watch this lab just now, not change it": "gerade dürfen Sie diesem Labor zusehen, es aber nicht ändern",
    "this is no checkpoint": "das ist kein Checkpoint",
    "this is no lab: a lab's file has \"format\": \"{0}\"": "das ist kein Labor: In der Datei eines Labors steht \"format\": \"{0}\"",
    "no request {0} is held; it may have gone on": "Keine Anfrage {0} wird festgehalten; vielleicht ging sie weiter",
    "this lab has gone {0} steps, as many as it may: go back, reset it, or start a new one":
        "dieses Labor ist {0} Schritte gegangen, so viele, wie es darf: Gehen Sie zurück, setzen Sie es zurück oder beginnen Sie ein neues",
    "this lab has no replay link {0}": "dieses Labor hat keinen Link zum Wiedergeben {0}",
    "this lab has {0} open streams, as many as it may; close some":
        "dieses Labor hat {0} offene Streams, so viele, wie es darf; schließen Sie einige",
    "this lab is with another host; ask again": "dieses Labor ist bei einem anderen Rechner; versuchen Sie es noch einmal",
    "this lab was written in version {0} of the format; this server reads version {1}":
        "dieses Labor ist in Version {0} des Formats geschrieben; dieser Server liest Version {1}",
    "this lab's commands are more than the {0} MB that a link keeps; export it as a file":
        "die Befehle dieses Labors sind mehr als die {0} MB, die ein Link aufbewahrt; sichern Sie es als Datei",
    "this lab's commands hold more than {0} MB": "die Befehle dieses Labors umfassen mehr als {0} MB",
    "this server does not serve labs over TLS: it was told not to (CLUSTERLAB_TLS_PORT=0), or the port was taken; its log says which":
        "dieser Server bietet Labore nicht über TLS an: Es ist abgeschaltet (CLUSTERLAB_TLS_PORT=0), oder der Port war belegt; was es ist, "
        "sagt sein Log",
    "this lab's key is needed: send it as a bearer token":
        "dafür braucht es den Schlüssel dieses Labors: Nur wer es gestartet hat, kann es ändern",
    "this met an internal error; try again": "hier gab es einen internen Fehler; versuchen Sie es noch einmal",
    "this process takes no labs; ask again": "dieser Prozess nimmt keine Labore an; versuchen Sie es noch einmal",
    "this server has as many labs as it may; try again later":
        "dieser Server hat so viele Labore, wie er darf; versuchen Sie es später wieder",
    "too many commands are under way; wait for some to end": "zu viele Befehle sind unterwegs; warten Sie, bis einige fertig sind",
    "too many labs that do not exist were asked for from your address; wait a minute":
        "von Ihrer Adresse wurde nach zu vielen Laboren gefragt, die es nicht gibt; warten Sie eine Minute",
    "too many new labs came from your address; wait a minute":
        "von Ihrer Adresse kamen zu viele neue Labore; warten Sie eine Minute",
    "too many requests wait for this lab already; slow down": "auf dieses Labor warten schon zu viele Anfragen; langsamer, bitte",
    "too many runs wait for this lab already; pause it first": "auf dieses Labor warten schon zu viele Läufe; halten Sie es zuerst an",
    "unknown field {0}; known are {1}": "unbekanntes Feld {0}; bekannt sind {1}",
    "until must be \"settled\", \"step\", \"request\", {\"time\": ms}, {\"seq\": n} or {\"condition\": text}":
        "until muss \"settled\", \"step\", \"request\", {\"time\": ms}, {\"seq\": n} oder {\"condition\": Text} sein",
    "use {0} here": "benutzen Sie hier {0}",
    "you have {0} labs, as many as one visitor may; reset one instead":
        "Sie haben {0} Labore, so viele, wie ein Besucher darf; setzen Sie stattdessen eines zurück",
    "you may watch this lab, not change it": "Sie dürfen diesem Labor zusehen, es aber nicht ändern",
    "{0} has at most {1} characters": "{0} hat höchstens {1} Zeichen",
    "{0} must be a number from {1} to {2}": "{0} muss eine Zahl von {1} bis {2} sein",
    "{0} must be a text of at most {1} characters": "{0} muss ein Text von höchstens {1} Zeichen sein",
    "{0} must be a whole number": "{0} muss eine ganze Zahl sein",
    "line must be a text of at most 4,000 characters": "eine Zeile hat höchstens 4.000 Zeichen",
    "name must be a text of at most 80 characters": "der Name hat höchstens 80 Zeichen",
    "seed goes from 0 to 2^53": "der Seed geht von 0 bis 2^53",
    "other comparisons are being run; wait for them": "andere Vergleiche laufen gerade; warten Sie auf sie",
    "no comparison with the seed {0} was begun": "mit dem Seed {0} wurde kein Vergleich begonnen",
    "there is no chart {0}; there are {1}": "es gibt kein Diagramm {0}; es gibt {1}",
    "since is a whole number of seconds": "since ist eine ganze Zahl von Sekunden",
}
_CONDITIONS = {
    "a condition has at most {0} characters": "eine Bedingung hat höchstens {0} Zeichen",
    "a condition is a text such as: kind = Pod and status = Running":
        "eine Bedingung ist ein Text wie: kind = Pod and status = Running",
    "cannot read {0} at character {1}": "{0} bei Zeichen {1} lässt sich nicht lesen",
    "expected =, !=, >, >=, <, <= or ~ after {0}, not {1}": "nach {0} wird =, !=, >, >=, <, <= oder ~ erwartet, nicht {1}",
    "expected a closing bracket": "hier fehlt eine schließende Klammer",
    "expected a test at the end": "am Ende fehlt ein Vergleich",
    "expected a closing bracket at the end": "am Ende fehlt eine schließende Klammer",
    "expected an operator at the end": "am Ende fehlt ein Operator",
    "expected a value at the end": "am Ende fehlt ein Wert",
    "expected {0} at the end": "am Ende fehlt etwas ({0})",
    "expected the end or and/or at {0}": "bei {0} wird das Ende oder and/or erwartet",
    "too many brackets or nots": "zu viele Klammern oder not",
    "unknown field {0}; known are {1} and paths such as .spec.replicas":
        "unbekanntes Feld {0}; bekannt sind {1} und Pfade wie .spec.replicas",
    "{0} compares with a number, not {1}": "{0} vergleicht mit einer Zahl, nicht mit {1}",
}
_LESSONS = {
    "a folder's name has small letters, digits and dashes": "der Name eines Ordners besteht aus Kleinbuchstaben, Ziffern und Bindestrichen",
    "a zip has {0} bytes at most": "eine Zip-Datei hat höchstens {0} Bytes",
    "another lesson is being checked just now; try again in a moment":
        "gerade wird eine andere Lektion geprüft; versuchen Sie es gleich noch einmal",
    "audience must be private, class or all": "audience muss private, class oder all sein",
    "choice must be one of {0}": "die Antwort muss eine von {0} sein",
    "files must be an object of paths and texts": "files muss ein Objekt aus Pfaden und Texten sein",
    "lessons are followed by manage.py lesson serve": "Lektionen folgt manage.py lesson serve",
    "mend it first: {0}:{1}: {2}": "bringen Sie es zuerst in Ordnung: {0}:{1}: {2}",
    "the check came to no end; use manage.py lesson check":
        "die Prüfung kam zu keinem Ende; benutzen Sie manage.py lesson check",
    "the lesson {0} is not published": "die Lektion {0} ist nicht veröffentlicht",
    "there is a lesson {0} already; choose another name": "es gibt schon eine Lektion {0}; wählen Sie einen anderen Namen",
    "there is no lesson called {0}": "es gibt keine Lektion namens {0}",
    "no picture of this lesson shows that moment": "kein Bild dieser Lektion zeigt diesen Moment",
    "no picture of this lesson shows that step": "kein Bild dieser Lektion zeigt diesen Schritt",
    "notes must be an object of at most {0} texts": "notes muss ein Objekt aus höchstens {0} Texten sein",
    "notes must be an object of lessons and their notes": "notes muss ein Objekt aus Lektionen und ihren Notizen sein",
    "there is no note called {0}": "es gibt keine Notiz namens {0}",
    "{0}: must be a text of at most {1} characters, or null to forget it":
        "{0}: muss ein Text von höchstens {1} Zeichen sein, oder null, um ihn zu vergessen",
    "this lab belongs to no lesson": "dieses Labor gehört zu keiner Lektion",
    "this lesson has no such line": "diese Lektion hat keine solche Zeile",
    "begin must be a time such as 90s, or a condition": "begin muss eine Zeit wie 90s oder eine Bedingung sein",
    "begin: a lab runs ahead for {0} minutes at most": "begin: ein Labor läuft höchstens {0} Minuten voraus",
    "a lesson keeps at most {0} notes of {1} characters altogether": "eine Lektion behält höchstens {0} Notizen von zusammen {1} Zeichen",
    "the notes of {0} are longer than {1} characters": "die Notizen zu {0} sind länger als {1} Zeichen",
    "version must be from 1 to {0}: this file was written by a newer clusterlab":
        "version muss von 1 bis {0} gehen: Diese Datei hat eine neuere Fassung von clusterlab geschrieben",
    "this lesson has no manifest {0}": "diese Lektion hat kein Manifest {0}",
    "this lesson has no task {0}": "diese Lektion hat keine Aufgabe {0}",
    "this lesson has no version": "diese Lektion hat keine Version",
    "this lesson has no version {0}": "diese Lektion hat keine Version {0}",
    "this lesson has no {0} {1}": "diese Lektion hat kein {0} {1}",
    "this server does not run kubectl for its visitors; check the lesson with manage.py lesson check":
        "dieser Server führt kubectl nicht für seine Besucher aus; prüfen Sie die Lektion mit manage.py lesson check",
    "this server writes no folders for its visitors; take the zip":
        "dieser Server schreibt keine Ordner für seine Besucher; nehmen Sie die Zip-Datei",
    "you have no lesson {0}": "Sie haben keine Lektion {0}",
    "you have {0} lessons, as many as one may; delete one first":
        "Sie haben {0} Lektionen, so viele, wie man darf; löschen Sie zuerst eine",
    "This task is meant to be solved with {0}; kubectl {1} would be another way. Looking (get, describe, logs …) is always allowed, and "
    "after the task everything else is, too. You may also skip the task.":
        "Diese Aufgabe soll mit {0} gelöst werden; kubectl {1} wäre ein anderer Weg. Hinsehen (get, describe, logs …) "
        "ist immer erlaubt und "
        "nach der Aufgabe auch alles andere. Sie dürfen die Aufgabe auch überspringen.",
}
#: Most of what classes refuse goes through gettext where it arises.
_CLASSES = {
    "the lesson of this class has no such prediction": "die Lektion dieses Kurses hat keine solche Vorhersage",
    "the model cannot answer that from where the lab stands now: {0}":
        "von da, wo das Labor jetzt steht, kann das Modell das nicht beantworten: {0}",
    "you may watch just now, not change: your instructor decides":
        "gerade dürfen Sie zusehen, nicht ändern: Das entscheidet die Kursleitung",
}
_IMPORT = {
    "document {0} cannot be read: {1}": "Dokument {0} lässt sich nicht lesen: {1}",
    "document {0} has lists in lists in lists": "Dokument {0} hat Listen in Listen in Listen",
    "document {0} holds a {1} without a name": "Dokument {0} enthält etwas der Art {1} ohne Namen",
    "document {0} holds something without apiVersion, kind and metadata":
        "Dokument {0} enthält etwas ohne apiVersion, kind und metadata",
    "document {0} is no object with apiVersion, kind and metadata.name":
        "Dokument {0} ist kein Objekt mit apiVersion, kind und metadata.name",
    "document {0} is no object: an object has apiVersion, kind and metadata":
        "Dokument {0} ist kein Objekt: Ein Objekt hat apiVersion, kind und metadata",
    "namespace must be a name": "der Namespace muss ein Name sein",
    "text must be what kubectl get … -o yaml prints": "einzufügen ist, was kubectl get … -o yaml ausgibt",
    "the cluster does not make a scenario: {0}": "aus diesem Cluster wird kein Szenario: {0}",
    "the gallery has no {0}": "die Sammlung hat kein {0}",
    "the text is {0} characters long; at most {1} are read": "der Text ist {0} Zeichen lang; gelesen werden höchstens {1}",
    "there are more than {0} documents in it": "es sind mehr als {0} Dokumente darin",
    "there are more than {0} objects in it": "es sind mehr als {0} Objekte darin",
    "there is no Kubernetes object in it: paste what kubectl get … -o yaml prints":
        "es ist kein Kubernetes-Objekt darin: Fügen Sie ein, was kubectl get … -o yaml ausgibt",
    "there is no manifest in the text": "in dem Text ist kein Manifest",
    "{0} nodes are in it; at most {1} are modelled": "{0} Nodes sind darin; modelliert werden höchstens {1}",
    "{0} objects are in the text; at most {1} are taken": "{0} Objekte sind in dem Text; genommen werden höchstens {1}",
    "{0} objects would have to be applied; at most {1} are": "{0} Objekte wären anzuwenden; höchstens {1} werden es",
    # The report.
    "a node's own pod": "ein Pod, den ein Node selbst macht",
    "Helm's record of a release": "was Helm sich über ein Release merkt",
    "its ephemeral containers are left out": "seine ephemeren Container bleiben weg",
    "its finalizers ({0}) are left out: nobody here would take them away":
        "seine Finalizer ({0}) bleiben weg: Niemand hier nähme sie fort",
    "its volume is not in the text, so it gets another one, which is empty":
        "sein Volume steht nicht im Text, also bekommt es ein anderes, das leer ist",
    "it was being deleted there; here it stays": "es wurde dort gerade gelöscht; hier bleibt es",
    "objects are in it and it is not in the text, so it is made: {0}":
        "darin liegen Objekte, und es steht nicht im Text, also wird es gemacht: {0}",
    "it has done its work already; here it would do it again": "seine Arbeit ist schon getan; hier täte er sie noch einmal",
    "it has ended already": "er ist schon beendet",
    "it was not ready, so it loses its power after a second": "er war nicht bereit, also verliert er nach einer Sekunde den Strom",
    "its owner is not in the text, so it stands alone": "wem es gehört, steht nicht im Text, also steht es für sich",
    "its {0} makes it": "das macht, wem es gehört: {0}",
    "load balancers get addresses of the model's": "Load-Balancer bekommen Adressen des Modells",
    "no nodes are in the text: {0} are assumed, with 4 CPUs and 8Gi each":
        "im Text stehen keine Nodes: Angenommen werden {0}, mit je 4 CPUs und 8Gi",
    "no nodes are in the text: {0} are assumed, with 4 CPUs and 8Gi each, by the names that pods give":
        "im Text stehen keine Nodes: Angenommen werden {0}, mit je 4 CPUs und 8Gi, mit den Namen, die in den Pods stehen",
    "every value is the word \"masked\"": "jeder Wert ist das Wort „masked“",
    "Kubernetes {0} no longer serves {1} {2}": "Kubernetes {0} kennt {1} {2} nicht mehr",
    "named by pods and not in the text, so it is made without what it held: {0}":
        "Pods nennen es, und es steht nicht im Text, also wird es ohne seinen Inhalt gemacht: {0}",
    "this is no cluster that could be: {0}": "einen solchen Cluster kann es nicht geben: {0}",
    "{0} is no longer served: it is taken as {1}": "{0} gibt es nicht mehr: Es wird als {1} übernommen",
    "document {0} is no object: an object has apiVersion, kind and metadata; it is passed over":
        "Dokument {0} ist kein Objekt (apiVersion, kind und metadata); es wird übergangen",
    "document {0} holds something without apiVersion, kind and metadata; it is passed over":
        "Dokument {0} enthält etwas ohne apiVersion, kind und metadata; es wird übergangen",
    "document {0} holds a {1} without a name; it is passed over": "Dokument {0} enthält {1} ohne Namen; es wird übergangen",
    "refused": "abgelehnt",
    "the model has Kubernetes' own roles": "das Modell hat die eigenen Roles von Kubernetes",
    "the model has its own system components": "das Modell hat eigene Systemkomponenten",
    "the model has no {0} {1}, and its definition is not in the text":
        "das Modell hat kein {0} {1}, und dessen Definition steht nicht im Text",
    "the model has one control-plane node; its etcd has as many members":
        "das Modell hat einen Control-Plane-Node; sein etcd hat ebenso viele Mitglieder",
    "the model makes its own": "das macht das Modell selbst",
    "the model's control-plane node stands for it": "für ihn steht der Control-Plane-Node des Modells",
    "tokens are the cluster's own": "Tokens sind Sache des Clusters",
    "webhooks cannot be called from here; what they would change or refuse is not modelled":
        "Webhooks lassen sich von hier nicht rufen; was sie ändern oder ablehnen würden, ist nicht modelliert",
    "cannot be pulled, as it did there; all other images run well":
        "lässt sich nicht laden, wie dort; alle anderen Images laufen gut",
    "exits with {0} after {1}, as it did there; all other images run well":
        "endet nach {1} mit {0}, wie dort; alle anderen Images laufen gut",
}
_INSIDE = {
    "from must be \"cluster\", \"outside\", the name of a node, or a pod as NAMESPACE/NAME that runs now":
        "from muss \"cluster\", \"outside\", der Name eines Nodes oder ein Pod als NAMESPACE/NAME sein, der gerade läuft",
    "headers must be an object of texts": "headers muss ein Objekt aus Texten sein",
    "method must be one of {0}": "die Methode muss eine von {0} sein",
    "url must be an address such as \"http://web.default.svc/\", at most {0} characters":
        "die Adresse muss so aussehen: \"http://web.default.svc/\", höchstens {0} Zeichen",
    "{0} has no field {1}; ask as in kind=apps/v1/Deployment&path=spec.replicas":
        "{0} hat kein Feld {1}; fragen Sie wie in kind=apps/v1/Deployment&path=spec.replicas",
    "{0} is not known; known are {1}": "{0} ist nicht bekannt; bekannt sind {1}",
}

#: All of it.
GERMAN = {**_LABS, **_CONDITIONS, **_LESSONS, **_CLASSES, **_IMPORT, **_INSIDE, **AUTHORING, **TERMINAL}
