#!/usr/bin/env bash
# Everything a change must pass. `./runtests.sh` runs all of it; `./runtests.sh --quick` leaves out the marked tests.
set -euo pipefail
cd "$(dirname "$0")"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"

ruff format --check .
ruff check .
mypy
lint-imports
pytest -n 2 --dist loadfile
if [ "${1:-}" != "--quick" ]; then
  pytest -m "peers or browser or real or slow or bundle or dist" -n 2 --dist loadfile
  sphinx-build -q -W -b html docs docs/_build/html
fi
