"""The Django application of accounts."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "clusterlab.web.accounts"
    label = "accounts"

    def ready(self) -> None:
        from clusterlab.web import access, lesson_notes, lessons
        from clusterlab.web.accounts import belongings

        access.keyrings.append(belongings.key_of)
        access.keepers.append(belongings.keep_key)
        lessons.progress_keepers.append(belongings.keep_progress)
        lessons.progress_sources.append(belongings.known_progress)
        lesson_notes.holders.append(belongings.holder_of)
        belongings.listen()
