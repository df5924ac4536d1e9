"""The opponent of the import into SQLite: `.import` of the same rows by SQLite's own program.

`.import` knows no NULL: an absent value is an empty text to it, which columns of numbers and JSON
refuse. So it fills a view, whose trigger puts the row into the table with NULLs; that was as fast as
a table in between, and needs no second copy of the rows."""

import sqlite3
import subprocess

BOOKKEEPING = "rethread_imports"
SETTINGS = """PRAGMA page_size=16384;
PRAGMA journal_mode=OFF;
PRAGMA synchronous=OFF;
PRAGMA locking_mode=EXCLUSIVE;
PRAGMA cache_size=-131072;
PRAGMA foreign_keys=OFF;
BEGIN;
"""


def quoted(names):
    return ", ".join('"' + name.replace('"', '""') + '"' for name in names)


class Model:
    """The schema of a finished import, and its rows as CSV."""

    def __init__(self, database, folder):
        self.folder = folder
        ours = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
        ask = lambda sql, *values: ours.execute(sql, values).fetchall()
        self.tables = {name: sql for name, sql in ask(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'table' ORDER BY rowid") if name != BOOKKEEPING}
        self.indexes = [sql for sql, in ask(
            "SELECT sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY rowid")]
        self.columns = {table: ask("SELECT name, \"notnull\" OR pk FROM pragma_table_info(?)", table)
                        for table in self.tables}
        self.facts = self.facts_of(ours)
        ours.close()
        folder.mkdir(parents=True, exist_ok=True)
        for table in self.tables:
            with open(folder / f"{table}.csv", "w") as out:
                subprocess.run(["sqlite3", "-csv", str(database), f"SELECT * FROM {quoted([table])}"],
                               stdout=out, check=True)

    def facts_of(self, database):
        """Rows of every table, how many of its values are there, and how long they are."""
        facts = {}
        for table, columns in self.columns.items():
            sums = ", ".join(f"count({quoted([name])}), sum(length({quoted([name])}))"
                             for name, _ in columns)
            facts[table] = database.execute(
                f"SELECT count(*), {sums} FROM {quoted([table])}").fetchone()
        return facts

    def check(self, place):
        theirs = sqlite3.connect(f"file:{place}?mode=ro", uri=True)
        facts = self.facts_of(theirs)
        indexes = theirs.execute("SELECT count(*) FROM sqlite_schema WHERE type = 'index' "
                                 "AND sql IS NOT NULL").fetchone()[0]
        theirs.close()
        wrong = [table for table in self.tables if facts[table] != self.facts[table]]
        if indexes != len(self.indexes):
            wrong.append("indexes")
        return f"{', '.join(wrong)} differ from ours" if wrong else None

    def script(self, indexes_first):
        """What `sqlite3` is told, on its stdin."""
        load = [f"{sql};" for sql in self.tables.values()]
        indexes = [f"{sql};" for sql in self.indexes]
        load += indexes if indexes_first else []
        load.append(".mode csv")
        for table, columns in self.columns.items():
            values = ", ".join(f"NEW.{quoted([name])}" if needed else f"nullif(NEW.{quoted([name])}, '')"
                               for name, needed in columns)
            load += [f"CREATE VIEW {quoted([table + ' rows'])} AS SELECT * FROM {quoted([table])};",
                     f"CREATE TRIGGER {quoted([table + ' row'])} INSTEAD OF INSERT ON "
                     f"{quoted([table + ' rows'])} BEGIN INSERT INTO {quoted([table])} "
                     f"VALUES ({values}); END;",
                     f".import '{self.folder / table}.csv' \"{table} rows\"",
                     f"DROP VIEW {quoted([table + ' rows'])};"]
        load += [] if indexes_first else indexes
        return SETTINGS + "\n".join(load) + "\nCOMMIT;\n"
