"""Server-side apply and the ownership of fields. None of it changes its input.

`managed.track` keeps managedFields on create, update and patch; `server_side.apply` merges an applied configuration.
"""

from clusterlab.machinery.apply.managed import track
from clusterlab.machinery.apply.server_side import apply

__all__ = ["apply", "track"]
