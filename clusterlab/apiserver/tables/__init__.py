"""Tables: what kubectl get shows, made by the server. Follows pkg/printers/internalversion/printers.go."""

from clusterlab.apiserver.tables.table import table

__all__ = ["table"]
