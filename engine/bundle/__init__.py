"""A pipeline on disk: JSON, Arrow and XGBoost models, each with its sha256; no code, no pickle.

``bundles/<name>/`` holds ``current`` (the version in use) and ``versions/<12 hex>/``, which never change.
"""

from __future__ import annotations

from engine.bundle.contents import Contents, compute_version
from engine.bundle.manifest import Manifest, check_plugin_versions, this_origin, this_platform
from engine.bundle.read import find, read, read_manifest, versions
from engine.bundle.write import set_current, write

__all__ = [
    "Contents", "Manifest", "check_plugin_versions", "compute_version", "find", "read",
    "read_manifest", "set_current", "this_origin", "this_platform", "versions", "write",
]  # fmt: skip
