"""The Django application of classes."""

from django.apps import AppConfig


class ClassroomConfig(AppConfig):
    name = "clusterlab.web.classroom"
    label = "classroom"

    def ready(self) -> None:
        from clusterlab.web import access
        from clusterlab.web.accounts import belongings
        from clusterlab.web.classroom import activity, keys, opening

        belongings.forgetters.append(opening.forget)
        access.keyrings.append(keys.key_of)
        access.guests.append(keys.guest)
        access.hearers.append(activity.heard)
