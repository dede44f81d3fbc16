"""The Django application of authors."""

from django.apps import AppConfig


class AuthoringConfig(AppConfig):
    name = "clusterlab.web.authoring"
    label = "authoring"

    def ready(self) -> None:
        from django.contrib.auth import get_user_model
        from django.contrib.auth.signals import user_logged_in

        from clusterlab.web import lessons, tidying
        from clusterlab.web.authoring import store

        tidying.chores["lessons of visitors"] = store.forget_orphans
        lessons.shelves.append(store.shelf_of)
        lessons.openers.append(store.ensure)
        lessons.more_lessons.append(store.shared_with)
        user_logged_in.connect(store.signed_in, sender=get_user_model(), dispatch_uid="take lessons along")
