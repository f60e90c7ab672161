#!/usr/bin/env bash
# What the tests use beside Python: a PostgreSQL that they start themselves, as a ledger many machines share. Installed when we
# are root on a Debian; otherwise those tests are skipped and the summary says so. No cluster of its own is made or started.
set -euo pipefail

command -v initdb >/dev/null && exit 0
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "PostgreSQL is not installed: the tests of a shared ledger will be skipped (apt-get install postgresql)." >&2
  exit 0
fi
echo "Installing PostgreSQL for the tests"
export DEBIAN_FRONTEND=noninteractive
{
  apt-get update -qq &&
    apt-get install -y -qq --no-install-recommends postgresql-common >/dev/null &&
    mkdir -p /etc/postgresql-common &&
    echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf &&
    apt-get install -y -qq --no-install-recommends postgresql >/dev/null
} || echo "PostgreSQL could not be installed: the tests of a shared ledger will be skipped." >&2
