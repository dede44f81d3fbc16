"""Django settings. Everything that a deployment may want to change comes from the environment; the defaults serve loopback."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent.parent
VAR_DIR = Path(os.environ.get("CLUSTERLAB_VAR", BASE_DIR / "var"))
VAR_DIR.mkdir(parents=True, exist_ok=True)


def _secret_key() -> str:
    """The configured key, or one made for this checkout and kept beside the database."""
    configured = os.environ.get("CLUSTERLAB_SECRET_KEY")
    if configured:
        return configured
    path = VAR_DIR / "secret-key"
    if not path.exists():
        from django.core.management.utils import get_random_secret_key

        # Several processes may start at once: whoever is first decides, and no one reads half a key.
        made = path.with_suffix(f".{os.getpid()}")
        made.touch(mode=0o600)
        made.write_text(get_random_secret_key())
        with suppress(FileExistsError):
            os.link(made, path)
        made.unlink()
    return path.read_text()


DEBUG = False
SECRET_KEY = _secret_key()
ALLOWED_HOSTS = os.environ.get("CLUSTERLAB_HOSTS", "127.0.0.1,localhost,[::1]").split(",")
HTTPS = os.environ.get("CLUSTERLAB_HTTPS", "") == "1"
CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in ALLOWED_HOSTS] if HTTPS else []
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
if HTTPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

INSTALLED_APPS = [
    "daphne",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "channels",
    "clusterlab.web",
    "clusterlab.web.accounts",
    "clusterlab.web.classroom",
    "clusterlab.web.authoring",
    "clusterlab.web.lti",
]
MIDDLEWARE = [
    "clusterlab.web.middleware.probes",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "clusterlab.web.middleware.content_security_policy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "clusterlab.web.urls"
ASGI_APPLICATION = "clusterlab.web.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {"context_processors": ["django.template.context_processors.request", "django.template.context_processors.i18n"]},
    }
]
DATABASES: dict[str, Any] = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("CLUSTERLAB_DB", VAR_DIR / "clusterlab.sqlite3"),
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            # A commit survives the death of the process; only the death of the whole machine may cost the last moments.
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }
}
if os.environ.get("DATABASE_URL"):
    DATABASES["default"] = dj_database_url.parse(os.environ["DATABASE_URL"], conn_max_age=60, conn_health_checks=True)
    if DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
        DATABASES["default"]["ENGINE"] = "clusterlab.web.postgres"
REDIS_URL = os.environ.get("REDIS_URL", "")
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
LOGIN_URL, LOGIN_REDIRECT_URL, LOGOUT_REDIRECT_URL = "/accounts/sign-in", "/accounts/", "/"
# OpenSSL's scrypt lets other threads go on meanwhile.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.ScryptPasswordHasher", "django.contrib.auth.hashers.PBKDF2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}Validator", "OPTIONS": options}
    for name, options in (
        ("UserAttributeSimilarity", {"user_attributes": ("username", "email")}), ("MinimumLength", {"min_length": 10}),
        ("CommonPassword", {}), ("NumericPassword", {}),
    )
]
PASSWORD_RESET_TIMEOUT = 86_400


def _mail() -> dict[str, object]:
    """CLUSTERLAB_MAIL as Django's settings: smtp://USER:PASSWORD@HOST:PORT, or smtps:// for TLS from the start.

    By default mails are printed."""
    text = os.environ.get("CLUSTERLAB_MAIL", "")
    if not text:
        return {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}
    url = urlsplit(text)
    if url.scheme not in ("smtp", "smtps") or not url.hostname:
        raise ImproperlyConfigured("CLUSTERLAB_MAIL must look like smtp://USER:PASSWORD@HOST:PORT")
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend", "EMAIL_HOST": url.hostname,
        "EMAIL_PORT": url.port or (465 if url.scheme == "smtps" else 587), "EMAIL_USE_SSL": url.scheme == "smtps",
        "EMAIL_USE_TLS": url.scheme == "smtp" and bool(url.username), "EMAIL_HOST_USER": unquote(url.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(url.password or ""), "EMAIL_TIMEOUT": 20,
    }


globals().update(_mail())
DEFAULT_FROM_EMAIL = os.environ.get("CLUSTERLAB_MAIL_FROM", "clusterlab@localhost")


def _oidc() -> dict[str, str]:
    """The OpenID Connect provider, where one is configured: the address under which its .well-known lies, and what it knows us by."""
    url = os.environ.get("CLUSTERLAB_OIDC_URL", "")
    if not url:
        return {}
    found = {"url": url, "name": os.environ.get("CLUSTERLAB_OIDC_NAME", "OpenID Connect")}
    for field in ("client", "secret"):
        value = os.environ.get(f"CLUSTERLAB_OIDC_{field.upper()}", "")
        if not value:
            raise ImproperlyConfigured(f"CLUSTERLAB_OIDC_{field.upper()} must be set with CLUSTERLAB_OIDC_URL")
        found[field] = value
    return found


#: Sign-in with OpenID Connect: {} while it is off.
OIDC = _oidc()
if OIDC:
    INSTALLED_APPS += ["allauth", "allauth.account", "allauth.socialaccount", "allauth.socialaccount.providers.openid_connect"]
    MIDDLEWARE += ["allauth.account.middleware.AccountMiddleware"]
    AUTHENTICATION_BACKENDS += ["allauth.account.auth_backends.AuthenticationBackend"]
    SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [{
        "provider_id": "main", "name": OIDC["name"], "client_id": OIDC["client"], "secret": OIDC["secret"],
        "settings": {"server_url": OIDC["url"]},
    }]}}
    ACCOUNT_ADAPTER, SOCIALACCOUNT_ADAPTER = (f"clusterlab.web.accounts.oidc.{name}Adapter" for name in ("Account", "Social"))
    ACCOUNT_EMAIL_VERIFICATION, SOCIALACCOUNT_STORE_TOKENS, SOCIALACCOUNT_EMAIL_AUTHENTICATION = "none", False, False


def _lti() -> dict[str, object]:
    """The learning platforms that are trusted: the JSON file that CLUSTERLAB_LTI names, {issuer: {client_id, …}}. {} while it is off."""
    name = os.environ.get("CLUSTERLAB_LTI", "")
    if not name:
        return {}
    try:
        found = json.loads(Path(name).read_text())
    except (OSError, ValueError) as error:
        raise ImproperlyConfigured(f"CLUSTERLAB_LTI: {name} cannot be read: {error}") from None
    needed = {"client_id", "auth_login_url", "auth_token_url", "key_set_url", "deployment_ids"}
    for issuer, conf in found.items() if isinstance(found, dict) else [("", None)]:
        for one in conf if isinstance(conf, list) else [conf]:
            if not isinstance(one, dict) or needed - set(one):
                raise ImproperlyConfigured(f"CLUSTERLAB_LTI: {issuer!r} needs {', '.join(sorted(needed))}")
    return found


LTI = _lti()
#: The PEM file with the private key by which platforms know this server; "" for one of its own making.
LTI_KEY = os.environ.get("CLUSTERLAB_LTI_KEY", "")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CHANNEL_LAYERS: dict[str, Any] = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
if REDIS_URL:
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [REDIS_URL], "capacity": 1000}}}

STATIC_URL = "/static/"
STATICFILES_DIRS = [("dist", BASE_DIR / "static" / "dist")] if (BASE_DIR / "static" / "dist").exists() else []
STATIC_ROOT = VAR_DIR / "static"
STATIC_ROOT.mkdir(exist_ok=True)
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_TZ = True
TIME_ZONE = "UTC"

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 60 * 60 * 24 * 90
CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024


def _number(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    try:
        return int(text)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {text!r}") from None


def _tls_port() -> int:
    """Where the labs' API is served over TLS as well; 0: nowhere, which is so behind a proxy that ends TLS and for hosts of labs, unless
    CLUSTERLAB_TLS_PORT says otherwise."""
    if os.environ.get("CLUSTERLAB_TLS_PORT"):
        port = _number("CLUSTERLAB_TLS_PORT", 0)
        if not 0 <= port < 65536:
            raise ImproperlyConfigured(f"CLUSTERLAB_TLS_PORT must be a port, or 0 for no TLS, not {port}")
        return port
    if HTTPS or os.environ.get("CLUSTERLAB_ROLE") == "host":
        return 0
    plain = _number("CLUSTERLAB_PORT", 8000)
    return plain + 443 if plain + 443 < 65536 else plain - 443


TLS_PORT = _tls_port()

#: Limits. Each has a clear message when it is met.
CLUSTERLAB = {
    "MAX_LABS": _number("CLUSTERLAB_MAX_LABS", 2000),
    "MAX_LABS_PER_VISITOR": _number("CLUSTERLAB_MAX_LABS_PER_VISITOR", 50),
    "MAX_SOCKETS_PER_LAB": _number("CLUSTERLAB_MAX_SOCKETS_PER_LAB", 400),
    "MAX_SOCKETS_PER_ADDRESS": _number("CLUSTERLAB_MAX_SOCKETS_PER_ADDRESS", 2000),
    "HANDSHAKES_PER_MINUTE": _number("CLUSTERLAB_MAX_HANDSHAKES_PER_MINUTE", 3000),
    "IDLE_LAB_S": _number("CLUSTERLAB_IDLE_LAB_S", 900),
    "LAB_EXPIRES_S": _number("CLUSTERLAB_LAB_EXPIRES_S", 30 * 86400),
    "MAX_WATCHES_PER_LAB": _number("CLUSTERLAB_MAX_WATCHES_PER_LAB", 400),
    "MAX_STREAMS_PER_LAB": _number("CLUSTERLAB_MAX_STREAMS_PER_LAB", 100),
    "MAX_NODES_PER_LAB": _number("CLUSTERLAB_MAX_NODES_PER_LAB", 1000),
    "MAX_STEPS_PER_LAB": _number("CLUSTERLAB_MAX_STEPS_PER_LAB", 250_000),
    "MAX_COMMANDS_PER_LAB": _number("CLUSTERLAB_MAX_COMMANDS_PER_LAB", 100_000),
    "MAX_LOG_BYTES_PER_LAB": _number("CLUSTERLAB_MAX_LOG_BYTES_PER_LAB", 128 << 20),
    "LABS_PER_MINUTE": _number("CLUSTERLAB_LABS_PER_MINUTE", 60),
    "MISSES_PER_MINUTE": _number("CLUSTERLAB_MISSES_PER_MINUTE", 300),
    "SIGN_IN_FAILURES_PER_MINUTE": _number("CLUSTERLAB_SIGN_IN_FAILURES_PER_MINUTE", 10),
    "SIGN_IN_FAILURES_PER_ADDRESS": _number("CLUSTERLAB_SIGN_IN_FAILURES_PER_ADDRESS", 60),
    "ACCOUNTS_PER_MINUTE": _number("CLUSTERLAB_ACCOUNTS_PER_MINUTE", 40),
    "MAILS_PER_MINUTE": _number("CLUSTERLAB_MAILS_PER_MINUTE", 3),
    "MAX_CLASSES": _number("CLUSTERLAB_MAX_CLASSES", 20),
    "MAX_MEMBERS_PER_CLASS": _number("CLUSTERLAB_MAX_MEMBERS_PER_CLASS", 200),
    "MAX_TEACHERS_PER_CLASS": _number("CLUSTERLAB_MAX_TEACHERS_PER_CLASS", 10),
    "INVITATIONS_PER_MINUTE": _number("CLUSTERLAB_INVITATIONS_PER_MINUTE", 20),
    "CLASS_CODE_S": _number("CLUSTERLAB_CLASS_CODE_S", 12 * 3600),
    "CLASS_MESSAGES_PER_SECOND": _number("CLUSTERLAB_CLASS_MESSAGES_PER_SECOND", 20),
    "CODES_PER_MINUTE": _number("CLUSTERLAB_CODES_PER_MINUTE", 60),
    "CLASS_ENDS_S": _number("CLUSTERLAB_CLASS_ENDS_S", 30 * 86400),
    "CLASS_EXPIRES_S": _number("CLUSTERLAB_CLASS_EXPIRES_S", 180 * 86400),
    "LESSONS": Path(os.environ.get("CLUSTERLAB_LESSONS", BASE_DIR / "lessons")),
    # Set by manage.py lesson serve: pages follow the files of their lesson.
    "LIVE": os.environ.get("CLUSTERLAB_LIVE", "") == "1",
    # How kubectl of the page is confined: auto, port (without a network of its own), or off (then on loopback only).
    "TERMINAL_JAIL": os.environ.get("CLUSTERLAB_TERMINAL_JAIL", "auto"),
    "MAX_TERMINALS_PER_LAB": _number("CLUSTERLAB_MAX_TERMINALS_PER_LAB", 64),
}

#: What this process does: "all" (pages and labs), "web" (pages, and hands on what is for a lab), "host" (labs alone).
ROLE = os.environ.get("CLUSTERLAB_ROLE", "all")
if ROLE not in ("all", "web", "host"):
    raise ImproperlyConfigured(f"CLUSTERLAB_ROLE must be all, web or host, not {ROLE!r}")
#: With Redis there are several processes, and labs belong to one of them at a time.
SCALED = bool(REDIS_URL)
if ROLE != "all" and not (SCALED and os.environ.get("DATABASE_URL")):
    raise ImproperlyConfigured(f"CLUSTERLAB_ROLE={ROLE} needs DATABASE_URL and REDIS_URL: the processes share both")
#: Where other processes of this deployment reach this one.
ADDRESS = os.environ.get("CLUSTERLAB_ADDRESS") or f"http://127.0.0.1:{os.environ.get('CLUSTERLAB_PORT', '8000')}"
METRICS_TOKEN = os.environ.get("CLUSTERLAB_METRICS_TOKEN", "")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"()": "clusterlab.web.logs.TextFormatter", "format": "%(levelname)s %(name)s: %(message)s"},
        "json": {"()": "clusterlab.web.logs.JsonFormatter"},
    },
    "filters": {"unanswered": {"()": "clusterlab.web.logs.Unanswered"}},
    "handlers": {"console": {
        "class": "logging.StreamHandler", "formatter": os.environ.get("CLUSTERLAB_LOG_FORMAT", "text"), "filters": ["unanswered"],
    }},
    "root": {"handlers": ["console"], "level": os.environ.get("CLUSTERLAB_LOG", "WARNING")},
    # Paths hold lab keys, so requests are not logged.
    "loggers": {
        "django.request": {"level": "ERROR"},
        # Anybody can send a wrong Host: it is refused, which is no news and needs no traceback.
        "django.security.DisallowedHost": {"level": "CRITICAL", "propagate": False},
        # Paths may hold join codes.
        "django.security.csrf": {"level": "ERROR"},
        "django.channels.server": {"level": "ERROR"}, "daphne": {"level": "WARNING"}},
}
