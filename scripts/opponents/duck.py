"""DuckDB's part of `scripts/bench`, in a process of its own so that its memory can be measured.

    duck.py run NAME=VALUE… FILE.sql…       runs scripts, {NAME} filled in
    duck.py rewrite NAME=VALUE… FOLDER      copies every {folder}/*.parquet to {out}, nothing else
    duck.py compare OURS THEIRS             compares tables of two folders by counts, columns, order
    duck.py version
"""

import sys
from pathlib import Path

import duckdb

WRITTEN = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 65536"


def main():
    mode, words = sys.argv[1], sys.argv[2:]
    names = dict(word.split("=", 1) for word in words if "=" in word)
    rest = [word for word in words if "=" not in word]
    if mode == "version":
        print(f"DuckDB {duckdb.__version__}")
    elif mode == "run":
        run([Path(file).read_text() for file in rest], names)
    elif mode == "rewrite":
        files = sorted(Path(rest[0]).glob("*.parquet"))
        copies = [f"COPY (FROM '{file}') TO '{names['out']}/{file.name}' ({WRITTEN});" for file in files]
        run(["SET threads = {threads}; SET memory_limit = '{memory}'; SET temp_directory = '{temp}';",
             *copies], names)
    elif mode == "compare":
        return compare(Path(rest[0]), Path(rest[1]))
    return 0


def run(scripts, names):
    database = duckdb.connect()
    for script in scripts:
        for name, value in names.items():
            script = script.replace("{" + name + "}", value)
        database.execute(script)


def compare(ours, theirs):
    """Prints what differs. Equal columns have equal sums of hashes whatever the order; the order is
    compared by the hashes of ids with their row numbers."""
    database = duckdb.connect()
    database.execute("SET memory_limit = '2GB'")
    wrong = 0
    for file in sorted(ours.glob("*.parquet")):
        found = []
        for place in (ours, theirs):
            path = place / file.name
            columns = [row[0] for row in database.execute(f"DESCRIBE FROM '{path}'").fetchall()]
            sums = ", ".join(f'sum(hash("{column}"))' for column in columns)
            query = (f"SELECT count(*), sum(hash(id, file_row_number)), {sums} "
                     f"FROM read_parquet('{path}', file_row_number = true)")
            found.append(dict(zip(["rows", "order", *columns], database.execute(query).fetchone())))
        for name in sorted(found[0].keys() | found[1].keys()):
            if found[0].get(name) != found[1].get(name):
                wrong += 1
                print(f"{file.stem}: `{name}` differs")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
