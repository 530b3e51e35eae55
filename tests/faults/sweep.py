#!/usr/bin/env python3
"""Sweep faults over runs of the test variant.

usage: sweep.py [--seed N] [--threads N] [--only MODE:KIND:POINT:OCCURRENCE:RETRIES] [--modes A,B] [--limit N] [--plan] [--sample] [--whole] [--around]

A server is described by FAULTS_SERVER (JSON, from tools/faults). Every scenario is one run with a fault, and one
without; see scenario.py for what must hold. Ends with a table of points and outcomes.
"""
import argparse
import collections
import json
import os
import queue
import random
import re
import shutil
import sys
import threading
import time
import traceback

import around
from bench import Bench, Broken
from modes import MODES
from scenario import Scenario, play, record

CHUNK = 12  # scenarios of one mode that a bench does in a row
FAILURES = "build/faults/failures"


def read_points():
    """The table: name -> (place, whether it can fail)."""
    with open("base/fault_points.h", encoding="utf-8") as f:
        found = re.findall(r"\bX\((\w+), (\w+), (true|false)\)", f.read())
    return {name: (place, can_fail == "true") for name, place, can_fail in found if place != "UNUSED"}


# How many of the modes that reach a point get a kind, chosen by the seed; with --whole, all of them.
SHARE = {"kill": 99, "error": 4, "cut": 4, "peer": 1, "int": 1, "final": 1, "hang": 1}
SHARE_WHOLE = {"kill": 99, "error": 99, "cut": 99, "peer": 2, "int": 2, "final": 2, "hang": 1}
OFTEN = ("kill", "error", "cut")

# Written when time has passed, and not in each run.
TIMED = ("LINK_SEND_PROGRESS", "LINK_RECV_PROGRESS")


def kinds_of(place, can_fail, has_peer):
    kinds = ["kill", "int"]
    if has_peer:
        kinds.append("peer")
    if can_fail:
        kinds += ["error", "final"]
    if place in ("SOURCE", "DEST", "GUEST"):
        kinds.append("cut")
    # Only a kill from outside would end a supervisor that hangs, which is the kind "kill".
    if place not in ("SUPERVISOR", "LINK"):
        kinds.append("hang")
    return kinds


def occurrences_of(kind, n, point, rng, whole):
    """The first and the second; of a point that is passed often, later ones, too."""
    if kind not in OFTEN:
        return [rng.choice(range(1, min(n, 2) + 1))]
    if not whole:
        # Each of them in one mode or another.
        later = rng.sample(range(3, n + 1), min(n - 2, 3)) if n > 3 and point.startswith("STATEMENT") else []
        return [rng.choice(range(1, min(n, 3) + 1))] + later
    often = 4 if point.startswith("STATEMENT") else 1
    later = rng.sample(range(3, n + 1), min(n - 2, often)) if n > 3 else []
    return [o for o in (1, 2) if o <= n] + later


def select(modes, points, recorded, rng, whole):
    """The scenarios of one sweep, by mode."""
    plain = set().union(*[recorded[m.name] for m in modes if not m.special])
    reach = collections.defaultdict(list)  # point: the modes whose runs pass it
    for mode in modes:
        for point in recorded[mode.name]:
            place = points[point][0]
            if mode.special and point in plain or mode.second and place not in ("SOURCE", "DEST", "GUEST"):
                continue
            reach[point].append(mode)
    found = []
    for point, by in reach.items():
        for kind, share in (SHARE_WHOLE if whole else SHARE).items():
            for mode in rng.sample(by, min(share, len(by))):
                n, has_peer = recorded[mode.name][point]
                if kind not in kinds_of(*points[point], has_peer):
                    continue
                occurrences = [1] if mode.second else occurrences_of(kind, n, point, rng, whole)
                found += [Scenario(mode, kind, point, o, rng.choice((0, 2))) for o in occurrences]
    return found


def sample(scenarios, points, rng):
    """One of each point, all kinds and modes in turn."""
    rng.shuffle(scenarios)
    used, found = collections.Counter(), []
    for point in points:
        own = [s for s in scenarios if s.point == point]
        if own:
            # A time-out is waited for: few of them.
            best = min(own, key=lambda s: used[s.kind] * (8 if s.kind == "hang" else 1) + used[s.mode.name])
            used[best.kind] += 1
            used[best.mode.name] += 1
            found.append(best)
    return found


