"""Alerts of a Canary: to whom they would go, told as Events; what their address is in the lab is asked there.

Follows alert in pkg/controller/events.go of Flagger. Where it writes its errors to its log, they are Events here.
"""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING, Any

from clusterlab.controllers.objects import Object
from clusterlab.machinery.errors import StatusError
from clusterlab.network.trip import Source
from clusterlab.rollouts.flagger import spec

if TYPE_CHECKING:
    from clusterlab.rollouts.flagger.controller import CanaryController

__all__ = ["alert"]

PROVIDERS = "alertproviders.flagger.app"


def alert(by: CanaryController, cd: Object, message: str, severity: str) -> None:
    """Tells every alert of a Canary that wants to know of this severity: info, warn or error."""
    for each in spec.analysis(cd).get("alerts") or ():
        wanted = each.get("severity") or "info"
        if wanted not in ("info", severity) and (severity, wanted) != ("error", "warn"):
            continue
        namespace = each["providerRef"].get("namespace") or cd["metadata"]["namespace"]
        who = f"alert provider {each['providerRef'].get('name', '')}.{namespace}"
        try:
            provider = by.client.get(PROVIDERS, namespace, each["providerRef"].get("name", ""))["spec"]
            address = _address(by, provider, namespace)
        except StatusError as error:
            by.record(cd, "Warning", "Alert", f"{who} error: {error.message}")
            continue
        except ValueError as error:
            by.record(cd, "Warning", "Alert", f"{who} {error}")
            continue
        channel = provider.get("channel") or "general"
        by.record(cd, "Normal" if severity == "info" else "Warning", "Alert",
                  f"{each['name']} ({severity}) to {provider.get('type', '')} channel {channel}: {message}")
        traffic: Any = by.sim.components["traffic"]
        traffic.fabric.request(Source(traffic.fabric.any_node(), name="flagger", namespace="flagger-system"), address, "POST")


def _address(by: CanaryController, provider: Object, namespace: str) -> str:
    """Where a provider is reached. Raises StatusError and ValueError."""
    name = (provider.get("secretRef") or {}).get("name")
    if not name:
        return str(provider.get("address", ""))
    text = (by.client.get("secrets", namespace, name).get("data") or {}).get("address")
    if text is None:
        raise ValueError("secret does not contain an address")
    return b64decode(text).decode(errors="replace")
