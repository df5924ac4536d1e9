"""Sources of an odd shape, each beside a twin of as many rows and bytes in the usual shape."""

import json
import subprocess
import sys
import uuid
import zipfile

from . import process
from .source import program

TIME = "2024-05-06T07:08:%02d.%03dZ"
WORDS = "the quick brown fox jumps over the lazy dog while the agent waits for an answer "


def shapes(scale):
    """Name, and how many contexts, items a context, parts a step, bytes a part, for odd and usual."""
    many, some = max(1, int(1_000_000 * scale)), max(1, int(100_000 * scale))
    large = max(1, int((64 << 20) * scale))
    return [
        (f"one context with {many:,} items", Rows(items=many), Rows(items=many, contexts=max(1, many // 10))),
        (f"one step with {some:,} parts", Rows(parts=some), Rows(parts=some, steps=max(1, some // 5))),
        (f"one part of {large / (1 << 20):g} MiB", Rows(parts=1, part_bytes=large),
         Rows(parts=max(1, large >> 10), steps=max(1, large >> 13), part_bytes=1 << 10)),
        (f"{some:,} contexts with one item", Rows(items=some, contexts=some),
         Rows(items=some + some * 9 // 10, contexts=max(1, some // 10))),
    ]


class Rows:
    """How many rows of each kind; items are spread evenly over contexts, parts over steps. There is
    one execution."""

    def __init__(self, contexts=1, items=1, steps=1, parts=1, part_bytes=300):
        self.contexts, self.items, self.steps = contexts, items, steps
        self.parts, self.part_bytes = parts, part_bytes

    def name(self):
        return f"shape-{self.contexts}-{self.items}-{self.steps}-{self.parts}-{self.part_bytes}.zip"

    def tables(self):
        made = lambda n: TIME % (n // 1000 % 60, n % 1000)
        yield "context_contexts", self.contexts, lambda n: {
            "id": name("context", n), "createdAt": made(n), "key": f"web:{n}", "status": "open",
            "content": {"title": f"Context {n}"}, "currentExecution": None}
        yield "context_events", self.items, lambda n: {
            "id": name("item", n), "createdAt": made(n), "channel": "web", "type": "user.message",
            "status": "stored", "content": {"parts": [{"type": "text", "text": WORDS * 3 + str(n)}]},
            "context": name("context", n % self.contexts), "execution": name("execution", 0)}
        yield "story_executions", 1, lambda n: {
            "id": name("execution", n), "createdAt": made(n), "status": "completed",
            "workflowRunId": "wrun", "context": name("context", 0), "trigger": name("item", 0)}
        yield "story_steps", self.steps, lambda n: {
            "id": name("step", n), "createdAt": made(n), "status": "completed", "iteration": n,
            "triggerEventId": name("item", 0), "eventId": name("item", 0), "execution": name("execution", 0)}
        yield "story_parts", self.parts, self.part

    def part(self, n):
        step = name("step", n % self.steps)
        text = (WORDS * (self.part_bytes // len(WORDS) + 1))[:self.part_bytes]
        return {"id": name("part", n), "key": f"{step}:{n // self.steps}", "stepId": step,
                "idx": n // self.steps, "type": "text", "part": {"type": "text", "text": text},
                "updatedAt": TIME % (n // 1000 % 60, n % 1000), "step": step}


KINDS = {kind: at for at, kind in enumerate(["context", "item", "execution", "step", "part"])}


def name(kind, n):
    """A UUID of version 4 whose order is no more that of `n` than in an app."""
    mixed = (n * 0x9E3779B97F4A7C15 + KINDS[kind] * 0xD1B54A32D192ED03) & ((1 << 64) - 1)
    return str(uuid.UUID(int=mixed << 64 | n << 4 | KINDS[kind], version=4))


def archive(rows, args):
    """Writes the archive; its schema is that of the generator's archives."""
    place = args.work / "sources" / rows.name()
    if place.exists():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    model = args.work / "sources" / ".model.zip"
    done = subprocess.run([program("examples/generate", args), "--plain", "--parts", "200", "--out", model],
                          capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"error: the generator failed\n{done.stderr}")
    with zipfile.ZipFile(model) as archive:
        config = json.loads(archive.read("config.json"))
    process.remove(model)
    tables = list(rows.tables())
    config["counts"] = {table: count for table, count, _ in tables}
    config["tripleCount"] = sum(count * len(row(0)) for _, count, row in tables)
    partial = place.with_name("." + place.name)
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out:
        out.writestr("config.json", json.dumps(config))
        for table, count, row in tables:
            with out.open(f"entities/{table}.jsonl", "w", force_zip64=True) as lines:
                for n in range(count):
                    line = {"entity": row(n), "createdAt": 1714979288000 + n}
                    lines.write(json.dumps(line, separators=(",", ":"), ensure_ascii=False).encode() + b"\n")
    partial.rename(place)
    return place


def table(pairs):
    """Cost per row (per byte, where the odd one is a single large row) against the usual shape."""
    found = {"title": "Odd shapes against the usual one", "rows": [],
             "head": ["shape", "stage", "odd", "usual", "of", "ratio", "goal", "odd MiB", "usual MiB"]}
    for title, odd, usual in pairs:
        by_bytes = odd["rows"] < 100
        units = lambda result: result["json_bytes"] / 1e6 if by_bytes else result["rows"] / 1e6
        others = {account["stage"]: account["ours"] for account in usual["stages"]}
        for account in odd["stages"]:
            ours, other = account["ours"], others.get(account["stage"], {})
            if not (ours.get("seconds") and other.get("seconds")):
                found["rows"].append([title, account["stage"], "failed", *[""] * 6])
                continue
            cost, usually = ours["seconds"] / units(odd), other["seconds"] / units(usual)
            ratio = cost / usually
            found["rows"].append([title, account["stage"], f"{cost:.3f} s", f"{usually:.3f} s",
                                  "1 MB" if by_bytes else "10^6 rows", f"{ratio:.2f}",
                                  f"≤ 1.3 {'yes' if ratio <= 1.3 else 'no'}", f"{ours['peak_mib']:.0f}",
                                  f"{other['peak_mib']:.0f}"])
    return found
