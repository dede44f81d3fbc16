"""Which host names this server answers to."""

from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host

__all__ = ["allowed_host", "from_here"]


def allowed_host(host: str) -> bool:
    """Whether a Host header names this server, by ALLOWED_HOSTS."""
    domain, _ = split_domain_port(host)
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)


def from_here(origin: str, host: str) -> bool:
    """Whether an Origin header names the host that was asked. What is no address at all comes from elsewhere."""
    try:
        return urlsplit(origin).netloc == host
    except ValueError:
        return False
