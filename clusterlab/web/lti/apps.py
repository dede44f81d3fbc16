"""The Django application of LTI."""

from django.apps import AppConfig


class LtiConfig(AppConfig):
    name = "clusterlab.web.lti"
    label = "lti"

    def ready(self) -> None:
        from clusterlab.web import lessons
        from clusterlab.web.classroom import looking
        from clusterlab.web.labs.host import host
        from clusterlab.web.lti import grades

        lessons.progress_keepers.append(grades.progressed)
        host.beside.append(grades.keep_sending)
        looking.finders.append(grades.progressed_by)
