"""Devices of dynamic resource allocation: pools, selectors, and the search for an allocation."""
