"""The stages of a migration and what each is measured against."""

import itertools
import json
import os
import shutil
import sys
import zipfile
from pathlib import Path

from . import process, sqlite
from .contest import Side, hold
from .source import ROOT, SAMPLE, Source, generated, program

OPPONENTS = ROOT / "scripts/opponents"
NAMES = ["export", "dataset", "transform", "check", "verify", "report", "import", "start", "sample"]
NEEDED = ["export", "transform"]


class Round:
    """One source on its way through the stages, in a folder that is removed at the end."""

    def __init__(self, source, args, tell):
        self.source, self.args, self.tell = source, args, tell
        self.work = args.work / f"run-{os.getpid()}"
        process.remove(self.work)
        self.work.mkdir(parents=True)
        self.snapshot = self.work / "snapshots/bench"
        self.bundle, self.model = None, None
        self.rethread = program("rethread", args)
        self.limits = ["--memory-limit", args.memory_limit] if args.memory_limit else []
        self.alone = args.alone

    def close(self):
        if not self.args.keep:
            process.remove(self.work)

    def ours(self, command, *words):
        return [self.rethread, command, *words, *self.limits]

    def hold(self, stage, ours, theirs=(), data=None, **more):
        """Holds a contest and tells it; without opponents where ours alone are measured."""
        theirs = [] if self.alone else list(theirs)
        more["bytes"] = self.source.inflated if data is None else data
        account = hold(stage, ours, theirs, self.args.runs, **more)
        self.tell(account)
        return "failed" not in account

    def go(self, stages):
        """Goes through the stages; export and transform run once where only later ones are asked for."""
        needs = {"export": 0, "dataset": 0, "start": 0, "sample": 0, "transform": 1}
        needed = NEEDED[:max((needs.get(stage, 2) for stage in stages), default=0)]
        for name in NAMES:
            if name in stages:
                if not getattr(self, "imports" if name == "import" else name)():
                    return
            elif name in needed and not self.silently(name):
                return

    def silently(self, stage):
        figures, stdout, said = process.run(self.once(stage))
        if figures["exit"]:
            print(f"error: {stage}: {said}", file=sys.stderr)
            return False
        self.learn(stage, stdout)
        return True

    def once(self, stage):
        if stage == "export":
            return self.ours("export", self.source.path, "--to", self.snapshot)
        return self.ours("transform", self.snapshot, "--out", self.work / "out")

    def learn(self, stage, stdout):
        if stage == "export":
            self.source.count(self.snapshot)
        elif stdout.strip():
            self.bundle = Path(stdout.strip().splitlines()[-1])

    # ── Stages ───────────────────────────────────────────────────────────────

    def export(self):
        ours = Side("rethread export", self.once("export"), "reads, checks, digests, writes a sealed snapshot",
                    prepare=lambda: process.remove(self.snapshot))
        theirs = []
        if self.source.path.suffix == ".zip":
            unzip = Side("unzip -p | wc -c", ["sh", "-c", 'unzip -p "$1" | wc -c', "sh", self.source.path],
                         "inflates and counts bytes", missing=absent("unzip"), most=1 / 0.6)
            unzip.check = lambda: None if int(unzip.stdout) == self.source.inflated else "another size"
            theirs = [unzip]
        held = self.hold("export", ours, theirs)
        self.source.count(self.snapshot)
        return held

    def dataset(self):
        """A dataset envelope of as many rows; nothing else depends on it."""
        if self.source.parts is None or self.source.kind != "archive":
            return True
        path = generated(self.source.parts, self.args, kind="dataset")
        place = self.work / "dataset"
        ours = Side("rethread export", self.ours("export", path, "--to", place),
                    "the same out of one JSON file", prepare=lambda: process.remove(place))
        self.hold("export dataset", ours, data=process.size(path), least_mb=150)
        process.remove(place)
        if self.source.parts > 1_000_000 and not self.args.keep:
            process.remove(path)
        return True

    def transform(self):
        parquet, temp = self.work / "duckdb", self.work / "temp"

        def room():
            process.remove(parquet)
            parquet.mkdir()
            temp.mkdir(exist_ok=True)

        names = [f"snapshot={self.snapshot}", f"out={parquet}", f"temp={temp}",
                 f"threads={threads()}", f"memory={self.duckdb_memory()}"]
        duck = [sys.executable, OPPONENTS / "duck.py"]
        missing = without_duckdb()

        def compared():
            figures, told, said = process.run([*duck, "compare", self.bundle / "data/parquet", parquet])
            return None if figures["exit"] == 0 else (told or said)

        def lines():
            wrong = [file.stem for file in sorted((self.bundle / "data/jsonl").glob("*.jsonl"))
                     if not same_lines(file, parquet / file.name)]
            return f"{', '.join(wrong)}: other lines" if wrong else compared()

        def copied():
            wrong = [file.name for file in (self.snapshot / "data/tables").glob("*.parquet")
                     if not (parquet / file.name).exists()]
            return f"not copied: {', '.join(wrong)}" if wrong else None

        def duckdb(name, does, mode, files, check, **more):
            return Side(name, [*duck, mode, *names, *files], does, prepare=room, missing=missing,
                        check=check, after=lambda: process.remove(parquet), **more)

        def begin():
            process.remove(self.work / "out")

        ours = Side("rethread transform", self.once("transform"),
                    "checks the snapshot's seal; decides, moves; six tables and links as Parquet, as JSONL, "
                    "quarantine, repairs, ids, digests, SHA-256 seal", prepare=begin)
        ours.check = lambda: self.learn("transform", ours.stdout)
        script = OPPONENTS / "transform.sql"
        theirs = [
            duckdb("DuckDB: transform.sql", "the same mapping; six tables as Parquet alone", "run", [script],
                   compared, most=1.0),
            duckdb("DuckDB: plain rewrite", "copies the snapshot's tables as they are, unsorted, as Parquet",
                   "rewrite", [self.snapshot / "data/tables"], copied, against="parquet_seconds", most=1.5),
            duckdb("DuckDB: transform.sql, jsonl.sql", "the same mapping; six tables as Parquet and as JSONL", "run",
                   [script, OPPONENTS / "jsonl.sql"], lines)]
        held = self.hold("transform", ours, theirs)
        process.remove(temp)
        return held

    def duckdb_memory(self):
        """As much as makes it fast; of many rows what a small machine has."""
        return self.args.duckdb_memory or ("2GB" if (self.source.rows or 0) >= 5_000_000 else "8GB")

    def check(self):
        for what, folder in [("snapshot", self.snapshot), ("bundle", self.bundle)]:
            files = sorted(file for file in (folder / "data").rglob("*") if file.is_file())
            sums = Side("sha256sum", ["sh", "-c", 'find "$1" -type f -print0 | xargs -0 sha256sum', "sh",
                                      folder / "data"], "hashes the same files", missing=absent("sha256sum"), most=1.0)
            sums.check = lambda: None if len(sums.stdout.splitlines()) == len(files) else "other files"
            ours = Side("rethread check", [self.rethread, "check", folder], "hashes, and looks for other files")
            self.hold(f"check {what}", ours, [sums], data=sum(map(process.size, files)))
        return True

    def verify(self):
        ours = Side("rethread verify", self.ours("verify", self.bundle, "--snapshot", self.snapshot),
                    "reads both folders again and checks every rule")
        return self.hold("verify", ours, of_transform=0.7)

    def report(self):
        return self.hold("report", Side("rethread report", [self.rethread, "report", self.bundle]))

    def imports(self):
        database, theirs_at = self.bundle / "thread.sqlite", self.work / "theirs.sqlite"
        runs_left = [self.args.runs]

        def begin():
            for path in (database, self.bundle / "import", theirs_at):
                process.remove(path)
            runs_left[0] -= 1

        def model():
            if self.model is None:
                self.make_model(database, last=runs_left[0] == 0)
            return self.model

        def side(name, does, indexes_first):
            def room():
                process.remove(theirs_at)
                model()
                if not self.args.keep:
                    process.remove(database)   # the next import makes it anew; both would fill a disk

            return Side(name, ["sqlite3", "-bail", theirs_at], does, prepare=room,
                        missing=absent("sqlite3"), text=lambda: model().script(indexes_first),
                        check=lambda: model().check(theirs_at), after=lambda: process.remove(theirs_at),
                        against="own_seconds")

        ours = Side("rethread import", self.ours("import", self.bundle, "--snapshot", self.snapshot),
                    "verifies; writes, digests, reads back, checks; own seconds are those after verifying",
                    prepare=begin)
        theirs = [side("sqlite3 .import, indexes first", "the same tables, keys and indexes, then the rows", True),
                  side("sqlite3 .import, indexes last", "the same tables and keys, the rows, then the indexes", False)]
        return self.hold("import", ours, theirs)

    def make_model(self, database, last):
        """Writes the CSV files. After the last import nothing needs the rows in other forms."""
        if last and not self.args.keep:
            process.remove(self.snapshot)
            process.remove(self.bundle / "data")
        self.model = sqlite.Model(database, self.work / "csv")

    def start(self):
        for word in ("--version", "--help"):
            ours = Side(f"rethread {word}", [self.rethread, word])
            self.tell(hold(f"start {word}", ours, [], 20, most_seconds=0.05))
        return True

    def sample(self):
        place = self.work / "sample"
        ours = Side("rethread run", [self.rethread, "run", SAMPLE, "--snapshots", place / "snapshots",
                                     "--out", place / "out"], "the sample archive, the whole way",
                    prepare=lambda: process.remove(place))
        self.tell(hold("run sample", ours, [], max(5, self.args.runs), most_seconds=1.0))
        return True


def absent(program_name):
    return None if shutil.which(program_name) else f"`{program_name}` is not installed"


def without_duckdb():
    figures, _, _ = process.run([sys.executable, "-c", "import duckdb"])
    return "Python's `duckdb` is not installed" if figures["exit"] else None


def threads():
    said = os.environ.get("POLARS_MAX_THREADS", "")
    return int(said) if said.isdigit() else os.cpu_count()


def same_lines(ours, theirs):
    """Whether two files hold the same JSON line by line; strings may be escaped in either way."""
    exact = {"parse_float": str, "parse_int": str}
    with open(ours, "rb") as left, open(theirs, "rb") as right:
        for one, other in itertools.zip_longest(left, right):
            if one != other and (not (one and other)
                                 or json.loads(one, **exact) != json.loads(other, **exact)):
                return False
    return True