class Sweep:
    def __init__(self, args):
        self.args = args
        self.rng = random.Random(args.seed)
        self.points = read_points()
        self.server = json.loads(os.environ["FAULTS_SERVER"])
        self.benches = []
        self.lock = threading.Lock()
        self.results, self.signal_ms = [], 0
        self.skipped = None
        self.began = time.monotonic()

    def bench(self, number):
        bench = Bench(self.server, number, self.server["folder"], self.server["aot"])
        bench.mode = None
        return bench

    def each_bench(self, work):
        """Runs work(bench) on each bench at once."""
        errors = []

        def guarded(bench):
            try:
                work(bench)
            except Exception:
                errors.append(traceback.format_exc())

        threads = [threading.Thread(target=guarded, args=(b,)) for b in self.benches]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            sys.exit("\n".join(errors))

    def from_queue(self, items, work):
        todo = queue.Queue()
        for item in items:
            todo.put(item)

        def drain(bench):
            while True:
                try:
                    item = todo.get_nowait()
                except queue.Empty:
                    return
                work(bench, item)

        self.each_bench(drain)

    def record(self, modes):
        recorded = {}
        self.from_queue(modes, lambda bench, mode: recorded.__setitem__(mode.name, record(bench, mode)))
        return recorded

    def plan(self, modes, recorded):
        seen = set().union(*recorded.values())
        self.unreached = [p for p in self.points if p not in seen]
        scenarios = select(modes, self.points, recorded, self.rng, self.args.whole)
        self.rng.shuffle(scenarios)
        return sample(scenarios, self.points, self.rng) if self.args.sample else scenarios

    def one(self, bench, scenario):
        for _ in range(3):
            try:
                play(bench, scenario)
                if scenario.outcome != "missed":
                    break
            except Broken as e:
                scenario.broken = str(e)
                bench.mode = None
                self.keep(scenario)
                break
            except Exception:
                scenario.broken = traceback.format_exc()
                bench.mode = None
                self.keep(scenario)
                break
        if scenario.outcome == "missed" and not scenario.broken:
            # How often a message comes depends on how the others are cut up, and how often a statement on whether the plan
            # was asked for twice. What is told a second time depends on which process was first to find out.
            varies = "-" in scenario.point or scenario.point.startswith("STATEMENT")
            told_twice = scenario.occurrence > 1 and scenario.point.endswith("_LOG")
            if scenario.point in TIMED or scenario.occurrence > 2 and varies or told_twice:
                return
            scenario.broken = "the point was not reached"
            self.keep(scenario)
        with self.lock:
            self.results.append(scenario)
            if scenario.broken:
                print(f"FAILED {scenario.name}: {scenario.broken}", flush=True)
            elif len(self.results) % 100 == 0:
                print(f"{len(self.results)} scenarios, {time.monotonic() - self.began:.0f} s", flush=True)

    def keep(self, scenario):
        os.makedirs(FAILURES, exist_ok=True)
        with open(os.path.join(FAILURES, scenario.name.replace(":", "_")), "w", encoding="utf-8") as f:
            f.write(f"{scenario.broken}\n{scenario.log}")

    def chunks(self, scenarios):
        by_mode = collections.defaultdict(list)
        for scenario in scenarios:
            by_mode[scenario.mode.name].append(scenario)
        found = [v[i:i + CHUNK] for v in by_mode.values() for i in range(0, len(v), CHUNK)]
        self.rng.shuffle(found)
        return found

    def sweep(self, scenarios):
        self.from_queue(self.chunks(scenarios), self.work)
        self.signal_ms = max(b.limits["signal_ms"] for b in self.benches)

    def around(self, modes):
        """What comes from around the processes."""
        proxied = [m for m in modes if m.name in around.PROXIED]
        recorded = {}
        self.from_queue(proxied, lambda b, m: recorded.__setitem__(m.name, around.record_messages(b, m)))
        scenarios = around.proxy_scenarios(proxied, recorded, self.rng)
        self.rng.shuffle(scenarios)
        self.from_queue(self.chunks(scenarios), self.work)
        self.full_disks(around.full_disk_scenarios(modes, self.rng))
        self.restarts(around.restart_scenarios(modes, self.rng))

    def full_disks(self, scenarios):
        bench = self.bench(90)
        self.skipped = around.prepare_disks(bench)
        if not self.skipped:
            self.work(bench, scenarios)
            around.release_disks(bench)

    def restarts(self, scenarios):
        bench = Bench(json.loads(os.environ["FAULTS_CRASHING_SERVER"]), 91, self.server["folder"], self.server["aot"])
        bench.mode = None
        self.work(bench, scenarios)

    def only(self, modes, name):
        """One scenario, as it is named when it fails."""
        mode_name, kind, point, occurrence, retries = name.split(":")
        mode = next(m for m in modes if m.name == mode_name)
        kinds = {"restart": (around.RestartScenario, self.restarts),
                 "full-state": (around.FullDiskScenario, self.full_disks),
                 "full-destination": (around.FullDiskScenario, self.full_disks)}
        make, sweep = kinds.get(kind, (around.ProxyScenario if "-" in point else Scenario, self.sweep))
        self.unreached = []
        sweep([make(mode, kind, point, int(occurrence), int(retries))])

    def work(self, bench, chunk):
        for scenario in chunk:
            self.one(bench, scenario)

    def table(self):
        columns = ["ok", "partial", "failed", "cancelled", "killed"]
        rows = collections.defaultdict(collections.Counter)
        for s in self.results:
            rows[s.point][s.outcome] += 1
            rows[s.point]["all"] += 1
            rows[s.point]["exact"] += not s.broken
        print(f"\n{'point':28} {'where':11}" + "".join(f"{c:>10}" for c in ["scenarios"] + columns + ["exact"]))
        places = {p: place for p, (place, _) in self.points.items()}
        for point in list(places) + sorted(p for p in rows if p not in places):
            row, place = rows[point], places.get(point, "proxy")
            if row["all"]:
                print(f"{point:28} {place:11}{row['all']:10}" + "".join(f"{row[c]:10}" for c in columns) +
                      f"{row['exact']:10}")

    def close(self):
        """Prints what it came to; the exit code."""
        failed = [s for s in self.results if s.broken]
        self.table()
        if self.skipped:
            print(f"skipped: full disks: {self.skipped}")
        for point in self.unreached:
            print(f"no mode reaches the point {point}")
        kinds = collections.Counter(s.kind for s in self.results)
        print("\n" + ", ".join(f"{k}: {n}" for k, n in sorted(kinds.items())))
        print(f"seed {self.args.seed}, {time.monotonic() - self.began:.0f} s; longest time from a signal to the end: "
              f"{self.signal_ms:.0f} ms")
        for s in failed:
            print(f"not exact: make faults ONLY={s.name}   # {FAILURES}")
        n_points = len({s.point for s in self.results})
        print(f"{n_points} points, {len(self.results)} scenarios, {len(self.results) - len(failed)} exact, "
              f"{len(failed)} failed")
        return 1 if failed or self.unreached or not self.results else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=3)
    parser.add_argument("--only", default="")
    parser.add_argument("--modes", default="")
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--plan", action="store_true")
    parser.add_argument("--sample", action="store_true")
    parser.add_argument("--around", action="store_true")
    parser.add_argument("--whole", action="store_true")
    args = parser.parse_args()
    shutil.rmtree(FAILURES, ignore_errors=True)
    sweep = Sweep(args)
    modes = [m for m in MODES if not args.modes or m.name in args.modes.split(",")]
    if args.only:
        sweep.benches = [sweep.bench(0)]
        sweep.only(modes, args.only)
        return sweep.close()
    sweep.benches = [sweep.bench(i) for i in range(args.threads)]
    scenarios = sweep.plan(modes, sweep.record(modes))
    if args.modes:
        sweep.unreached = []
    if args.limit:
        scenarios = sweep.rng.sample(scenarios, min(args.limit, len(scenarios)))
    print(f"{len(scenarios)} scenarios in {len(modes)} modes, seed {args.seed}", flush=True)
    if args.plan:
        counts = collections.Counter((s.mode.name, s.kind) for s in scenarios)
        for key, n in sorted(counts.items()):
            print(*key, n)
        print(sweep.unreached)
        return 0
    if not args.around:
        sweep.sweep(scenarios)
    if args.around or not (args.sample or args.modes or args.limit):
        sweep.around(modes)
    return sweep.close()


if __name__ == "__main__":
    sys.exit(main())
