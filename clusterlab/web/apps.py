"""The Django application."""

from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "clusterlab.web"
    label = "web"
