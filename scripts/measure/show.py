"""Tables of what was measured: for a terminal and for the README."""

import math

HEAD = ["stage", "seconds", "rows/s", "MB/s", "peak MiB", "opponent", "seconds", "peak MiB", "ratio", "CPU", "goal"]


def finish(account, rows, transform=None):
    """Adds rates, and goals that stand by themselves, to the account of a stage."""
    ours = account["ours"]
    seconds = ours.get("seconds")
    if not seconds:
        return
    if "bytes" in account:
        ours["mb_per_second"] = round(account["bytes"] / 1e6 / seconds, 1)
        ours["rows_per_second"] = round(rows / seconds) if rows else None
    if "most_seconds" in account:
        account |= {"goal": f"≤ {account['most_seconds']} s", "holds": seconds <= account["most_seconds"]}
    if "least_mb" in account:
        account |= {"goal": f"≥ {account['least_mb']} MB/s",
                    "holds": ours["mb_per_second"] >= account["least_mb"]}
    most = account.pop("of_transform", None)
    if most and transform and transform.get("seconds"):
        own = {"name": "own transform", "against": "seconds", "goal": most}
        own |= {key: transform[key] for key in ("seconds", "cpu_seconds", "peak_mib")}
        own["ratio"] = round(seconds / own["seconds"], 3)
        own["cpu_ratio"] = round(ours["cpu_seconds"] / max(own["cpu_seconds"], 1e-3), 3)
        own["holds"] = own["ratio"] <= most
        account["opponents"].append(own)


# Figures of ours that an opponent may stand beside, and what they are called.
PARTS = {"seconds": "", "parquet_seconds": "  Parquet part", "own_seconds": "  after verification"}


def lines(stages):
    """Rows of the table: a stage, its parts, and beside each the opponents, one a row."""
    for account in stages:
        for key, said in PARTS.items():
            opponents = [one for one in account["opponents"] if one["against"] == key]
            if key != "seconds" and not opponents and key not in account["ours"]:
                continue
            first = stage(account) if key == "seconds" else part(account["ours"], key, said)
            if not opponents:
                yield [*first, "", "", "", "", "", held(account.get("goal", ""), account.get("holds"))
                       if key == "seconds" else ""]
            for at, opponent in enumerate(opponents):
                yield (first if at == 0 else [""] * 5) + theirs(opponent)


def stage(account):
    ours = account["ours"]
    seconds = "failed" if "failed" in account else time(ours.get("seconds"))
    return [account["stage"], seconds, number(ours.get("rows_per_second")),
            number(ours.get("mb_per_second"), 1), number(ours.get("peak_mib"))]


def part(ours, key, said):
    return [said, time(ours.get(key)) or "not told", "", "", ""]


def theirs(opponent):
    state = "missing" if "missing" in opponent else "wrong" if "wrong" in opponent else ""
    goal = f"≤ {opponent['goal']:.2f}" if "goal" in opponent else ""
    return [opponent["name"], state or time(opponent.get("seconds")), number(opponent.get("peak_mib")),
            number(opponent.get("ratio"), 2), number(opponent.get("cpu_ratio"), 2),
            held(goal, opponent.get("holds"))]


def time(seconds):
    return number(seconds, 2 if (seconds or 0) >= 1 else 3)


def held(goal, holds):
    return f"{goal} {'yes' if holds else 'no'}" if goal and holds is not None else goal


def number(value, digits=0):
    return "" if value is None else f"{value:,.{digits}f}"


def title(result):
    rows = f"{result['rows']:,} rows, " if result.get("rows") else ""
    return (f"{result['title']}: {rows}{result['source_bytes'] / 1e6:,.1f} MB of {result['kind']}, "
            f"{result['json_bytes'] / 1e6:,.1f} MB inflated")


def plain(result):
    table = [HEAD, *lines(result["stages"])]
    widths = [max(len(row[at]) for row in table) for at in range(len(HEAD))]
    left = {0, 5, 10}
    text = ["  ".join(cell.ljust(width) if at in left else cell.rjust(width)
                      for at, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in table]
    return f"\n{title(result)}\n" + "\n".join(text)


def markdown(report):
    """The tables as the README has them."""
    machine, versions = report["machine"], report["versions"]
    out = [f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB; medians of "
           f"{report['options']['runs']} runs, ours and theirs in turn; {', '.join(versions.values())}. "
           "Ratio: ours / theirs, in seconds and in CPU seconds; MB: of JSON, for `check` of files; a peak of "
           "about 25 MiB is the measuring script's."]
    for result in report["results"]:
        out += ["", f"**{title(result)}**", "", row(HEAD), row(["---"] + ["--:"] * 4 + ["---"] + ["--:"] * 4 + ["---"])]
        out += [row(cells) for cells in lines(result["stages"])]
    for name in ("growth", "payloads", "shapes"):
        table = report.get(name)
        if table:
            out += ["", f"**{table['title']}**", "", row(table["head"]), row(["---"] * len(table["head"]))]
            out += [row(cells) for cells in table["rows"]]
    return "\n".join(out) + "\n"


def row(cells):
    return "| " + " | ".join(cell.strip().replace("|", "\\|") for cell in cells) + " |"


def told(table):
    """A small table for the terminal."""
    rows = [table["head"], *table["rows"]]
    widths = [max(len(cells[at]) for cells in rows) for at in range(len(table["head"]))]
    return f"\n{table['title']}\n" + "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip() for cells in rows)


def by_stage(result):
    return {account["stage"]: account["ours"] for account in result["stages"] if "bytes" in account}


def growth(results):
    """How seconds grow with ten times the rows, and peaks with a row more, from size to size."""
    found = {"title": "Growth with rows", "rows": [],
             "head": ["stage", "rows", "seconds for 10 x rows", "goal", "peak bytes per row more"]}
    sized = sorted((result for result in results if result.get("rows")), key=lambda result: result["rows"])
    for small, large in zip(sized, sized[1:]):
        if large["rows"] == small["rows"]:
            continue
        decades = math.log10(large["rows"] / small["rows"])
        before = by_stage(small)
        for stage, after in by_stage(large).items():
            first = before.get(stage, {})
            if not (first.get("seconds") and after.get("seconds")):
                continue
            factor = (after["seconds"] / first["seconds"]) ** (1 / decades)
            added = (after["peak_mib"] - first["peak_mib"]) * (1 << 20) / (large["rows"] - small["rows"])
            found["rows"].append([stage, f"{small['rows']:,} to {large['rows']:,}", f"{factor:.2f}",
                                  held("≤ 10.5", factor <= 10.5), f"{added:,.1f}"])
    return found if found["rows"] else None


def payloads(plain_result, scaled, scale):
    """Peaks with payloads so many times larger beside the plain ones."""
    found = {"title": f"Peak memory with payloads {scale:g} times larger", "rows": [],
             "head": ["stage", "plain MiB", "larger MiB", "ratio", "goal"]}
    before = by_stage(plain_result)
    for stage, after in by_stage(scaled).items():
        first = before.get(stage, {})
        if first.get("peak_mib") and after.get("peak_mib"):
            ratio = after["peak_mib"] / first["peak_mib"]
            found["rows"].append([stage, number(first["peak_mib"]), number(after["peak_mib"]), f"{ratio:.2f}",
                                  held("< 1.10", ratio < 1.10)])
    return found
