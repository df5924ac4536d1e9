"""Ours and the opponents of a stage in turn (A B A B …), so that a busy machine hits all alike."""

import sys

from . import process


class Side:
    """A command with what goes before each of its runs, and what is asked of its last result.

    `prepare` makes room and is not timed; `check` gives a text that says what is wrong, or None;
    `missing` says why the command cannot run at all."""

    def __init__(self, name, command, does="", prepare=None, check=None, missing=None, text=None,
                 cwd=None, after=None):
        self.name, self.command, self.does = name, command, does
        self.prepare, self.check, self.missing = prepare, check, missing
        self.text, self.cwd, self.after = text, cwd, after
        self.runs, self.wrong, self.stdout = [], None, ""

    def run(self):
        if self.prepare:
            self.prepare()
        command = self.command() if callable(self.command) else self.command
        text = self.text() if callable(self.text) else self.text
        figures, self.stdout, said = process.run(command, cwd=self.cwd, text=text)
        self.runs.append(figures)
        if figures["exit"]:
            self.wrong = f"ended with {figures['exit']}: {said.strip()[-600:]}"
        elif self.check and not self.wrong:
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


class Goal:
    """The most that ours may take, as a multiple of the opponent at `index` or of another figure."""

    def __init__(self, most, index=0, key="seconds", says=""):
        self.most, self.index, self.key, self.says = most, index, key, says


def hold(stage, ours, theirs, runs, goals=(), **more):
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
    for at, opponent in enumerate(account["opponents"]):
        add_ratio(account["ours"], opponent, [goal for goal in goals if goal.index == at])
    return account


def failed_before(side):
    return bool(side.runs) and side.runs[-1]["exit"] != 0


def add_ratio(ours, opponent, goals):
    """Ours by theirs; of an opponent that gave the wrong answer nothing is said."""
    goal = goals[0] if goals else None
    key = goal.key if goal and goal.key in ours else "seconds"
    if goal and goal.key != "seconds" and goal.key not in ours:
        opponent["no_figure"] = goal.key
        return
    if ours.get(key) and opponent.get("seconds") and "wrong" not in opponent:
        opponent["ratio"] = round(ours[key] / opponent["seconds"], 3)
        opponent["ratio_of"] = key
        if goal:
            opponent["goal"] = goal.most
            opponent["holds"] = opponent["ratio"] <= goal.most
