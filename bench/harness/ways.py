"""Ways to move a table: rapidbyte's and its rivals'. Each is a pipeline of commands for the stopwatch."""
import os
import shutil
from dataclasses import dataclass, field
from typing import Callable

BUILD = "build"
RAPIDBYTE = os.environ.get("RAPIDBYTE", f"{BUILD}/rapidbyte")


@dataclass
class Way:
    name: str
    label: str
    # (server, table, folder) -> list of commands
    commands: Callable
    database: str = "dst"  # of the target
    schema: str = "public"
    environment: dict = field(default_factory=dict)
    ours: bool = False
    every: int = 1  # runs in one round of so many
    missing: Callable = lambda: None  # why it can't run here
    table: str = ""  # instead of the workload's


def document(server, name, streams, source="", destination="", write_mode="append",
             load_method="copy", extra="", source_database="src"):
    """The pipeline document of one of our ways."""
    at = f"host: 127.0.0.1, port: {server.port}, user: postgres, password: postgres"
    plain = "sslmode: disable, "
    return f"""version: "1.0"
pipeline: bench_{name}
source:
  use: source-postgres
  config: {{ {source or plain}{at}, database: {source_database}, schema: public }}
  streams: [ {streams} ]
destination:
  use: dest-postgres
  config: {{ {destination or plain}{at}, database: dst, schema: public, load_method: {load_method} }}
  write_mode: {write_mode}
state: {{ backend: sqlite, connection: ./{name}.db }}
{extra}
"""


def rapidbyte(name="ours", label="rapidbyte", streams="{ name: $TABLE }", table="", every=1, **parts):
    """A run of ours; `parts` as of document()."""
    def commands(server, table_name, folder):
        path = os.path.join(folder, f"{name}_{table_name}.yaml")
        text = document(server, f"{name}_{table_name}", streams.replace("$TABLE", table_name), **parts)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return [[RAPIDBYTE, "run", "-q", path]]
    return Way(name, label, commands, ours=True, table=table, every=every,
               environment={"RAPIDBYTE_BENCH": "1"})


def psql(name, label, copy_out, before=(), copy_in=None, after=(), every=1, environment=None, table=""):
    """COPY of one psql piped into another's."""
    def commands(server, table, _):
        steps = [*before, copy_in or copy_out, *after]
        into = [a for step in steps for a in
                ("-c", step.format(t=f"public.{table}", d="FROM STDIN", table=table))]
        return [server.psql("src", "-c", copy_out.format(t=f"public.{table}", d="TO STDOUT", table=table)),
                server.psql("dst", *into)]
    return Way(name, label, commands, every=every, table=table,
               environment=environment or {"PGSSLMODE": "disable"})


BINARY = "COPY {t} {d} (FORMAT binary)"


def psql_binary(every=1):
    return psql("psql_binary", "psql | psql, binary", BINARY, every=every)


def psql_text(every=6):
    return psql("psql_text", "psql | psql, text", "COPY {t} {d}", every=every)


def psql_upsert():
    """By hand: COPY into a temporary table, then one INSERT … ON CONFLICT."""
    columns = ("event_type", "user_id", "amount", "is_active", "payload", "created_at")
    insert = ("INSERT INTO {t} SELECT * FROM loaded ON CONFLICT (id) DO UPDATE SET "
              + ", ".join(f"{c} = excluded.{c}" for c in columns))
    return psql("psql_upsert", "psql | psql, temporary table, ON CONFLICT", BINARY,
                before=("BEGIN", "CREATE TEMPORARY TABLE loaded (LIKE {t})"),
                copy_in="COPY loaded {d} (FORMAT binary)", after=(insert, "COMMIT"))


def psql_tail(rows):
    """The newest rows alone, as somebody would who keeps the last id."""
    return psql("psql_tail", "psql | psql, WHERE id >", "COPY (SELECT * FROM public.{table} WHERE id > "
                f"(SELECT max(id) - {rows} FROM public.{{table}})) {{d}} (FORMAT binary)", copy_in=BINARY,
                table="tail_psql")


def psql_freeze(every=1):
    return psql("psql_freeze", "psql | psql, binary, TRUNCATE and FREEZE", BINARY,
                before=("BEGIN", "TRUNCATE {t}"), copy_in="COPY {t} {d} (FORMAT binary, FREEZE)",
                after=("COMMIT",), every=every)


def relay(every=1):
    def commands(server, table, _):
        return [[f"{BUILD}/bench/relay", server.port, "postgres",
                 "src", f"COPY public.{table} TO STDOUT (FORMAT binary)",
                 "dst", f"COPY public.{table} FROM STDIN (FORMAT binary)"]]
    return Way("relay", "relay, 64 KiB messages", commands, every=every)


def insert_select(every=6):
    def commands(server, table, _):
        return [server.psql("src", "-c", f"INSERT INTO copied.{table} SELECT * FROM public.{table}")]
    return Way("insert_select", "INSERT … SELECT in one database", commands, database="src",
               schema="copied", every=every, environment={"PGSSLMODE": "disable"})


def at(server, program, *arguments):
    return [f"{server.bin}/{program}", "-h", "127.0.0.1", "-p", server.port, "-U", "postgres", *arguments]


def pg_dump_psql(every=6):
    def commands(server, table, _):
        return [at(server, "pg_dump", "--data-only", "-t", f"public.{table}", "src"), server.psql("dst")]
    return Way("pg_dump_psql", "pg_dump | psql", commands, every=every,
               environment={"PGSSLMODE": "disable"})


def pg_dump_restore(every=6, database="src", chosen=("--data-only", "-t", "public.{table}"),
                    into=("--data-only",)):
    def commands(server, table, _):
        what = [c.format(table=table) for c in chosen]
        return [at(server, "pg_dump", "-Fc", "-Z0", *what, database),
                at(server, "pg_restore", *into, "--exit-on-error", "-d", "dst")]
    return Way("pg_dump_restore", "pg_dump -Fc -Z0 | pg_restore", commands, every=every,
               environment={"PGSSLMODE": "disable"})


def pgcopydb(every=6):
    def commands(server, table, folder):
        work = os.path.join(folder, "pgcopydb")
        shutil.rmtree(work, ignore_errors=True)
        chosen = os.path.join(folder, "pgcopydb.ini")
        with open(chosen, "w", encoding="utf-8") as f:
            f.write(f"[include-only-table]\npublic.{table}\n")
        uri = f"postgresql://postgres@127.0.0.1:{server.port}/%s?sslmode=disable"
        return [["pgcopydb", "copy", "table-data", "--source", uri % "src", "--target", uri % "dst",
                 "--dir", work, "--table-jobs", "2", "--filters", chosen]]

    def missing():
        return None if shutil.which("pgcopydb") else "pgcopydb is not installed (./setup --bench)"
    return Way("pgcopydb", "pgcopydb copy table-data", commands, every=every, missing=missing)
