#!/usr/bin/env python3
"""A month of nights: runs of one pipeline with accidents, and what the destination holds after each.

usage: month.py <folder> [--seed N] [--nights N]

The server is that of PG_SOCKET and PG_PORT, with the databases src and dst. Each night the sources change, something may go
wrong (a stream that can't be read, a row that is refused, a process that is killed, a table whose columns or whose mode have
changed), and the run is started until it ends well or its stream can't be mended before the morning. Then each stream that
reported ok is compared with its source as it was when the night began or later. Prints a line for each night.
"""
import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "faults"))
from bench import Sql, plus  # noqa: E402

BINARY = os.environ["RAPIDBYTE"]
RUN_S = 120
CONTENT = "count(*), coalesce(sum(hashtextextended(x::text, 0)), 0), coalesce(sum(hashtextextended(x::text, 7)), 0)"
MODES = {
    "replaced": "write_mode: replace",
    "upserted": "sync_mode: incremental, cursor_field: upd, write_mode: upsert, primary_key: [id]",
    "grown": "sync_mode: incremental, cursor_field: upd, write_mode: append",
    "appended": "write_mode: append",
    "shaped": "write_mode: replace",
    "fragile": "write_mode: replace",
    "changing": "write_mode: replace, cursor_field: upd",
}
# What a stream's mode may become, so that the next run is exact.
CHANGES = ["write_mode: replace, cursor_field: upd", "sync_mode: incremental, cursor_field: upd, write_mode: append",
           "sync_mode: incremental, cursor_field: upd, write_mode: upsert, primary_key: [id]"]


