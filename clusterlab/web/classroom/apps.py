"""The Django application of classes."""

from django.apps import AppConfig


class ClassroomConfig(AppConfig):
    name = "clusterlab.web.classroom"
    label = "classroom"

    def ready(self) -> None:
        from clusterlab.web import access, tidying
        from clusterlab.web.accounts import belongings
        from clusterlab.web.classroom import activity, deeds, keys, looking, opening, retention
        from clusterlab.web.labs.host import host

        belongings.forgetters.append(opening.forget)
        access.keyrings.append(keys.key_of)
        access.guests.append(keys.guest)
        access.hearers.append(activity.heard)
        host.beside.append(looking.look_on)
        looking.finders.append(belongings.keep_done)
        tidying.chores |= {"forgotten classes": retention.end_forgotten, "classes": retention.delete_old}
        deeds.begin()
