"""Make the pages fit for the site that `make docs` builds (a hook of mkdocs.yml). In the repository they are read as they are.

What only the repository and the tests understand is taken out: links to files outside of `docs/`, which the site does not
have (the text stays, and links to the repository where `repo_url` of mkdocs.yml names one), the comments above code blocks,
and what stands behind the language of a block.
"""

from __future__ import annotations

import re
from typing import Any

_OUTSIDE = re.compile(r"(?<!!)\[([^\]]+)\]\(\.\./([^)\s]+)\)")
_COMMENT = re.compile(r"(?m)^ *<!--.*?-->\n")
_LANGUAGE = re.compile(r"(?m)^( *```\w+) .*$")


def for_the_site(text: str, repository: str | None = None) -> str:
    """The text of a page as the site shows it. `repository` is the address of its files, without a slash at its end."""
    link = rf"[\1]({repository}/\2)" if repository else r"\1"
    return _LANGUAGE.sub(r"\1", _COMMENT.sub("", _OUTSIDE.sub(link, text)))


def on_page_markdown(markdown: str, config: Any, **_: Any) -> str:
    """MkDocs calls this for each page."""
    repository = f"{config['repo_url'].rstrip('/')}/blob/HEAD" if config.get("repo_url") else None
    return for_the_site(markdown, repository)
