#!/usr/bin/env bash
# What the tests use beside Python packages: a PostgreSQL that they start themselves, as a ledger many machines share (installed when we
# are root on a Debian; no cluster of its own is made or started); and, with the argument `slow`, Azurite, which speaks Azure's storage
# protocol (when npm is there; below .services/). What cannot be installed is skipped, and the tests' summary says so. Never fails.
set -euo pipefail
cd "$(dirname "$0")/.."

AZURITE=3.35.0

postgresql() {
  command -v initdb >/dev/null && return
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null && return
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "PostgreSQL is not installed: the tests of a shared ledger will be skipped (apt-get install postgresql)." >&2
    return
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
}

azurite() {
  command -v azurite-blob >/dev/null && return
  [ -x .services/node_modules/.bin/azurite-blob ] && return
  if ! command -v npm >/dev/null; then
    echo "Azurite is not installed: the tests of a lake in Azure will be skipped (they need npm)." >&2
    return
  fi
  echo "Installing Azurite for the tests"
  mkdir -p .services
  # Without scripts: none of its packages needs one to run.
  npm install --prefix .services --no-save --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error \
    "azurite@$AZURITE" >/dev/null ||
    echo "Azurite could not be installed: the tests of a lake in Azure will be skipped." >&2
}

postgresql
if [ "${1:-}" = slow ]; then azurite; fi
