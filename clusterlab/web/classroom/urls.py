"""Addresses of classes."""

from django.urls import path

from clusterlab.web.classroom import views

urlpatterns = [
    path("join", views.join, name="join"),
    path("join/<str:code>", views.join, name="join-code"),
    path("classes/", views.teach, name="classes"),
    path("classes/new", views.new, name="new-class"),
    path("classes/<slug:room_id>/", views.room, name="class"),
    path("classes/<slug:room_id>/lab", views.lab, name="class-lab"),
    path("classes/<slug:room_id>/labs/<slug:seat>", views.learner_lab, name="learner-lab"),
    path("classes/<slug:room_id>/code.svg", views.code_picture, name="code-picture"),
    path("classes/<slug:room_id>/report", views.report_page, name="report"),
    path("classes/<slug:room_id>/report.csv", views.report_csv, name="report-csv"),
    path("classes/<slug:room_id>/delete", views.delete, name="delete-class"),
    path("classes/<slug:room_id>/accept", views.accept, name="accept-class"),
    path("classes/<slug:room_id>/decline", views.decline, name="decline-class"),
    path("classes/<slug:room_id>/leave", views.leave, name="leave-class"),
]
