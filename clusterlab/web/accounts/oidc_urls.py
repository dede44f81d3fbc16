"""Addresses of the sign-in with OpenID Connect; included only where a provider is configured."""

from django.urls import include, path

from clusterlab.web.accounts import oidc

urlpatterns = [
    path("", include("allauth.socialaccount.providers.openid_connect.urls")),
    path("oidc/cancelled", oidc.refused, name="socialaccount_login_cancelled"),
    path("oidc/error", oidc.refused, name="socialaccount_login_error"),
    path("oidc/signup", oidc.refused, name="socialaccount_signup"),
    path("oidc/connections", oidc.to_sign_in, name="socialaccount_connections"),
    path("oidc/sign-in", oidc.to_sign_in, name="account_login"),
    path("oidc/sign-up", oidc.to_sign_in, name="account_signup"),
    path("oidc/sign-out", oidc.to_sign_in, name="account_logout"),
    path("oidc/inactive", oidc.refused, name="account_inactive"),
    path("oidc/reauthenticate", oidc.to_sign_in, name="account_reauthenticate"),
]
