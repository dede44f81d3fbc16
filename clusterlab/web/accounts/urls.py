"""Addresses of accounts."""

from django.conf import settings
from django.urls import include, path

from clusterlab.web.accounts import views

urlpatterns = [
    path("", views.account, name="account"),
    path("sign-in", views.SignIn.as_view(), name="sign-in"),
    path("sign-up", views.sign_up, name="sign-up"),
    path("sign-out", views.SignOut.as_view(), name="sign-out"),
    path("password", views.ChangePassword.as_view(), name="password"),
    path("reset", views.AskReset.as_view(), name="ask-reset"),
    path("reset/sent", views.ResetSent.as_view(), name="reset-sent"),
    path("reset/<str:uidb64>/<str:token>", views.Reset.as_view(), name="reset"),
    path("delete", views.delete, name="delete-account"),
    path("people", views.people, name="people"),
    path("people/role", views.set_role, name="set-role"),
]
if settings.OIDC:
    urlpatterns.append(path("", include("clusterlab.web.accounts.oidc_urls")))
