"""A secret is found in every spelling that somebody else's message may have it in."""

from __future__ import annotations

import json
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from dltsync_core.connect.connection_string import braced
from dltsync_core.redaction import HIDDEN, redacted, secrets_in_url
from tests.support.hostile_text import PASSWORDS

SECRETS = st.one_of(st.sampled_from(PASSWORDS), st.text("abcXYZ019 ;{}'\\\"%@/+€😀\x1f\n", min_size=4, max_size=20))


@given(SECRETS)
def test_every_spelling_is_blotted_out(secret: str) -> None:
    for spelt in (secret, braced(secret)[1:-1], quote(secret, safe="", errors="replace"), repr(secret)[1:-1]):
        assert redacted(f"<{spelt}>", [secret]) == f"<{HIDDEN}>"
    for ascii_only in (True, False):
        assert redacted(json.dumps({"k": secret}, ensure_ascii=ascii_only), [secret]) == f'{{"k": "{HIDDEN}"}}'


def test_what_is_no_secret_stays() -> None:
    assert redacted("login failed for user 'reader'", ["hunter2", ""]) == "login failed for user 'reader'"


def test_the_password_of_a_url_is_a_secret_by_itself() -> None:
    url = "postgresql+psycopg://u:p%40ss%3Bword@db/ledger"
    told = redacted(f"cannot connect with {url}: password p@ss;word rejected (p%40ss%3Bword)", secrets_in_url(url))
    assert told == f"cannot connect with {HIDDEN}: password {HIDDEN} rejected ({HIDDEN})"
