#!/usr/bin/env bash
# InstantDB's client sorts a `date` attribute by whole milliseconds and breaks ties by entity id.
#
# The store keeps microseconds: its server sorts "…00.000100Z" before "…00.000900Z". The client sorts the
# rows it was given once more, by `new Date(value).getTime()`, so these two are a tie there, which the ids
# decide, in a descending query from the highest id down. A migration that gives rows new ids therefore
# changes the order in which the messages of one millisecond are shown, although every date is kept.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @instantdb/core@1.0.67 >/dev/null
cat >sort.cjs <<'JS'
const path = require('node:path');
const dist = path.join(process.cwd(), 'node_modules/@instantdb/core/dist/commonjs');
const { createStore, AttrsStoreClass } = require(path.join(dist, 'store.js'));
const query = require(path.join(dist, 'instaql.js')).default;

const attr = (id, label, type) => ({
  id, cardinality: 'one', 'value-type': 'blob', 'forward-identity': [`${id}-f`, 'messages', label],
  'unique?': label === 'id', 'index?': true, 'checked-data-type': type, catalog: 'user',
});
const attrs = new AttrsStoreClass({ i: attr('i', 'id', null), d: attr('d', 'createdAt', 'date') }, null);
// The earlier one has the higher id.
const rows = [
  ['ffffffff-0000-4000-8000-000000000000', '2026-03-01T10:00:00.000100Z'],
  ['00000000-0000-4000-8000-000000000000', '2026-03-01T10:00:00.000900Z'],
  ['88888888-0000-4000-8000-000000000000', '2026-03-01T10:00:00.001000Z'],
];
const triples = rows.flatMap(([id, date]) => [[id, 'i', id, 0], [id, 'd', date, 0]]);
const sorted = (direction) => {
  const store = createStore(attrs, triples.map((triple) => [...triple]), true, false);
  const ordered = { messages: { $: { order: { createdAt: direction } } } };
  const { data } = query({ store, attrsStore: attrs }, ordered);
  return data.messages.map((row) => row.createdAt.slice(20, 26));
};
for (const direction of ['asc', 'desc']) console.log(direction, sorted(direction).join(' '));
JS
version=$(node -p 'require("./node_modules/@instantdb/core/package.json").version')
found=$(node sort.cjs)
printf '@instantdb/core %s\n%s\n' "$version" "$found"
expected='asc 000900 000100 001000
desc 001000 000100 000900'
[ "$found" = "$expected" ] || { echo "the client sorts otherwise now" >&2; exit 1; }
