"""Scenarios whose fault comes from around the processes: a proxy that cuts connections at a message, a server that
stops at once and starts again, a disk that is full."""
import collections
import os
import shutil
import subprocess
import time

from bench import Broken
from scenario import Scenario, make_ready

PROXY = os.path.abspath("build/faults/pgproxy")
PROXIED = ("append", "swap", "upsert", "incremental-append", "incremental-upsert", "checkpoints")
HARMLESS = ("delay", "trickle")


class Proxy:
    def __init__(self, bench, side, kind, direction, letter, occurrence):
        self.bench, self.side, self.file = bench, side, bench.path("proxy")
        if os.path.exists(self.file):
            os.unlink(self.file)
        self.process = subprocess.Popen([PROXY, str(bench.server["port"]), kind, direction, letter, str(occurrence),
                                         self.file], stdout=subprocess.PIPE, text=True)
        bench.ports[side] = int(self.process.stdout.readline())

    def lines(self):
        if not os.path.exists(self.file):
            return []
        with open(self.file, encoding="utf-8") as f:
            return [line.split() for line in f]

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.bench.ports[self.side] = self.bench.server["port"]


class ProxyScenario(Scenario):
    """point: <side>-<in or out>-<type of message>."""
    proxy = None

    def begin(self, bench):
        side, direction, letter = self.point.split("-")
        self.proxy = Proxy(bench, side, self.kind, direction, letter, self.occurrence)

    def end(self, bench, run):
        if run and self.proxy.lines():
            run.fired[0] = ["0", "0", self.point, self.kind]

    def over(self):
        """The proxy does one thing, and then passes all on: the next run has the same document."""
        if self.proxy:
            self.proxy.end()

    def check(self, run):
        if self.kind in HARMLESS and run.status != 0:
            raise Broken(f"the run ends with {run.status}")

    def fault(self):
        return None


def record_messages(bench, mode):
    """(side, direction, type) -> how often in a run."""
    counts = {}
    for side in ("source", "destination"):
        make_ready(bench, mode)
        proxy = Proxy(bench, side, "list", "in", "^", 1)
        bench.write_document(mode)
        run = bench.run(mode)
        proxy.end()
        if run.status != 0:
            raise Broken(f"a run through a proxy ends with {run.status}: {run.stderr}")
        for (direction, letter), n in collections.Counter(map(tuple, proxy.lines())).items():
            counts[f"{side}-{direction}-{letter}"] = n
    return counts


def proxy_scenarios(modes, recorded, rng):
    """Every type of message in both directions on both sides, cut at its first, second and a later one."""
    found, reach = [], collections.defaultdict(list)
    for mode in modes:
        for point in recorded[mode.name]:
            reach[point].append(mode)
    for point, by in sorted(reach.items()):
        for mode in rng.sample(by, min(2, len(by))):
            n = recorded[mode.name][point]
            occurrences = {1, min(2, n), rng.randint(1, n), rng.randint(1, n)}
            found += [ProxyScenario(mode, rng.choice(("cut", "after", "reset")), point, o, rng.choice((0, 2)))
                      for o in sorted(occurrences)]
        found.append(ProxyScenario(rng.choice(by), rng.choice(HARMLESS), point, 1))
    return found


class WaitingScenario(Scenario):
    """A run waits at a point while something happens."""

    def fault(self):
        return f"wait:{self.point}:{self.occurrence}:@"

    def during(self, bench):
        until = time.monotonic() + 20
        while not os.path.exists(os.path.join(bench.faults, "fired.0")):
            if bench.process.poll() is not None or time.monotonic() > until:
                return
            time.sleep(0.005)
        self.act(bench)
        with open(os.path.join(bench.faults, "go"), "w", encoding="utf-8"):
            pass


class RestartScenario(WaitingScenario):
    """The server of both sides stops with -m immediate, and starts again."""

    def act(self, bench):
        bench.close()
        subprocess.run(bench.server["ctl"] + ["--mode=immediate", "stop"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(bench.server["ctl"] + ["start"], check=True, stdout=subprocess.DEVNULL)
        bench.connect()


RESTART_POINTS = ("LOCK_TAKEN", "DEST_PIPELINE_LOCKED", "DEST_BEGIN_COMMITTED", "SOURCE_SNAPSHOT_EXPORTED", "SOURCE_PLANNED",
                  "SOURCE_COPY_DATA", "DEST_COPY_DATA", "DEST_COPY_ENDED", "DEST_RECEIPT_WRITTEN", "DEST_COMMIT_SENT",
                  "DEST_COMMITTED", "UNIT_RESULT", "END_LOAD_CALL", "DEST_END_LOAD_DONE")
RESTART_MODES = ("append", "swap", "incremental-upsert")


def restart_scenarios(modes, rng):
    return [RestartScenario(m, "restart", p, rng.choice((1, 2)) if p.startswith(("SOURCE_COPY", "DEST_CO")) else 1,
                            rng.choice((0, 4)))
            for m in modes if m.name in RESTART_MODES for p in RESTART_POINTS]


class Disk:
    """A small tmpfs; None where mounting is not permitted."""

    def __init__(self, path, size):
        self.path = path
        os.makedirs(path, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], check=True,
                       stderr=subprocess.DEVNULL)

    def fill(self):
        with open(os.path.join(self.path, "filler"), "wb", buffering=0) as f:
            try:
                while True:
                    f.write(b"x" * 4096)
            except OSError:
                pass

    def free(self):
        filler = os.path.join(self.path, "filler")
        if os.path.exists(filler):
            os.unlink(filler)

    def close(self):
        subprocess.run(["umount", "--lazy", self.path], check=False)
        shutil.rmtree(self.path, ignore_errors=True)


class FullDiskScenario(WaitingScenario):
    """kind: full-state or full-destination."""

    def act(self, bench):
        bench.disks[self.kind].fill()

    def end(self, bench, run):
        bench.disks[self.kind].free()


def full_disk_scenarios(modes, rng):
    found = []
    for mode in modes:
        if mode.name not in ("append", "upsert", "swap"):
            continue
        for point in ("DEST_TRANSACTION_BEGUN", "DEST_COPY_BEGUN", "DEST_COPY_DATA"):
            found.append(FullDiskScenario(mode, "full-destination", point, 1, rng.choice((0, 2))))
        for point in ("LOCK_TAKEN", "BEGIN_ANSWERED", "STREAM_RECORD", "RUN_END"):
            found.append(FullDiskScenario(mode, "full-state", point, 1, rng.choice((0, 2))))
    return found


def prepare_disks(bench):
    """False, and why, where there can be none."""
    try:
        state = Disk(bench.path("state"), "8m")
        place = os.path.join(bench.server["socket"], "small")
        target = Disk(place, "12m")
    except (OSError, subprocess.CalledProcessError) as e:
        return f"no tmpfs can be mounted here: {e}"
    bench.disks = {"full-state": state, "full-destination": target}
    shutil.chown(place, bench.server["owner"])
    bench.dst(f"CREATE TABLESPACE small{bench.number} LOCATION '{place}'")
    bench.dst(f"ALTER DATABASE {bench.dst_name} SET default_tablespace = small{bench.number}")
    return None


def release_disks(bench):
    for disk in bench.disks.values():
        disk.close()
