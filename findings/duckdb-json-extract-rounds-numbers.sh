#!/usr/bin/env bash
# DuckDB's `json()` and `json_extract` give other numbers than the JSON text has.
#
# The JSON type is text, `json()` is documented to parse and minify it, and `json_extract` to give JSON again.
# Both write decimals anew from a double: digits beyond it are gone, and `1.50`, `1E+2` get another spelling.
# Whole numbers of any length stay. So a payload that is read in DuckDB by a path is not the payload's text:
# comparing an extracted value with the text finds differences that are none, and comparing two extracted
# values hides some that are. Only the column itself has the text.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q duckdb==2.0.1
cat >probe.py <<'PY'
import duckdb

print('duckdb', duckdb.__version__)
for number in ['0.1234567890123456789', '12345678901234567890.5', '1.50', '1E+2', '12345678901234567890123']:
    text = '{"n": %s}' % number
    minified, extracted = duckdb.execute("SELECT json($1), json_extract($1, '$.n')", [text]).fetchone()
    print(number, minified, extracted)
PY
found=$(venv/bin/python probe.py)
printf '%s\n' "$found"
expected='duckdb 2.0.1
0.1234567890123456789 {"n":0.12345678901234568} 0.12345678901234568
12345678901234567890.5 {"n":12345678901234567000.0} 12345678901234567000.0
1.50 {"n":1.5} 1.5
1E+2 {"n":100.0} 100.0
12345678901234567890123 {"n":12345678901234567890123} 12345678901234567890123'
[ "$found" = "$expected" ] || { echo "DuckDB writes numbers otherwise now" >&2; exit 1; }
