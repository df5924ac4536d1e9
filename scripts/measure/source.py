"""Builds the programs and makes the sources that are measured."""

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

from . import process

ROOT = Path(__file__).resolve().parent.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
ENDINGS = {"archive": ".zip", "dataset": ".json"}
SAMPLE = ROOT / "tests/fixtures/sample-backup.zip"


def build(profile):
    command = ["cargo", "build", "--quiet", "--profile", profile, "--bin", "rethread",
               "--example", "generate"]
    if subprocess.run(command, cwd=ROOT).returncode:
        sys.exit("error: the build failed")


def program(name, args):
    folder = Path(args.programs) if args.programs else \
        TARGET / ("debug" if args.profile == "dev" else args.profile)
    return (folder / name).resolve()


def generated(parts, args, kind=None, payload_scale=None):
    """The source of so many parts, made when it is not there yet by this very generator."""
    kind = kind or args.kind
    scale = args.payload_scale if payload_scale is None else payload_scale
    code = hashlib.sha256()
    for file in sorted((ROOT / "scripts/generator").glob("*.rs")):
        code.update(file.read_bytes())
    options = ["--kind", kind, "--parts", str(parts), "--seed", str(args.seed), "--links", args.links,
               "--dirty", str(args.dirty), "--payload-scale", str(scale)]
    code.update("\0".join(options).encode())
    place = args.work / "sources" / f"{kind}-{parts}-{code.hexdigest()[:12]}{ENDINGS.get(kind, '')}"
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        partial = place.with_name("." + place.name)
        process.remove(partial)
        figures, _, said = process.run([program("examples/generate", args), *options, "--out", partial])
        if figures["exit"]:
            sys.exit(f"error: the generator failed\n{said}")
        partial.rename(place)
    return place


class Source:
    """What is exported: a path, how many rows it has, how many bytes it inflates to."""

    def __init__(self, path):
        self.path, self.bytes = path, process.size(path)
        self.inflated, self.rows = self.bytes, None
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                self.inflated = sum(entry.file_size for entry in archive.infolist())
                self.rows = sum(json.loads(archive.read("config.json"))["counts"].values())

    def count(self, snapshot):
        """Takes the rows from the snapshot's own account where the source does not tell them."""
        described = snapshot / "data/snapshot.json"
        if self.rows is None and described.is_file():
            self.rows = sum(table["rows"] for table in json.loads(described.read_text())["tables"])
