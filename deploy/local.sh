#!/usr/bin/env bash
# One command on a machine with only Python >= 3.11: make .venv when absent or outdated, then
#   local.sh run SPEC ...     spinsweep run SPEC ...
#   local.sh test [ARGS ...]  ruff, mypy and the everyday tests; ARGS go to pytest (-m slow, say, chooses others)
#   local.sh bench [ARGS ...] what peers and spinsweep take for the same work, one table; --page FILE keeps it as a page
#   local.sh docs             the documentation site, into build/docs/html
#   local.sh WORD ...         spinsweep WORD ...
# PYTHON chooses the interpreter (default: python3).
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=${PYTHON:-python3}
venv=$top/.venv

fail() { echo "local.sh: $*" >&2; exit 2; }

# What an up-to-date environment looks like: this interpreter, these requirements, this place
# (a virtual environment does not survive being moved).
stamp_of() { { "$python" -c 'import sys; print(sys.version, sys.base_prefix)'; echo "$1 $venv"; cat "$top/pyproject.toml"; } | cksum; }

ensure() { # ensure EXTRA: .venv with this project and the extra installed
  local extra=$1 stamp=$venv/.installed-$1 want
  want=$(stamp_of "$extra")
  [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ] && [ -x "$venv/bin/spinsweep" ] && return
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    fail "Python 3.11 or newer is needed, '$python' is $("$python" -V 2>&1 || echo absent); set PYTHON to another interpreter"
  echo "local.sh: installing into $venv (once; a few minutes)" >&2
  "$venv/bin/python" -c '' 2>/dev/null && [ "$("$venv/bin/python" -c 'import sys; print(sys.version)')" = "$("$python" -c 'import sys; print(sys.version)')" ] ||
    { rm -rf "$venv"; "$python" -m venv "$venv" || fail "'$python -m venv' failed; on Debian and Ubuntu install python3-venv"; }
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable "$top[$extra]" >&2 ||
    fail "installation failed; the lines above say why"
  echo "$want" >"$stamp"
  echo "local.sh: installed; for 'spinsweep' by itself: export PATH=\"$venv/bin:\$PATH\"" >&2
}

word=${1:-help}
case $word in
  test)
    shift
    ensure test
    cd "$top"
    "$venv/bin/ruff" check .
    "$venv/bin/ruff" format --check .
    "$venv/bin/mypy"
    exec "$venv/bin/python" -m pytest -m "not slow and not faults and not integration and not bench" --durations=15 "$@"
    ;;
  bench)
    shift
    ensure test
    cd "$top"
    export OPENBLAS_NUM_THREADS=1
    exec "$venv/bin/python" -m pytest -q -m bench tests/benchmarks/test_bench_table.py tests/benchmarks/test_bench_dynamiqs.py "$@"
    ;;
  docs)
    ensure docs
    export OPENBLAS_NUM_THREADS=1
    "$venv/bin/python" -m sphinx --fail-on-warning --keep-going --quiet -b html -d "$top/build/docs/read" "$top/deploy/docs" "$top/build/docs/html"
    echo "local.sh: open $top/build/docs/html/index.html" >&2
    ;;
  help | -h | --help)
    sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    ;;
  *)
    ensure plot
    export SPINSWEEP_PROGRAM="bash ${BASH_SOURCE[0]}" # as the hints of the program name it
    exec "$venv/bin/spinsweep" "$@"
    ;;
esac
