"""The Django application."""

from django.apps import AppConfig
from django.db.models.signals import post_delete


class WebConfig(AppConfig):
    name = "clusterlab.web"
    label = "web"

    def ready(self) -> None:
        from clusterlab.web.labs.host import host
        from clusterlab.web.models import Lab
        from clusterlab.web.tidying import keep_tidy

        host.beside.append(keep_tidy)

        post_delete.connect(_forget_files, sender=Lab)


def _forget_files(instance, **_) -> None:  # type: ignore[no-untyped-def]
    """A lab's folder goes with the lab."""
    from clusterlab.web.terminal.files import forget

    forget(instance.pk)
