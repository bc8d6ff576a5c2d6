"""What this verifier is. A server could hand out a lenient one, so a report names its own file by
hash: whoever reads it compares that with the project's release, not with the server's word.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from pathlib import Path

ORIGIN = (
    "This is the word of the verifier named above. Whoever has it from the server that is checked "
    "compares its sha256 with the project's release."
)


def described() -> dict[str, str]:
    """Return ``{file, sha256}``. Of an installed package the hash is that of the verifier.pyz which
    its sources make (`build`); empty where not all that it takes is there."""
    archive = getattr(__spec__.loader, "archive", None)  # what `zipimport` knows its file by
    if archive is not None:
        path = Path(archive)
        return {"file": path.name, "sha256": _sha256(path.read_bytes())}
    from mcp_multiplayer.verifier import build

    try:
        made = _sha256(build.build())
    except (OSError, importlib.metadata.PackageNotFoundError):
        made = ""
    return {"file": "an installed package", "sha256": made}


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