class Month:
    def __init__(self, folder, seed):
        self.folder, self.rng = folder, random.Random(seed)
        server = {"psql": os.path.join(os.environ["PG_BIN"], "psql"), "socket": os.environ["PG_SOCKET"], "port": os.environ["PG_PORT"]}
        self.src, self.dst = Sql(server, "src"), Sql(server, "dst")
        self.port, self.modes = server["port"], dict(MODES)
        self.appended = None  # what the appended table has come to
        self.wrong, self.is_loaded = [], False
        self.newest = None  # of the loads that has_ended has seen
        self.src("CREATE SEQUENCE clock")
        for table in self.modes:
            self.src(f"CREATE TABLE {table} (id int PRIMARY KEY, upd bigint NOT NULL DEFAULT nextval('clock'), v text)")
            self.add(table, 200)

    # ---- the source

    def add(self, table, n):
        self.src(f"INSERT INTO {table} (id, v) SELECT (SELECT coalesce(max(id), 0) FROM {table}) + g, md5(random()::text) FROM generate_series(1, {n}) g")

    def change(self, table):
        self.add(table, self.rng.randrange(1, 30))
        if table not in ("grown",) and "append" not in self.modes[table]:
            self.src(f"UPDATE {table} SET v = md5(random()::text), upd = nextval('clock') WHERE id % 7 = {self.rng.randrange(7)}")

    def reshape(self):
        """An ordinary change of a table that is replaced."""
        n = self.rng.randrange(1000)
        columns = [r[0] for r in self.src("SELECT attname FROM pg_attribute WHERE attrelid = 'shaped'::regclass AND attnum > 3 AND NOT attisdropped")]
        choices = [f"ADD COLUMN IF NOT EXISTS c{n} int DEFAULT {n}"]
        if columns:
            column = self.rng.choice(columns)
            choices += [f"DROP COLUMN {column}", f"ALTER COLUMN {column} TYPE bigint"]
        change = self.rng.choice(choices)
        self.src(f"ALTER TABLE shaped {change}")
        return f"shaped {change}"

    def content(self, sql, schema, table):
        columns = ", ".join(r[0] for r in self.src(
            f"SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attname"))
        row = sql(f"SELECT {CONTENT} FROM (SELECT {columns} FROM {schema}.{table}) x")[0]
        return tuple(int(v) for v in row)

    # ---- the runs

    def write_document(self, missing):
        streams = "\n".join(f"    - {{ name: {t}, {m} }}" for t, m in self.modes.items())
        if missing:
            streams += "\n    - { name: not_there }"
        side = f"host: 127.0.0.1, port: {self.port}, user: postgres, sslmode: disable"
        with open(os.path.join(self.folder, "p.yaml"), "w", encoding="utf-8") as f:
            f.write(f"""version: "1.0"
pipeline: month
source:
  use: source-postgres
  config: {{ {side}, database: src, schema: public }}
  streams:
{streams}
destination:
  use: dest-postgres
  config: {{ {side}, database: dst, schema: raw, load_method: copy }}
resources: {{ parallelism: 2 }}
state: {{ backend: sqlite, connection: ./state.db }}
""")

    def run(self, key, kill_s=None, sig=signal.SIGKILL, options=()):
        """The exit code, and the outcome of each stream; None: it did not get to say."""
        command = [BINARY, "run", "p.yaml", "--output", "json", *(["--key", key] if key else []), *options]
        process = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if kill_s is not None:
            time.sleep(kill_s)
            process.send_signal(sig)
        out, err = process.communicate(timeout=RUN_S)
        self.err = err
        try:
            return process.returncode, {s["name"]: s["outcome"] for s in json.loads(out)["streams"]}
        except (ValueError, KeyError):
            return process.returncode, None

    def await_sessions(self):
        until = time.monotonic() + 20
        while self.dst("SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'rapidbyte%'"):
            if time.monotonic() > until:
                raise RuntimeError("sessions are left")
            time.sleep(0.02)

    # ---- a night

    def night(self, number):
        rng, happened = self.rng, []
        self.dst("SELECT 1 FROM pg_class WHERE oid = to_regclass('_rapidbyte.open_loads')") and self.dst(
            "UPDATE _rapidbyte.open_loads SET started = started - interval '1 day' WHERE ended IS NULL")
        # Before the sources change: of an update, append keeps both versions.
        if number > 2 and rng.random() < 0.3 and self.is_loaded:
            self.modes["changing"] = rng.choice(CHANGES)
            happened.append("changing: " + self.modes["changing"])
        for table in self.modes:
            if rng.random() < 0.7:
                self.change(table)
        if rng.random() < 0.4:
            happened.append(self.reshape())
        accident = rng.choice(["none", "missing", "refused", "kill", "kill", "interrupt", "again"])
        key = f"night {number}" if rng.random() < 0.5 else None
        happened.append(accident + (" with a key" if key else ""))
        self.write_document(accident == "missing")
        if accident == "refused":
            self.dst("ALTER TABLE IF EXISTS raw.fragile ADD CONSTRAINT odd CHECK (id < 0) NOT VALID")
        began = {t: self.content(self.src, "public", t) for t in self.modes}
        mends = rng.random() < 0.7
        got, last = {}, None
        self.has_ended()
        for attempt in range(4):
            killed = accident in ("kill", "interrupt") and attempt < 2
            code, outcomes = self.run(key, rng.random() * 0.6 if killed else None,
                                      signal.SIGKILL if accident == "kill" else signal.SIGINT)
            self.await_sessions()
            last = code, outcomes
            if killed and code != 0 and not key and self.has_ended():
                # Killed when all was done: without a key its repeat is another load.
                self.appended = plus(self.appended, began["appended"])
            if outcomes:
                got = outcomes
            if code == 0 and not (accident == "again" and key and attempt < 2):
                break
            if not killed and code != 0:
                if not mends or attempt == 3:
                    break
                self.mend(accident)
                accident = "mended" if accident in ("missing", "refused") else accident
        self.hold(number, began, got, last)
        self.is_loaded = got.get("changing") in ("ok", "already_loaded")
        if accident == "refused":
            self.mend(accident)
        self.src("DROP TABLE IF EXISTS not_there")
        print(f"night {number}: {', '.join(happened)}: exit code {last[0]}")

    def has_ended(self):
        if self.dst("SELECT to_regclass('_rapidbyte.open_loads') IS NULL")[0][0] == "t":
            return False
        newest = self.dst("SELECT load_id, ended IS NOT NULL FROM _rapidbyte.open_loads ORDER BY seq DESC LIMIT 1")
        is_new = bool(newest) and newest[0][0] != self.newest
        self.newest = newest[0][0] if newest else None
        return is_new and newest[0][1] == "t"

    def mend(self, accident):
        if accident == "missing":
            self.src("CREATE TABLE not_there (id int)")
        self.dst("ALTER TABLE IF EXISTS raw.fragile DROP CONSTRAINT IF EXISTS odd")

    def hold(self, number, began, got, last):
        def fail(text):
            self.wrong.append(f"night {number}: {text}\n{self.err}")
        if last[0] not in (0, 8, 4, 5):
            fail(f"the last run ends with {last[0]}")
        for table in self.modes:
            if got.get(table) not in ("ok", "already_loaded"):
                if table not in ("fragile",):
                    fail(f"{table} is {got.get(table)}")
                continue
            source, target = self.content(self.src, "public", table), self.content(self.dst, "raw", table)
            if table == "appended":
                self.appended = plus(self.appended, began[table])
                source = self.appended
            if target != source:
                fail(f"{table} ({self.modes[table]}) is {got[table]} and holds {target}, not {source}; when the night began {began[table]}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--nights", type=int, default=30)
    args = parser.parse_args()
    month = Month(args.folder, args.seed)
    for number in range(1, args.nights + 1):
        month.night(number)
        if month.wrong:
            print("\n".join(month.wrong))
            return 1
    print(f"{args.nights} nights, seed {args.seed}: every stream that said ok is as its source was")
    return 0


if __name__ == "__main__":
    sys.exit(main())
