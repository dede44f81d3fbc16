"""Addresses of the page of releases and its comparison."""

from django.urls import path

from clusterlab.web import compare_api

urlpatterns = [
    path("releases/", compare_api.page, name="releases"),
    path("api/comparisons", compare_api.start),
    path("api/comparisons/<int:seed>", compare_api.state),
]
