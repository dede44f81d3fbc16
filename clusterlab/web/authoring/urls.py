"""Addresses of authors."""

from django.urls import path

from clusterlab.web.authoring import views

urlpatterns = [
    path("author/", views.page, name="author"),
    path("author/new", views.begin, name="author-new"),
    path("author/<slug:lesson_id>/lab", views.try_it, name="author-lab"),
    path("api/author/<slug:lesson_id>", views.files),
    path("api/author/<slug:lesson_id>/check", views.check),
    path("api/author/<slug:lesson_id>/versions", views.versions),
    path("api/author/<slug:lesson_id>/versions/<int:number>", views.version),
    path("api/author/<slug:lesson_id>/prove", views.prove),
    path("api/author/<slug:lesson_id>/publish", views.publish),
    path("api/author/<slug:lesson_id>/zip", views.package),
    path("api/author/<slug:lesson_id>/folder", views.folder),
    path("api/labs/<slug:lab_id>/lesson/text", views.text),
]
