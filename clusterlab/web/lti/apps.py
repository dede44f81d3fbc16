"""The Django application of LTI."""

from django.apps import AppConfig


class LtiConfig(AppConfig):
    name = "clusterlab.web.lti"
    label = "lti"

    def ready(self) -> None:
        from clusterlab.web import lessons, tidying
        from clusterlab.web.classroom import looking
        from clusterlab.web.labs.host import host
        from clusterlab.web.lti import courses, grades, platforms

        tidying.chores |= {"logins of platforms": platforms.forget_old, "courses": courses.forget_old}
        lessons.progress_keepers.append(grades.progressed)
        host.beside.append(grades.keep_sending)
        looking.finders.append(grades.progressed_by)
