"""bench/run's second half: runs the workloads and writes the report."""
import argparse
import glob
import json
import os
import shutil
import subprocess
import sys
import time

import flame
import report
import ways
from server import Refused, Server
from workloads import all_workloads

MIN_ROUNDS = 5
STOPWATCH = f"{ways.BUILD}/bench/stopwatch"


def say(text):
    print(text, file=sys.stderr, flush=True)


def build_id():
    return report.sha256([ways.RAPIDBYTE, *sorted(glob.glob(f"{ways.BUILD}/connectors/*.wasm"))])


def demand_release():
    """Nothing else is worth measuring; each run is asked again."""
    try:
        answer = subprocess.run([ways.RAPIDBYTE, "version", "--output", "json"], text=True,
                                capture_output=True, check=True).stdout
        build = json.loads(answer)["build"]
    except (OSError, subprocess.CalledProcessError, ValueError, KeyError) as e:
        raise Refused(f"{ways.RAPIDBYTE} does not say how it was built: {e}") from e
    if build != "release":
        raise Refused(f"{ways.RAPIDBYTE} is a {build} build: make build")
    subprocess.run([ways.RAPIDBYTE, "compile", "source-postgres", "dest-postgres"], check=True,
                   stdout=subprocess.DEVNULL)


def own_figures(text, way):
    """What a run of ours said of itself; refused unless it is what is to be measured."""
    lines = [line for line in text.splitlines() if line.startswith("@@BENCH_JSON@@")]
    if len(lines) != 1:
        raise Refused(f"{way.name}: no figures of its own")
    found = json.loads(lines[0].removeprefix("@@BENCH_JSON@@"))
    if found.get("build") != "release":
        raise Refused(f"{way.name}: a {found.get('build')} build")
    if not found.get("aot") or found["compile_secs"] > 0:
        raise Refused(f"{way.name}: its connectors were not compiled ahead of time")
    if found["retries"] > 0:
        raise Refused(f"{way.name}: {found['retries']} retries")
    return found


def settle_server(server, before):
    """Seconds of the backends; they may end just after their clients."""
    used = server.cpu() - before
    for _ in range(20):
        time.sleep(0.005)
        now = server.cpu() - before
        if now == used and used > 0:
            break
        used = now
    return used


def measure(server, workload, way, folder):
    table = way.table or getattr(workload, "table", "")
    commands = way.commands(server, table, folder)
    words = [word for i, c in enumerate(commands) for word in ([":::"] if i else []) + c]
    result, out, err = (os.path.join(folder, n) for n in ("stopwatch.json", "stdout", "stderr"))
    server_before = server.cpu()
    with open(out, "w", encoding="utf-8") as o, open(err, "w", encoding="utf-8") as e:
        status = subprocess.run([STOPWATCH, result, *words], stdin=subprocess.DEVNULL, stdout=o, stderr=e,
                                env={**os.environ, **way.environment}, check=False).returncode
    if status != 0:
        with open(err, encoding="utf-8", errors="replace") as f:
            raise Refused(f"{way.name} failed: {f.read().strip()[-2000:]}")
    with open(result, encoding="utf-8") as f:
        watch = json.load(f)
    run = {"wall": watch["wall"], "cpu": watch["user"] + watch["system"], "user": watch["user"],
           "system": watch["system"], "server_cpu": settle_server(server, server_before),
           "peak_bytes": watch["peak_bytes"]}
    if way.ours:
        with open(out, encoding="utf-8") as f:
            run["own"] = own_figures(f.read(), way)
        own_peak = run["own"]["peak_supervisor_bytes"] + run["own"]["peak_worker_bytes"]
        run["peak_bytes"] = max(run["peak_bytes"], own_peak)
        run["load_ms"] = run["own"]["module_load_ms"] / max(1, run["own"]["instances"])
    return run


def run_one(server, workload, way, folder, thorough):
    workload.before(server, way)
    run = measure(server, workload, way, folder)
    workload.check(server, way, thorough)
    return run


