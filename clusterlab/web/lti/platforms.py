"""The platforms that this server trusts, and the key by which they know it."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings
from django.utils import timezone
from pylti1p3.exception import LtiException
from pylti1p3.launch_data_storage.base import LaunchDataStorage
from pylti1p3.registration import Registration
from pylti1p3.tool_config import ToolConfDict

from clusterlab.web.lti.models import Pending

__all__ = ["Storage", "Web", "configured", "forget_old", "registration_of", "tool"]

TIMEOUT_S = 10
KEEP_S = 600


def configured() -> bool:
    """Whether any platform is trusted."""
    return bool(settings.LTI)


def _private_key() -> str:
    """This server's key: the file that CLUSTERLAB_LTI_KEY names, or one that is made when it is asked for first and kept in the var folder.
    Processes on several machines must have the same."""
    path = Path(settings.LTI_KEY or Path(settings.VAR_DIR) / "lti-key.pem")
    if not settings.LTI_KEY and not path.exists():
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        with tempfile.NamedTemporaryFile(dir=path.parent) as whole:  # readable by its owner alone
            whole.write(pem)
            whole.flush()
            with contextlib.suppress(FileExistsError):  # another process was first
                os.link(whole.name, path)
    return path.read_text()


class Trusted(ToolConfDict):
    """The platforms of CLUSTERLAB_LTI; any other is refused."""

    def get_iss_config(self, iss: str, client_id: str | None = None) -> Any:
        conf = (self._config or {}).get(iss)
        if isinstance(conf, list) and client_id is not None:
            conf = next((one for one in conf if one["client_id"] == client_id), None)
        if conf is None:
            raise LtiException("this platform is not known here")
        return super().get_iss_config(iss, client_id)


def tool() -> ToolConfDict:
    """The configuration in PyLTI1p3's terms, with our key for every platform."""
    data: dict[str, Any] = json.loads(json.dumps(settings.LTI))
    found = Trusted(data)
    private = _private_key()
    key = serialization.load_pem_private_key(private.encode(), None)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    for issuer, conf in data.items():
        for one in conf if isinstance(conf, list) else [conf]:
            client = one["client_id"] if isinstance(conf, list) else None
            found.set_private_key(issuer, private, client_id=client)
            found.set_public_key(issuer, public, client_id=client)
    return found


def registration_of(issuer: str, client_id: str) -> Registration:
    """What a platform and we know each other by. Raises LtiException when it is trusted no more."""
    conf = tool()
    found = conf.find_registration_by_issuer(issuer) if conf.check_iss_has_one_client(issuer) \
        else conf.find_registration_by_params(issuer, client_id)
    if found is None:
        raise LtiException("this platform is not known here")
    return found


class Storage(LaunchDataStorage[Any]):
    """Keeps states and nonces in the database, so that any process may take the launch. A nonce is good once."""

    def can_set_keys_expiration(self) -> bool:
        return True

    def get_session_cookie_name(self) -> str | None:
        return None

    def get_value(self, key: str) -> Any:
        row = Pending.objects.filter(key=self._prepare_key(key)[:200], until__gt=timezone.now()).first()
        return row.value if row else None

    def set_value(self, key: str, value: Any, exp: int | None = None) -> None:
        now = timezone.now()
        Pending.objects.filter(until__lt=now).delete()
        Pending.objects.update_or_create(
            key=self._prepare_key(key)[:200], defaults={"value": value, "until": now + timedelta(seconds=min(exp or KEEP_S, KEEP_S))}
        )

    def check_value(self, key: str) -> bool:
        """Whether there is such a value; asking uses it up."""
        count, _ = Pending.objects.filter(key=self._prepare_key(key)[:200], until__gt=timezone.now()).delete()
        return count > 0


async def forget_old() -> int:
    """Deletes what logins have left that were never ended."""
    return (await Pending.objects.filter(until__lt=timezone.now()).adelete())[0]


class Web(requests.Session):
    """Asks a platform, and does not wait for ever."""

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs.setdefault("timeout", TIMEOUT_S)
        return super().request(*args, **kwargs)
