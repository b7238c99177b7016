#!/usr/bin/env bash
# Makes the environment FOLDER from the lock file LOCK; says in one line what the machine lacks and what brings it.
set -euo pipefail
folder=$1 lock=$2 python=${PYTHON:-python3}

lacks() { echo "keepclean set-up: $1" >&2; exit 1; }

command -v "$python" >/dev/null || lacks "no $python here: install Python 3.11 or newer (Debian: python3)"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  lacks "$("$python" --version) is too old: Python 3.11 or newer is needed (or: make PYTHON=python3.12)"
"$python" -c 'import venv, ensurepip' 2>/dev/null ||
  lacks "Python's ensurepip is missing: install it (Debian: apt-get install python3-venv)"

[ -x "$folder/bin/python" ] || "$python" -m venv "$folder"
echo "keepclean set-up: installing $(grep -c '^[a-z].*==' "$lock") locked packages into $folder"
log=$(mktemp)
if ! "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
     -r "$lock" >"$log" 2>&1; then
  if grep -qiE "gcc|g\+\+|compiler|cargo" "$log"; then
    tail -n 5 "$log" >&2
    lacks "a package has no wheel for this machine and needs a compiler (Debian: apt-get install build-essential)"
  fi
  tail -n 15 "$log" >&2
  lacks "the packages could not be installed; the last lines of pip stand above"
fi
# the project itself, in place: it needs nothing but setuptools, which the lock file holds
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable . >>"$log" 2>&1 ||
  { tail -n 15 "$log" >&2; lacks "keepclean itself could not be installed"; }
rm -f "$log"
