"""Addresses of LTI."""

from django.urls import path

from clusterlab.web.lti import choosing, views

urlpatterns = [
    path("login", views.login, name="lti-login"),
    path("launch", views.launch, name="lti-launch"),
    path("choose/<str:name>", choosing.choose, name="lti-choose"),
    path("keys", views.keys, name="lti-keys"),
]