def in_turn(candidates, number, rounds):
    """The ways of a round, each time beginning with another."""
    chosen = [w for w in candidates
              if number % max(1, min(w.every, rounds // MIN_ROUNDS)) == 0]
    at = number % len(chosen)
    return chosen[at:] + chosen[:at]


def run_workload(server, workload, candidates, old_rounds, folder):
    started = time.monotonic()
    say(f"{workload.name}: seeding {workload.rows:,} rows")
    server.reset()
    workload.seed(server)
    say(f"{workload.name}: seeded in {time.monotonic() - started:.0f} s; warming up, contents by text")
    for way in candidates:
        run_one(server, workload, way, folder, thorough=True)
    rounds = list(old_rounds)
    measured = time.monotonic()
    for done in range(workload.rounds):
        elapsed = time.monotonic() - measured
        if done >= MIN_ROUNDS and elapsed > workload.seconds:
            say(f"{workload.name}: ends after {done} rounds of {workload.rounds}: its {workload.seconds} s are over")
            break
        left = f", about {elapsed / done * (workload.rounds - done):.0f} s left" if done else ""
        say(f"{workload.name}: round {done + 1} of {workload.rounds}{left}")
        number = len(rounds)
        rounds.append({way.name: run_one(server, workload, way, folder, thorough=False)
                       for way in in_turn(candidates, number, workload.rounds)})
    return rounds


def profile_workload(server, workload, way, folder, out):
    """One run of ours under perf, with guests that have names."""
    if not shutil.which("perf"):
        raise Refused("perf is not installed (./setup --bench)")
    connectors = f"{ways.BUILD}/profile/connectors"
    server.reset()
    workload.seed(server)
    environment = {**way.environment, "RAPIDBYTE_CONNECTOR_DIR": connectors}
    os.environ["RAPIDBYTE_CONNECTOR_DIR"] = connectors
    way.environment = environment
    # Compiles the guests, and shows that this way is right.
    subprocess.run([ways.RAPIDBYTE, "compile", "source-postgres", "dest-postgres"], check=True,
                   stdout=subprocess.DEVNULL)
    run_one(server, workload, way, folder, thorough=False)
    workload.before(server, way)
    command = way.commands(server, way.table or getattr(workload, "table", ""), folder)[0]
    title = f"{workload.name}, {workload.rows:,} rows, {way.label}: CPU of all its processes"
    text = flame.write(out, workload.name, command, environment, connectors, title)
    workload.check(server, way, False)
    print(f"{title}\n{text}\n\n{out}/{workload.name}.svg")


def usable(workload, wanted):
    out = []
    for way in workload.ways:
        if wanted and way.name not in wanted:
            continue
        why = way.missing()
        if why:
            say(f"{workload.name}: left out: {way.label}: {why}")
        else:
            out.append(way)
    if not out:
        raise Refused(f"{workload.name} has no such way")
    return out


def with_guests(workload, guests):
    """Its first way, with the connectors of each folder instead."""
    workload.ways = []
    workload.targets = []
    for label, _, folder in (g.partition("=") for g in guests):
        environment = {"RAPIDBYTE_BENCH": "1", "RAPIDBYTE_CONNECTOR_DIR": folder}
        subprocess.run([ways.RAPIDBYTE, "compile", "source-postgres", "dest-postgres"], check=True,
                       stdout=subprocess.DEVNULL, env={**os.environ, **environment})
        way = ways.rapidbyte(label.replace(" ", "_"), label)
        way.environment = environment
        workload.ways.append(way)


def arguments():
    parser = argparse.ArgumentParser(prog="bench/run")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--append", action="store_true")
    parser.add_argument("--out", default=f"{ways.BUILD}/bench.json")
    parser.add_argument("--ways", type=lambda s: s.split(","), default=[])
    parser.add_argument("--guests", metavar="LABEL=FOLDER", action="append", default=[])
    parser.add_argument("--profile", metavar="FOLDER")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("workloads", nargs="*")
    return parser.parse_args()


def choose(options):
    every = all_workloads()
    known = {w.name: w for w in every}
    unknown = [n for n in options.workloads if n not in known]
    if unknown:
        raise Refused(f"there is no workload {', '.join(unknown)}; there are {', '.join(known)}")
    chosen = [known[n] for n in options.workloads] or [w for w in every if w.default]
    for workload in chosen:
        if options.rows is not None and not workload.rows_fixed:
            workload.rows = options.rows
        if options.rounds is not None:
            workload.rounds = options.rounds
        if options.guests:
            with_guests(workload, options.guests)
    return chosen


def measure_workload(server, workload, old, options):
    """Its entry in the report."""
    if options.append and old and old["rows"] != workload.rows:
        raise Refused(f"{options.out} has it with {old['rows']:,} rows: nothing to append to")
    old_rounds = old["rounds"] if options.append and old else []
    rounds = run_workload(server, workload, usable(workload, options.ways), old_rounds, os.environ["BENCH_DIR"])
    return {"says": workload.says, "rows": workload.rows, "rounds": rounds,
            "summary": report.summarise(workload, rounds)}


def main():
    options = arguments()
    if options.list:
        for workload in all_workloads():
            print(f"{workload.name:<18}{workload.says}\n{'':<18}" + ", ".join(w.name for w in workload.ways))
        return
    if options.markdown:
        with open(options.out, encoding="utf-8") as f:
            print(report.markdown(json.load(f)))
        return
    chosen = choose(options)
    demand_release()
    server = Server()
    if options.profile:
        for workload in chosen:
            way = next(w for w in usable(workload, options.ways) if w.ours)
            profile_workload(server, workload, way, os.environ["BENCH_DIR"], options.profile)
        return
    full = report.load(options.out, build_id())
    if options.append and not full["workloads"] and os.path.exists(options.out):
        raise Refused(f"{options.out} is of another build: nothing to append to")
    full["machine"] = report.machine(server)
    say("at most about " + str(round(sum(w.seconds * 1.2 + 60 for w in chosen) / 60)) + " min: "
        + ", ".join(w.name for w in chosen))
    started = time.monotonic()
    refused = 0
    for workload in chosen:
        try:
            entry = measure_workload(server, workload, full["workloads"].get(workload.name), options)
        except Refused as e:
            refused += 1
            say(f"bench: {workload.name}: no figures: {e}")
            continue
        full["workloads"][workload.name] = entry
        report.save(options.out, full)
        print(report.table(workload.name, entry) + "\n", flush=True)
        for line in report.machine_lines(workload.name, entry):
            print(line, flush=True)
    if refused:
        raise Refused(f"{refused} of {len(chosen)} workloads have no figures: see above")
    say(f"done in {time.monotonic() - started:.0f} s: {options.out}")


try:
    main()
except Refused as e:
    sys.exit(f"bench: {e}")
except KeyboardInterrupt:
    sys.exit(130)
