"""Patches: JSON patch, JSON merge patch and strategic merge patch. None changes its input; results share what did not change."""

from clusterlab.machinery.patch.errors import PatchError
from clusterlab.machinery.patch.json_patch import apply_json_patch
from clusterlab.machinery.patch.merge_patch import apply_merge_patch
from clusterlab.machinery.patch.strategic import apply_strategic, left_over

__all__ = ["PatchError", "apply_json_patch", "apply_merge_patch", "apply_strategic", "left_over"]
