"""How often somebody may try to sign in, sign up, or ask for a new password, counted by address and by account within a minute."""

from __future__ import annotations

import hashlib

from django.http import HttpRequest

from clusterlab.web.throttle import Throttle, address_of, is_loopback

__all__ = ["may_sign_in", "may_sign_up", "may_write_mail", "sign_in_failed"]

#: Failures only: somebody who knows the password is never counted.
_failures = Throttle("SIGN_IN_FAILURES_PER_MINUTE")
_failures_of_address = Throttle("SIGN_IN_FAILURES_PER_ADDRESS")
_new_accounts = Throttle("ACCOUNTS_PER_MINUTE")
_mails = Throttle("MAILS_PER_MINUTE")


def _of(name: str) -> str:
    """A name as it is counted: of fixed length, whatever was sent."""
    return hashlib.sha256(name.strip().casefold().encode()).hexdigest()


def _address(request: HttpRequest) -> str:
    return address_of(request.scope)  # type: ignore[attr-defined]


def may_sign_in(request: HttpRequest, name: str) -> bool:
    """Whether another try at this account, or from this address, is heard."""
    return not (_failures.exhausted(_of(name)) or _failures_of_address.exhausted(_address(request)))


def sign_in_failed(request: HttpRequest, name: str) -> None:
    _failures.count(_of(name))
    _failures_of_address.count(_address(request))


def may_sign_up(request: HttpRequest) -> bool:
    """Counts a new account; people on this very machine are not held up."""
    address = _address(request)
    if is_loopback(address):
        return True
    if _new_accounts.exhausted(address):
        return False
    _new_accounts.count(address)
    return True


def may_write_mail(request: HttpRequest, email: str) -> bool:
    """Counts a mail, by who asks for it and by whom it goes to."""
    counted = [_address(request), _of(email)]
    if any(_mails.exhausted(one) for one in counted):
        return False
    for one in counted:
        _mails.count(one)
    return True
