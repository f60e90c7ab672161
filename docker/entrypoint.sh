#!/bin/sh
# Runs the command. Before, each variable DLT_SYNC_<NAME>_FILE or DAGSTER_POSTGRES_<NAME>_FILE becomes the variable without _FILE, with
# the content of that file: so that passwords can be Docker secrets (/run/secrets/…), which `docker inspect` does not show.
set -eu

for name in $(env | sed -n 's/^\(\(DLT_SYNC\|DAGSTER_POSTGRES\)_[A-Z0-9_]*\)_FILE=.*/\1/p'); do
  eval "file=\$${name}_FILE; value=\${$name:-}"
  if [ -n "$value" ]; then
    echo "$name and ${name}_FILE are both set: set one of them" >&2
    exit 64
  fi
  if [ ! -r "$file" ]; then
    echo "${name}_FILE: $file cannot be read; mount the secret there" >&2
    exit 66
  fi
  value=$(cat "$file")
  export "$name=$value"
  unset "${name}_FILE"
done

exec "$@"
