"""Two databases of one server, and runs of the test variant between them."""
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time

BINARY = os.path.abspath("build/faults/rapidbyte")
PATIENCE_S = 30  # how long a run may take on a machine that does other things, too
CANCEL_LIMIT_MS = int(os.environ.get("RAPIDBYTE_TEST_CANCEL_MS", "2000"))
# Source and destination have addresses of their own, so that one side's connections can be cut.
SOURCE_HOST, DEST_HOST = "127.0.0.1", "127.0.0.2"


class Broken(Exception):
    """What was promised does not hold; the text says what."""


class Sql:
    """A psql that stays."""

    END = "\x01end"

    def __init__(self, server, database):
        self.process = subprocess.Popen(
            [server["psql"], "--no-psqlrc", "--quiet", "--tuples-only", "--no-align",
             f"--host={server['socket']}", f"--port={server['port']}", "--username=postgres", f"--dbname={database}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "PGAPPNAME": "harness", "PGOPTIONS": "-c client_min_messages=error"})

    def __call__(self, sql):
        """Rows as lists of text. A last statement may end in \\gexec."""
        end = "" if sql.rstrip().endswith("\\gexec") else ";"
        self.process.stdin.write(f"{sql}{end}\n\\echo {self.END}\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            line = line.rstrip("\n")
            if line == self.END:
                break
            lines.append(line)
        else:
            raise Broken(f"psql ended: {lines}")
        for line in lines:
            if line.startswith(("ERROR:", "FATAL:")):
                raise Broken(f"{sql}: {line}")
        return [line.split("|") for line in lines if line]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


CONTENT = """SELECT format('SELECT %L, count(*), coalesce(sum(hashtextextended(x::text, 0)), 0),
    coalesce(sum(hashtextextended(x::text, 7)), 0) FROM {schema}.%I x', relname, relname) FROM pg_class
    WHERE relnamespace = to_regnamespace('{schema}') AND relkind = 'r' ORDER BY relname \\gexec"""


def plus(a, b):
    """The content of both, of which one may be missing."""
    return tuple(x + y for x, y in zip(a or (0, 0, 0), b or (0, 0, 0)))


class Run:
    """What became of one run."""

    def __init__(self, status, stdout, stderr, ended_ms, fired):
        self.status, self.stdout, self.stderr, self.ended_ms, self.fired = status, stdout, stderr, ended_ms, fired


class Bench:
    def __init__(self, server, number, folder, aot_dir):
        self.server, self.number, self.aot_dir = server, number, aot_dir
        self.dir = os.path.join(folder, f"bench{number}")
        os.makedirs(self.dir)
        self.src_name, self.dst_name = f"src{number}", f"dst{number}"
        admin = Sql(server, "postgres")
        for name in (self.src_name, self.dst_name):
            admin(f"DROP DATABASE IF EXISTS {name}")
            admin(f"CREATE DATABASE {name}")
        admin.close()
        self.ports = {"source": server["port"], "destination": server["port"]}
        self.connect()
        self.limits = {"signal_ms": 0}
        self.n_keys, self.key = 0, None

    def connect(self):
        self.src, self.dst = Sql(self.server, self.src_name), Sql(self.server, self.dst_name)

    def close(self):
        self.src.close()
        self.dst.close()

    # ---- contents

    def contents(self, sql, schema):
        return {r[0]: tuple(int(v) for v in r[1:]) for r in sql(CONTENT.format(schema=schema))}

    def source(self):
        return self.contents(self.src, "public")

    def target(self):
        return self.contents(self.dst, "raw")

    def loads(self):
        """Of the ledger: load id -> (has it ended, rows of the streams that are visible, rows of those of which parts
        are)."""
        if self.dst("SELECT to_regclass('_rapidbyte.open_loads') IS NULL")[0][0] == "t":
            return {}
        rows = self.dst("SELECT o.load_id, o.ended IS NOT NULL, l.stream, l.rows, l.mode = 'checkpoint' "
                        "FROM _rapidbyte.open_loads o LEFT JOIN _rapidbyte.loads l ON l.load_id = o.load_id "
                        "AND l.visible ORDER BY o.started")
        loads = {}
        for load, ended, stream, n, is_part in rows:
            entry = loads.setdefault(load, (ended == "t", {}, {}))
            if stream:
                streams = entry[2 if is_part == "t" else 1]
                streams[stream] = streams.get(stream, 0) + int(n)
        return loads

    def first_rows(self, table, n):
        """The content of the source's first rows by the cursor."""
        row = self.src(f"SELECT count(*), coalesce(sum(hashtextextended(x::text, 0)), 0), "
                       f"coalesce(sum(hashtextextended(x::text, 7)), 0) "
                       f"FROM (SELECT * FROM {table} ORDER BY upd LIMIT {n}) x")[0]
        return tuple(int(v) for v in row)

    # ---- runs

    def next_load(self, mode):
        """The runs from now on are of another load."""
        self.n_keys += 1
        self.key = f"key {self.n_keys}" if mode.keyed else None

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def write_document(self, mode, max_retries=2, timeout=None):
        streams = "\n".join("    - " + s for s in mode.streams)
        timeouts = f"timeouts: {{ run: {timeout} }}" if timeout else ""
        with open(self.path("p.yaml"), "w", encoding="utf-8") as f:
            f.write(f"""version: "1.0"
pipeline: faults
source:
  use: source-postgres
  config: {{ host: {SOURCE_HOST}, port: {self.ports['source']}, user: postgres, database: {self.src_name}, schema: public, sslmode: disable }}
  streams:
{streams}
destination:
  use: dest-postgres
  config: {{ host: {DEST_HOST}, port: {self.ports['destination']}, user: postgres, database: {self.dst_name}, schema: raw, load_method: {mode.load_method}, sslmode: disable }}
  {mode.destination}
resources: {{ max_batch_bytes: 64kb, max_retries: {max_retries}, parallelism: {mode.parallelism}{mode.resources} }}
{timeouts}
state: {{ backend: sqlite, connection: ./state/state.db }}
""")

    def start(self, mode, fault=None, aot_dir=None):
        """fault: the variable's value, with @ for the folder."""
        self.faults = self.path("fault")
        shutil.rmtree(self.faults, ignore_errors=True)
        os.makedirs(self.faults)
        os.makedirs(self.path("tmp"), exist_ok=True)
        os.makedirs(self.path("state"), exist_ok=True)
        env = {**os.environ, "TMPDIR": self.path("tmp"), "RAPIDBYTE_CACHE_DIR": aot_dir or self.aot_dir}
        env.pop("RAPIDBYTE_CONNECTOR_DIR", None)
        command = [BINARY, "run", self.path("p.yaml"), "--output", "json"] + mode.options
        if self.key:
            command += ["--key", self.key]
        if fault:
            env["RAPIDBYTE_FAULT"] = fault.replace("@", self.faults)
            # Points in a worker write files and kill its parent, which the sandbox keeps it from.
            command.append("--no-os-sandbox")
        self.out, self.err = open(self.path("stdout"), "w+"), open(self.path("stderr"), "w+")
        self.process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.err,
                                        start_new_session=True)

    def finish(self):
        try:
            status = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            status = None
        ended_ms = time.monotonic() * 1000
        self.await_processes()
        texts = []
        for f in (self.out, self.err):
            f.seek(0)
            texts.append(f.read())
            f.close()
        return Run(status, texts[0], texts[1], ended_ms, self.fired())

    def fired(self):
        """By entry: the lines of what fired: pid, milliseconds, point, kind."""
        fired = {}
        for name in os.listdir(self.faults):
            if name.startswith("fired."):
                with open(os.path.join(self.faults, name), encoding="utf-8") as f:
                    fired[int(name[6:])] = f.read().split()
        return fired

    def run(self, mode, fault=None, aot_dir=None):
        self.start(mode, fault, aot_dir)
        return self.finish()

    def session_processes(self):
        """Those of the run's session that have not ended."""
        found = []
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            try:
                with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as f:
                    fields = f.read().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == self.process.pid and fields[0] != "Z":
                found.append(name)
        return found

    def await_processes(self):
        """After a SIGKILL of the supervisor its worker ends by itself."""
        until = time.monotonic() + 2
        while self.session_processes():
            if time.monotonic() > until:
                left = self.session_processes()
                os.killpg(self.process.pid, signal.SIGKILL)
                raise Broken(f"processes are left: {left}")
            time.sleep(0.005)

    # ---- what must hold

    def await_sessions(self):
        until = time.monotonic() + 10
        sql = (f"SELECT pid, datname, state, wait_event, left(query, 60) FROM pg_stat_activity WHERE datname IN "
               f"('{self.src_name}', '{self.dst_name}') AND application_name LIKE 'rapidbyte%'")
        while rows := self.dst(sql):
            if time.monotonic() > until:
                raise Broken(f"sessions are left: {rows}")
            time.sleep(0.01)

    def check_leftovers(self):
        self.await_sessions()
        for sql, what in (
                ("SELECT relname FROM pg_class WHERE relkind = 'r' AND (relpersistence = 't' OR "
                 "(relnamespace = to_regnamespace('_rapidbyte') AND relname ~ '^[so]_'))", "tables"),
                ("SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND database = "
                 "(SELECT oid FROM pg_database WHERE datname = current_database())", "locks")):
            if rows := self.dst(sql):
                raise Broken(f"{what} are left: {rows}")
        if self.dst("SELECT to_regclass('_rapidbyte.staging') IS NOT NULL")[0][0] == "t":
            if rows := self.dst("SELECT name FROM _rapidbyte.staging"):
                raise Broken(f"the ledger still names staging: {rows}")
        if files := os.listdir(self.path("tmp")):
            raise Broken(f"files are left: {files}")

    def check_state(self, has_cursors=True):
        """The state agrees with the ledger, nothing is held."""
        with sqlite3.connect(self.path("state", "state.db")) as db:
            runs = db.execute("SELECT outcome FROM runs ORDER BY id").fetchall()
            locks = db.execute("SELECT count(*) FROM locks").fetchone()[0]
            cursors = {s: (load, json.loads(c)["cursor_value"])
                       for s, load, c in db.execute("SELECT stream, load_id, checkpoint_json FROM checkpoints")}
        if runs[-1][0] != "ok" or any(r[0] is None for r in runs):
            raise Broken(f"runs in the state: {runs[-3:]}")
        if locks:
            raise Broken("a lock is left in the state")
        ledger = self.dst("SELECT DISTINCT ON (stream) stream, load_id, checkpoint ->> 'cursor_value' "
                          "FROM _rapidbyte.loads WHERE checkpoint ->> 'cursor_value' IS NOT NULL AND visible "
                          "ORDER BY stream, seq DESC")
        ledger = {s: (load, json.loads(v)) for s, load, v in ledger}
        if has_cursors and ledger != cursors:
            raise Broken(f"cursors: the ledger says {ledger}, the state {cursors}")

    def reset(self):
        self.dst("DROP SCHEMA IF EXISTS raw CASCADE")
        self.dst("DROP SCHEMA IF EXISTS _rapidbyte CASCADE")
        shutil.rmtree(self.path("state"), ignore_errors=True)
