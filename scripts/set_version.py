"""Write the version of a tag (`v1.2.3`) into pyproject.toml before a release: `set_version.py v1.2.3 [pyproject.toml]`"""

from __future__ import annotations

import re
import sys
from pathlib import Path

TAG = re.compile(r"v(\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?)")
FIELD = re.compile(r'(?m)^version = "[^"]*"$')


def set_version(tag: str, file: Path) -> str:
    """The version that the file has now. Exits with a message for a tag that is no version, or a file without the field."""
    found = TAG.fullmatch(tag)
    if found is None:
        sys.exit(f"{tag} is no tag of a version: write v1.2.3, or v1.2.3rc1 for a candidate")
    text, count = FIELD.subn(f'version = "{found[1]}"', file.read_text(encoding="utf-8"))
    if count != 1:
        sys.exit(f"{file} has {count} fields `version`, not one")
    file.write_text(text, encoding="utf-8")
    return found[1]


if __name__ == "__main__":
    set_version(sys.argv[1], Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parents[1] / "pyproject.toml")
