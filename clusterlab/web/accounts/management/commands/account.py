"""`manage.py account NAME`: makes an account, or changes what it may do."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from clusterlab.web.accounts.links import password_link
from clusterlab.web.accounts.models import ADMINISTRATOR, INSTRUCTOR, LEARNER, User
from clusterlab.web.accounts.names import clean_name


class Command(BaseCommand):
    requires_system_checks: list[str] = []
    help = "Make an account, or change its role: manage.py account ada --role instructor"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--role", choices=[LEARNER, INSTRUCTOR, ADMINISTRATOR])
        parser.add_argument("--email", help="for an account that is made now, or to change it")
        parser.add_argument("--link", action="store_true", help="print a link with which the password can be set, once, within a day")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["name"]
        user = User.objects.filter(username=name).first()
        new = user is None
        if user is None:
            if clean_name(name) != name or "@" in name or " " in name:
                raise CommandError(f"{name!r} cannot be a name: use letters, digits and . + - _")
            user = User(username=name)
            user.set_unusable_password()
        if options["email"]:
            user.email = User.objects.normalize_email(options["email"])
            if User.objects.filter(email__iexact=user.email).exclude(pk=user.pk).exists():
                raise CommandError("another account has this e-mail address")
        if options["role"]:
            user.role = options["role"]
        user.save()
        self.stdout.write(f"{name}: {user.role}")
        if new or options["link"]:
            self.stdout.write(f"Set the password at {password_link(user)} (on this server, within a day)")
