"""Ours and the opponents of a stage in turn (A B A B …), so that a busy machine hits all alike."""

import sys

from . import process


class Side:
    """A command with what goes before each of its runs, and what is asked of its last result.

    `prepare` makes room, `after` takes it back, neither is timed; `check` is asked after the first
    run and gives a text that says what is wrong, or None; `missing` says why the command cannot run at all. Of an opponent, `against` names
    the figure of ours that stands beside its seconds, and `most` how many times as large that may be."""

    def __init__(self, name, command, does="", prepare=None, check=None, missing=None, text=None,
                 after=None, against="seconds", most=None):
        self.name, self.command, self.does = name, command, does
        self.prepare, self.check, self.missing = prepare, check, missing
        self.text, self.after = text, after
        self.against, self.most = against, most
        self.runs, self.wrong, self.stdout = [], None, ""

    def run(self):
        if self.prepare:
            self.prepare()
        command = self.command() if callable(self.command) else self.command
        text = self.text() if callable(self.text) else self.text
        figures, self.stdout, said = process.run(command, text=text)
        self.runs.append(figures)
        if figures["exit"]:
            self.wrong = f"ended with {figures['exit']}: {said.strip()[-600:]}"
        elif self.check and len(self.runs) == 1:
            self.wrong = self.check()
        if self.after:
            self.after()
        return figures["exit"] == 0

    def account(self):
        found = {"name": self.name, "does": self.does}
        if self.missing:
            return found | {"missing": self.missing}
        if self.wrong:
            found["wrong"] = self.wrong
        return found | (process.summary(self.runs) or {}) | {"runs": self.runs}


def hold(stage, ours, theirs, runs, **more):
    """Runs all sides in turn and gives the account of the stage; `failed` where ours did."""
    for side in theirs:
        if side.missing:
            print(f"  {stage}: no {side.name}: {side.missing}", file=sys.stderr, flush=True)
    failed = False
    for _ in range(runs):
        if not ours.run():
            failed = True
            break
        for side in theirs:
            if not side.missing and not failed_before(side):
                side.run()
    account = {"stage": stage, **more, "ours": ours.account(), "opponents": [s.account() for s in theirs]}
    for side in [ours, *theirs]:
        if side.wrong:
            print(f"error: {stage}: {side.name}: {side.wrong}", file=sys.stderr, flush=True)
    if failed:
        account["failed"] = True
    for side, opponent in zip(theirs, account["opponents"]):
        add_ratio(account["ours"], opponent, side)
    return account


def failed_before(side):
    return bool(side.runs) and side.runs[-1]["exit"] != 0


def add_ratio(ours, opponent, side):
    """Ours by theirs; of an opponent that gave the wrong answer nothing is said."""
    opponent["against"] = side.against
    if not opponent.get("seconds") or "wrong" in opponent:
        return
    if ours.get(side.against):
        opponent["ratio"] = round(ours[side.against] / opponent["seconds"], 3)
        if side.most:
            opponent |= {"goal": side.most, "holds": opponent["ratio"] <= side.most}
    if side.against == "seconds" and ours.get("cpu_seconds") and opponent.get("cpu_seconds"):
        opponent["cpu_ratio"] = round(ours["cpu_seconds"] / opponent["cpu_seconds"], 3)
    elif side.against != "seconds" and ours.get("seconds"):
        opponent["ratio_of_whole"] = round(ours["seconds"] / opponent["seconds"], 3)
