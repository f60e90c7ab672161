"""A secret is hidden in every form in which the message of a driver or a library may hold it."""

from __future__ import annotations

import json
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from dltsync_core.config import DatabaseConfig, PipelineConfig, StateConfig, StaticTableConfig
from dltsync_core.connect.connection_string import braced
from dltsync_core.redaction import HIDDEN, redacted, secrets_in_url, secrets_of
from tests.support.hostile_text import PASSWORDS

SECRETS = st.one_of(st.sampled_from(PASSWORDS), st.text("abcXYZ019 ;{}'\\\"%@/+€😀\x1f\n", min_size=4, max_size=20))


@given(SECRETS)
def test_every_encoding_of_a_secret_is_hidden(secret: str) -> None:
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


def test_every_secret_field_of_a_config_is_collected() -> None:
    """Found by their type: a secret field that is added to the config is hidden without another line of code."""
    options = {"key": "id-secret", "endpoint_url": "https://s3.example.com", "client": {"secret": "inner-secret"}}
    url = "postgresql://u:state%40secret@db/ledger?sslmode=require&sslpassword=key-secret"
    config = PipelineConfig(
        database=DatabaseConfig(server="db1", database="shop", username="u", password=SecretStr("db-secret")),
        static_tables=[StaticTableConfig(table_name="Countries", schema_name="dbo")],
        state=StateConfig.model_validate(
            {"state_url": url, "parquet_directory": "s3://bucket/a", "storage_options": options}
        ),
    )
    text = "db-secret state@secret state%40secret key-secret id-secret inner-secret require https://s3.example.com"
    assert redacted(text, secrets_of(config)) == f"{' '.join([HIDDEN] * 6)} require https://s3.example.com"


def test_the_password_inside_a_parameter_of_a_url_is_a_secret_by_itself() -> None:
    odbc = "Driver={ODBC Driver 18};Server=db;UID=u;PWD={hunter}}2;x}"
    url = f"mssql+pyodbc:///?odbc_connect={quote(odbc)}"
    told = redacted(f"login failed with {odbc}; {quote(odbc)}", secrets_in_url(url))
    assert "hunter" not in told
