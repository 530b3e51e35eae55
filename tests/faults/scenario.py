"""One scenario: a run with a fault, what shows after it, another run, and what must hold then."""
import os
import shutil

from bench import CANCEL_LIMIT_MS, Broken

OUTCOMES = {0: "ok", 130: "cancelled", 8: "partial", -9: "killed"}


class Scenario:
    def __init__(self, mode, kind, point, occurrence, max_retries=2):
        self.mode, self.kind, self.point, self.occurrence, self.max_retries = mode, kind, point, occurrence, max_retries
        self.outcome, self.broken, self.log = None, None, ""

    @property
    def name(self):
        return f"{self.mode.name}:{self.kind}:{self.point}:{self.occurrence}:{self.max_retries}"

    def fault(self):
        fault = f"{self.kind}:{self.point}:{self.occurrence}:@"
        return f"{self.mode.base};{fault}" if self.mode.base else fault

    # What subclasses do around the run.

    def begin(self, bench):
        pass

    def during(self, bench):
        pass

    def end(self, bench, run):
        pass

    def over(self):
        pass

    def check(self, run):
        pass


def make_ready(bench, mode):
    """A finished load, and something to do; then what is set apart from it. Returns the AOT folder."""
    bench.next_load(mode)
    if bench.mode is not mode or not mode.prepare(bench):
        mode.seed(bench)
        bench.mode = mode
        bench.write_document(mode)
        if not mode.fresh:
            run = bench.run(mode)
            if run.status != 0:
                raise Broken(f"the first load ended with {run.status}: {run.stderr}")
        mode.prepare(bench)
    bench.write_document(mode)
    bench.next_load(mode)
    if mode.leave:
        bench.run(mode, mode.leave)
        bench.await_sessions()
    if mode.lose_state:
        shutil.rmtree(bench.path("state"))
    if not mode.lose_aot:
        return None
    aot = bench.path("aot")
    shutil.rmtree(aot, ignore_errors=True)
    shutil.copytree(bench.aot_dir, aot)
    os.unlink(os.path.join(aot, sorted(os.listdir(aot))[0]))
    return aot


def check_half(bench, mode, before, source, loads_before):
    """After the fault: each stream as before, or as its receipt says. Returns the load that did not end, or None; and
    whether one ended."""
    bench.await_sessions()
    loads, now = bench.loads(), bench.target()
    new = {load: v for load, v in loads.items() if load not in loads_before}
    if len(new) > 1:
        raise Broken(f"more than one load is new: {new}")
    ended, receipts, parts = next(iter(new.values()), (False, {}, {}))
    after = mode.after(before, source)
    for table in mode.tables:
        expected = after[table] if table in receipts else before.get(table)
        if table in parts and table not in receipts:
            expected = bench.first_rows(table, before[table][0] + parts[table])
        if now.get(table) != expected:
            raise Broken(f"{table} holds {now.get(table)}, not {expected}; before {before.get(table)}, source "
                         f"{source[table]}, receipts {receipts}")
    if ended and len(receipts) != len(mode.tables):
        raise Broken(f"the load has ended without receipts: {receipts}")
    return ended, now


def check_signal(bench, run, entry):
    if entry[3] != "int":
        return
    took = run.ended_ms - int(entry[1])
    bench.limits["signal_ms"] = max(bench.limits["signal_ms"], took)
    if took > CANCEL_LIMIT_MS:
        raise Broken(f"{took:.0f} ms from the signal to the end")


def check_cache(aot):
    strange = [n for n in os.listdir(aot) if len(n) != 67 or not n.endswith(".so")]
    if strange:
        raise Broken(f"left in the cache: {strange}")


def run_with_fault(bench, scenario, aot):
    scenario.begin(bench)
    run = None
    try:
        # A compilation takes seconds until it gets to where it hangs.
        limit = "20s" if scenario.mode.lose_aot else "1500ms"
        bench.write_document(scenario.mode, scenario.max_retries, limit if scenario.kind == "hang" else None)
        bench.start(scenario.mode, scenario.fault(), aot)
        scenario.during(bench)
        run = bench.finish()
    finally:
        scenario.end(bench, run)
    return run


def play(bench, scenario):
    aot = make_ready(bench, scenario.mode)
    try:
        play_on(bench, scenario, aot)
    finally:
        scenario.over()


def play_on(bench, scenario, aot):
    mode = scenario.mode
    before, source, loads_before = bench.target(), bench.source(), bench.loads()
    run = run_with_fault(bench, scenario, aot)
    scenario.log += f"--- {scenario.name}: {run.status}\n{run.stderr}\n"
    if run.status is None:
        raise Broken("the run does not end")
    entry = run.fired.get(1 if mode.base else 0)
    scenario.outcome = OUTCOMES.get(run.status, "failed") if entry else "missed"
    if entry:
        check_signal(bench, run, entry)
    scenario.check(run)
    recover(bench, mode, scenario, before, source, loads_before, run, aot)


def recover(bench, mode, scenario, before, source, loads_before, run, aot):
    ended, half = check_half(bench, mode, before, source, loads_before)
    if run.status == 0 and not ended:
        raise Broken("the run says ok, but the load has not ended")
    bench.write_document(mode)
    again = bench.run(mode, aot_dir=aot)
    scenario.log += f"--- again: {again.status}\n{again.stderr}\n"
    if again.status != 0:
        raise Broken(f"the next run ends with {again.status}")
    # Only a load without a key is followed by another one.
    expected = mode.after(half if ended and not mode.keyed else before, source)
    now = bench.target()
    if {t: now.get(t) for t in mode.tables} != expected:
        raise Broken(f"after the next run: {now}, not {expected}")
    unended = [load for load, v in bench.loads().items() if not v[0]]
    if unended:
        raise Broken(f"loads have not ended: {unended}")
    if mode.keyed:
        once_more = bench.run(mode, aot_dir=aot)
        if once_more.status != 0 or bench.target() != now:
            raise Broken(f"the key's load is done again: {once_more.status} {bench.target()}, not {now}")
    bench.check_leftovers()
    # A key's load that has ended says nothing of cursors: the state takes them when the next load begins.
    bench.check_state(not mode.keyed)
    if aot:
        check_cache(aot)


def record(bench, mode):
    """Point -> (how often, whether it has a peer) in a run of the mode without a fault of its own."""
    aot = make_ready(bench, mode)
    fault = "list:*:0:@"
    run = bench.run(mode, f"{mode.base};{fault}" if mode.base else fault, aot)
    if run.status != 0 and not mode.special:
        raise Broken(f"a run of mode {mode.name} without a fault ends with {run.status}: {run.stderr}")
    bench.await_sessions()
    counts = {}
    with open(os.path.join(bench.faults, "reached"), encoding="utf-8") as f:
        for line in f:
            point, pid, peer = line.split()
            by_process = counts.setdefault(point, {})
            n, had = by_process.get(pid, (0, True))
            by_process[pid] = (n + 1, had and peer == "1")
    bench.mode = None  # the run may not have ended well
    return {p: max(v.values()) for p, v in counts.items()}
