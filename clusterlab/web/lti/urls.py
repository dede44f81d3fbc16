"""Addresses of LTI."""

from django.urls import path

from clusterlab.web.lti import views

urlpatterns = [
    path("login", views.login, name="lti-login"),
    path("launch", views.launch, name="lti-launch"),
    path("keys", views.keys, name="lti-keys"),
]
