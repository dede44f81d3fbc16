"""What is wrong with a lesson that somebody writes, in German: the messages of clusterlab/lessons that the author's editor shows."""

from __future__ import annotations

__all__ = ["AUTHORING"]

AUTHORING = {
    # where it is
    "step {0}:": "Schritt {0}:",
    "task {0}:": "Aufgabe {0}:",
    "task {0}, check {1}:": "Aufgabe {0}, Prüfung {1}:",
    "prediction {0}:": "Vorhersage {0}:",
    # loader
    "path must be one of {0}, not {1}": "path muss eines von {0} sein, nicht {1}",
    "longer than {0} characters; split it": "länger als {0} Zeichen; teilen Sie sie auf",
    "begin with front matter between lines of ---": "beginnen Sie mit einem Kopf zwischen Zeilen aus ---",
    "not YAML: {0}": "kein YAML: {0}",
    "must be a mapping of names to values": "muss Namen Werte zuordnen",
    "{0}; see docs/lessons.md": "{0}; siehe docs/lessons.md",
    "{0} is no field of it; see docs/lessons.md": "{0} ist kein Feld davon; siehe docs/lessons.md",
    "{0} is no field of it; did you mean {1}?; see docs/lessons.md": "{0} ist kein Feld davon; meinten Sie {1}? Siehe docs/lessons.md",
    "a check needs exactly one of {0}; this one has {1}; see docs/lessons.md":
        "eine Prüfung braucht genau eines von {0}; diese hat {1}; siehe docs/lessons.md",
    "{0} is a required property; see docs/lessons.md": "{0} fehlt; siehe docs/lessons.md",
    "{0} is not of type {1}; see docs/lessons.md": "{0} ist nicht vom Typ {1}; siehe docs/lessons.md",
    "{0} is not one of {1}; see docs/lessons.md": "{0} ist keines von {1}; siehe docs/lessons.md",
    "{0} was expected; see docs/lessons.md": "{0} wurde erwartet; siehe docs/lessons.md",
    "{0} is shorter than {1} character; see docs/lessons.md": "{0} ist kürzer als {1} Zeichen; siehe docs/lessons.md",
    "{0} is longer than {1} characters; see docs/lessons.md": "{0} ist länger als {1} Zeichen; siehe docs/lessons.md",
    "has no step; begin each one with a heading of level two (## …)":
        "hat keinen Schritt; beginnen Sie jeden mit einer Überschrift der zweiten Ebene (## …)",
    "the id {0} is taken; each one must be different": "die id {0} ist vergeben; jede muss eine andere sein",
    "write the file's name after manifest, as ```manifest web.yaml":
        "schreiben Sie den Namen der Datei hinter manifest, etwa ```manifest web.yaml",
    "there is no manifests/{0}; make it, or write the YAML into the block":
        "es gibt kein manifests/{0}; legen Sie es an, oder schreiben Sie das YAML in den Block",
    "{0} is not YAML: {1}": "{0} ist kein YAML: {1}",
    # verifier, what is written
    "the prerequisite {0} is no lesson; name a folder of {1}/": "die Voraussetzung {0} ist keine Lektion; nennen Sie einen Ordner von {1}/",
    "```{0} is shown as code; did you mean {1}?": "```{0} wird als Code gezeigt; meinten Sie {1}?",
    "asks nothing: add a predict or a quiz block": "fragt nichts: Fügen Sie einen Block predict oder quiz ein",
    "has no task: add one, so that the learner does something": "hat keine Aufgabe: Fügen Sie eine ein, damit Lernende etwas tun",
    "{0} leads to no lesson; name a folder of {1}/": "{0} führt zu keiner Lektion; nennen Sie einen Ordner von {1}/",
    "link to https://… or lesson:NAME": "verweisen Sie auf https://… oder lesson:NAME",
    "a picture lies in the lesson's folder as images/NAME.png, .svg or .webp; for the stage, use a stage block":
        "ein Bild liegt im Ordner der Lektion als images/NAME.png, .svg oder .webp; für die Bühne gibt es den Block stage",
    "there is no {0}; put the picture there": "es gibt kein {0}; legen Sie das Bild dort ab",
    "{0} has no words; say what it shows between the brackets, for those who do not see it":
        "{0} hat keine Worte; sagen Sie zwischen den Klammern, was es zeigt, für alle, die es nicht sehen",
    "quiz {0} has {1} right answers; mark exactly one with right":
        "quiz {0} hat {1} richtige Antworten; kennzeichnen Sie genau eine mit right",
    "quiz {0} offers a choice twice": "quiz {0} bietet eine Antwort zweimal an",
    "predict {0} offers a choice twice": "predict {0} bietet eine Antwort zweimal an",
    "the feedback to {0} calls it right, and it is not marked so":
        "die Rückmeldung zu {0} nennt sie richtig, und sie ist nicht so gekennzeichnet",
    "the choice {0} has no feedback; say why it is right or wrong":
        "die Antwort {0} hat keine Rückmeldung; sagen Sie, warum sie richtig oder falsch ist",
    "its solution {0} uses a verb that allow does not name ({1})": "ihre Lösung {0} benutzt ein Verb, das allow nicht nennt ({1})",
    "stage has no text; say in a sentence what there is to see, for those who do not see it as well":
        "stage hat keinen text; sagen Sie in einem Satz, was es zu sehen gibt, für alle, die es nicht gut sehen",
    "run has no command": "run hat keinen Befehl",
    "a task cannot stand inside {0}": "eine Aufgabe kann nicht in {0} stehen",
    "a check of an object needs a field, or exists": "eine Prüfung eines Objekts braucht field oder exists",
    "a check needs one of {0}": "eine Prüfung braucht eines von {0}",
    "an object is written as pods/default/NAME or nodes/NAME": "ein Objekt schreibt man als pods/default/NAME oder nodes/NAME",
    # verifier, what was played
    "task {0} is done before its step begins; ask for what is so only then, as with happened":
        "die Aufgabe {0} ist erledigt, bevor ihr Schritt beginnt; fragen Sie nach etwas, das erst dann so ist, etwa mit happened",
    "task {0} is done before its solution; ask for something that is not so yet":
        "die Aufgabe {0} ist vor ihrer Lösung erledigt; fragen Sie nach etwas, das noch nicht so ist",
    "after its solution the check {0} still fails": "nach ihrer Lösung scheitert die Prüfung {0} noch",
    "{0} does not begin with kubectl or etcdctl; the page's command line knows nothing else":
        "{0} beginnt nicht mit kubectl oder etcdctl; etwas anderes kennt die Befehlszeile der Seite nicht",
    "{0} was to fail and did not; take the word fails away": "{0} sollte scheitern und tat es nicht; nehmen Sie das Wort fails weg",
    "{0} was to show {1} and said": "{0} sollte {1} zeigen und sagte",
    "the model's answer is {0}, which is not among {1}": "die Antwort des Modells ist {0}, und die steht nicht unter {1}",
    "no step of this lesson has met {0} by the end of this step":
        "bis zum Ende dieses Schritts hat kein Schritt dieser Lektion {0} erfüllt",
    "no step of this lesson met {0}": "kein Schritt dieser Lektion erfüllte {0}",
    "selects {0}, which was never there": "wählt {0} aus, und das gab es nie",
    # translations of lessons
    "{0} stands in lesson.md only; a translation has {1}": "{0} steht nur in lesson.md; eine Übersetzung hat {1}",
    "has {0} steps (## …), and lesson.md has {1}": "hat {0} Schritte (## …), und lesson.md hat {1}",
    "here lesson.md has a {0} block, not {1}": "hier hat lesson.md einen Block {0}, nicht {1}",
    "what runs stands in lesson.md; leave this block empty, or repeat it exactly":
        "was läuft, steht in lesson.md; lassen Sie diesen Block leer, oder wiederholen Sie es genau",
    "lesson.md has changed since it was translated": "lesson.md hat sich geändert, seit es übersetzt wurde",
    "bring this up to date, then write of": "bringen Sie dies auf den Stand, und schreiben Sie dann of",
}
