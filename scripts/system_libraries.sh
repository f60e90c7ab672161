#!/usr/bin/env bash
# The system libraries that the ODBC drivers need. Installed when we are root; otherwise the exact command is printed.
# pyodbc's wheel bundles no unixODBC; Microsoft's driver links libltdl, Kerberos and OpenSSL.
set -euo pipefail

python="${1:-python3}"
packages=()

has_library() { { ldconfig -p 2>/dev/null || /sbin/ldconfig -p; } | grep -q "$1"; }

has_library 'libodbc\.so\.2' || packages+=(unixodbc)
has_library 'libltdl\.so\.7' || packages+=(libltdl7)
has_library 'libgssapi_krb5\.so\.2' || packages+=(libgssapi-krb5-2)
"$python" -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)

[ ${#packages[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null; then
  echo "Missing system libraries: ${packages[*]} (Debian names). Install your distribution's equivalents, then run make again." >&2
  exit 3
fi
if [ "$(id -u)" -ne 0 ]; then
  echo "Missing system libraries. Run this once, then make again:" >&2
  echo "  sudo apt-get update && sudo apt-get install -y ${packages[*]}" >&2
  exit 3
fi
echo "Installing system libraries: ${packages[*]}"
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
