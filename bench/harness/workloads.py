"""What is moved, by which ways, and the figures to reach."""
from dataclasses import dataclass, field

import ways
from server import Refused
from ways import BINARY, Way, rapidbyte

ROWS = 1_000_000


@dataclass
class Target:
    """way (/ base, within rounds) in `metric` shall be at most `limit`."""
    text: str
    way: str
    base: str | None
    metric: str
    limit: float
    goal: float | None = None
    unit: float = 1.0  # of an absolute figure: what 1 in the report is


@dataclass
class Workload:
    name: str
    says: str
    ways: list[Way]
    targets: list[Target] = field(default_factory=list)
    rounds: int = 5
    # No further round begins after so many seconds, once there are five.
    seconds: int = 180
    rows: int = ROWS
    default: bool = True  # part of a `make bench` that names none
    rows_fixed: bool = False

    def seed(self, server):
        raise NotImplementedError

    def before(self, server, way):
        """Each run's target, made anew."""
        raise NotImplementedError

    def check(self, server, way, thorough):
        """Raises Refused unless the target holds what it should."""
        raise NotImplementedError


def compare(way, found, expected):
    if expected.startswith("0|") or not expected:
        raise Refused("the source's table is empty: nothing would be compared")
    if found != expected:
        raise Refused(f"{way.name}: the destination holds {found or 'nothing'} (rows|hash), "
                      f"the source {expected}")


@dataclass
class Table(Workload):
    """One table; ways may name another of `tables` (name: (SQL file, multiple of rows))."""
    table: str = "narrow"
    tables: dict = field(default_factory=dict)

    def all_tables(self):
        return self.tables or {self.table: (self.table, 1)}

    def of(self, way):
        return way.table or self.table

    def seed(self, server):
        self.expected, self.expected_text = {}, {}
        for table, (sql, times) in self.all_tables().items():
            self.make(server, table, sql, int(self.rows * times))
            self.expected[table] = server.content("src", f"public.{table}")
            self.expected_text[table] = server.content("src", f"public.{table}", by_text=True)

    def make(self, server, table, sql, rows):
        server.file("src", sql, table=table, seed="on", rows=rows)
        server.sql("src", f"ANALYZE public.{table}")
        # The target has the source's columns and nothing else: no key, no index.
        for database, schema in (("dst", "template"), ("src", "template")):
            if database == "dst":
                server.file(database, sql, table=table, seed="off", rows=0)
                server.sql(database, f"CREATE SCHEMA IF NOT EXISTS {schema};"
                                     f"ALTER TABLE public.{table} SET SCHEMA {schema}")
            else:
                server.sql(database, f"CREATE SCHEMA IF NOT EXISTS {schema};"
                                     "CREATE SCHEMA IF NOT EXISTS copied;"
                                     f"CREATE TABLE {schema}.{table} (LIKE public.{table})")

    def before(self, server, way):
        table = self.of(way)
        for database, schema in (("dst", "public"), ("src", "copied")):
            server.sql(database, f"DROP TABLE IF EXISTS {schema}.{table}")
        server.sql(way.database, f"CREATE TABLE {way.schema}.{table} (LIKE template.{table});"
                                 "CHECKPOINT")

    def check(self, server, way, thorough):
        table = self.of(way)
        target = f"{way.schema}.{table}"
        compare(way, server.content(way.database, target), self.expected[table])
        if thorough:
            compare(way, server.content(way.database, target, by_text=True), self.expected_text[table])


@dataclass
class Empty(Table):
    def check(self, server, way, thorough):
        found = server.sql("dst", f"SELECT count(*) FROM public.{self.table}")
        if found != "0":
            raise Refused(f"{way.name}: the destination holds {found} rows of an empty table")


@dataclass
class Upsert(Table):
    """Half of the rows are there already, with another amount."""
    def make(self, server, table, sql, rows):
        server.file("src", sql, table=table, seed="on", rows=rows)
        server.sql("src", f"ALTER TABLE public.{table} ADD PRIMARY KEY (id); ANALYZE public.{table}")
        server.file("dst", sql, table=table, seed="on", rows=rows)
        server.sql("dst", f"CREATE SCHEMA IF NOT EXISTS template; ALTER TABLE public.{table} SET SCHEMA template;"
                          f"UPDATE template.{table} SET amount = amount + 1;"
                          f"DELETE FROM template.{table} WHERE id % 2 = 1")

    def before(self, server, way):
        table = self.of(way)
        server.sql("dst", f"DROP TABLE IF EXISTS public.{table};"
                          f"CREATE TABLE public.{table} (LIKE template.{table});"
                          f"INSERT INTO public.{table} SELECT * FROM template.{table};"
                          f"ALTER TABLE public.{table} ADD PRIMARY KEY (id);"
                          f"ANALYZE public.{table}; CHECKPOINT")


@dataclass
class Tail(Table):
    """Each way has a table of its own, at the source and at the destination, and gets new rows."""
    new_rows: int = 1000

    def make(self, server, table, sql, rows):
        for database in ("src", "dst"):
            server.file(database, sql, table=table, seed="on", rows=rows)
            server.sql(database, f"ALTER TABLE public.{table} ADD PRIMARY KEY (id); ANALYZE public.{table}")
        # Ours reads everything once, to know where it stands.
        server.sql("dst", f"TRUNCATE public.{table}" if table == "tail_ours" else "SELECT 1")
        self.is_loaded = set()

    def before(self, server, way):
        # The run before the first, unmeasured, loads what there is.
        if way.ours and way.name not in self.is_loaded:
            self.is_loaded.add(way.name)
            server.sql("src", "CHECKPOINT")
            return
        server.sql("src", f"""
            INSERT INTO public.{way.table}
            SELECT n + i, event_type, user_id, amount, is_active, payload, created_at
            FROM (SELECT max(id) AS n FROM public.{way.table}) AS m, generate_series(1, {self.new_rows}) AS i
            JOIN public.{way.table} AS old ON old.id = i;
            CHECKPOINT""")

    def check(self, server, way, thorough):
        table = f"public.{way.table}"
        compare(way, server.content("dst", table), server.content("src", table))


@dataclass
class Many(Workload):
    """All tables of a database of their own."""
    tables: int = 500

    def seed(self, server):
        server.sql("postgres", "CREATE DATABASE many")
        names = [f"t{i:03}" for i in range(self.tables)]
        server.sql("many", "\n".join(
            f"CREATE TABLE public.{n} (id integer NOT NULL, title text NOT NULL, price numeric(10,2), made timestamptz NOT NULL);"
            f"INSERT INTO public.{n} SELECT i, '{n} row ' || i, i / 7.0, timestamptz '2026-01-01 00:00:00Z' + i * interval '1 h'"
            f" FROM generate_series(1, {self.rows}) AS i;" for n in names))
        self.contents = " UNION ALL ".join(
            f"SELECT '{n}', count(*), sum(hashtextextended(t::text, 0)::numeric) FROM public.{n} AS t"
            for n in names)
        self.expected = self.content(server, "many")

    def content(self, server, database):
        return server.sql(database, f"SET TimeZone = 'UTC'; {self.contents} ORDER BY 1")

    def before(self, server, way):
        for at in range(0, self.tables, 50):
            server.sql("dst", "DROP TABLE IF EXISTS " + ", ".join(
                f"public.t{i:03}" for i in range(at, min(at + 50, self.tables))))
        server.sql("dst", "CHECKPOINT")

    def check(self, server, way, thorough):
        for found, expected in zip(self.content(server, "dst").splitlines(),
                                   self.expected.splitlines(), strict=True):
            compare(way, found, expected)


def rivals():
    return [ways.psql_binary(), ways.relay(), ways.psql_freeze(every=3), ways.psql_text(),
            ways.insert_select(), ways.pg_dump_psql(), ways.pg_dump_restore(), ways.pgcopydb()]


PEAK = Target("peak memory, MiB", "ours", None, "peak_bytes", 64, 32, 1 << 20)


def compared():
    return [rapidbyte(), ways.psql_binary(), ways.relay(), ways.psql_text(every=1)]


def against_psql(limit):
    return Target("wall, against psql | psql, binary", "ours", "psql_binary", "wall", limit)


def parallel(table):
    def of(n):
        return rapidbyte(f"p{n}", f"rapidbyte, replace, parallelism: {n}", write_mode="replace",
                         extra=f"resources: {{ parallelism: {n} }}")
    return Table(f"parallel_{table}", f"{table} in ranges, side by side", table=table, rounds=10,
                 ways=[of(1), of(2), of(4)],
                 targets=[Target("wall, parallelism: 2 against 1", "p2", "p1", "wall", 1.02)])


def headline(name, says):
    return Table(name, says, table=name, rounds=30, seconds=900,
                 ways=[rapidbyte(), rapidbyte("ours_replace", "rapidbyte, replace", write_mode="replace",
                                              every=3), *rivals()],
                 targets=[
                     Target("wall, against psql | psql, binary", "ours", "psql_binary", "wall", 0.95, 0.90),
                     Target("wall, against the relay", "ours", "relay", "wall", 1.08),
                     Target("client CPU, against psql | psql", "ours", "psql_binary", "cpu", 0.55),
                     Target("wall, replace, against psql with FREEZE", "ours_replace", "psql_freeze",
                            "wall", 0.95, 0.90),
                     PEAK])


def select_1():
    return Way("psql_select_1", "psql -c 'select 1'",
               lambda server, *_: [server.psql("dst", "-c", "SELECT 1")],
               environment={"PGSSLMODE": "disable"})


def all_workloads():
    return [
        headline("narrow", "7 columns, about 120 bytes a row"),
        headline("typed", "12 columns of as many types, about 200 bytes a row"),
        headline("floats", "a bigint and four float8"),
        Empty("empty", "one empty table: the fixed cost of a run", table="empty", rounds=30,
              rows=0, rows_fixed=True, ways=[rapidbyte(), select_1()],
              targets=[Target("the whole run, ms", "ours", None, "wall", 40, 25, 0.001),
                       Target("connector load from the AOT cache, ms each", "ours", None, "load_ms", 2), PEAK]),
        Table("strings", "one text of 1 kB", table="strings", rows=300_000, ways=compared(),
              targets=[against_psql(1.00)]),
        Table("wide", "20 texts of 3.5 kB: 70 kB a row", table="wide", rows=4300, ways=compared(),
              targets=[against_psql(1.00), PEAK]),
        Table("insert", "narrow, load_method: insert", rounds=7,
              ways=[rapidbyte("ours_insert", "rapidbyte, INSERT", load_method="insert"), rapidbyte()],
              targets=[Target("wall, against our own COPY", "ours_insert", "ours", "wall", 1.4)]),
        Table("codecs", "narrow, batches compressed between the stages", rounds=15,
              ways=[rapidbyte(), *(rapidbyte(c, f"rapidbyte, {c}", extra=f"resources: {{ compression: {c} }}")
                                   for c in ("lz4", "zstd"))],
              targets=[Target("wall, lz4 against none", "lz4", "ours", "wall", 1.10),
                       Target("wall, zstd against none", "zstd", "ours", "wall", 1.25)]),
        Table("tls", "narrow, both connections over TLS", rounds=15,
              ways=[rapidbyte(), rapidbyte("tls", "rapidbyte over TLS", source="sslmode: require, ",
                                           destination="sslmode: require, "),
                    ways.psql("psql_tls", "psql | psql, binary, over TLS", BINARY,
                              environment={"PGSSLMODE": "require"})],
              targets=[Target("wall, TLS against plain", "tls", "ours", "wall", 1.25)]),
        parallel("narrow"),
        parallel("typed"),
        Many("many", "500 tables, all of them made by the load", rows=100, rows_fixed=True,
             ways=[rapidbyte("ours", "rapidbyte, '*', parallelism: auto", streams="'*'", source_database="many",
                       extra="resources: { parallelism: auto }"),
                   ways.pg_dump_restore(every=1, database="many", chosen=(), into=())],
             targets=[Target("wall of a table, ms", "ours", None, "wall", 6, None, 0.001 * 500),
                      Target("wall, against pg_dump | pg_restore", "ours", "pg_dump_restore", "wall", 0.8)]),
        Tail("tail", "1,000 new rows in a table of 1,000,000", rounds=15,
             tables={"tail_ours": ("narrow", 1), "tail_psql": ("narrow", 1)},
             ways=[rapidbyte(table="tail_ours", streams="{ name: $TABLE, sync_mode: incremental, cursor_field: id }"),
                   ways.psql_tail(1000)],
             targets=[Target("wall, against psql | psql of the same rows", "ours", "psql_tail", "wall", 2.0)]),
        Upsert("upsert", "narrow, half of the rows there already", table="upserted", tables={"upserted": ("narrow", 1)},
               rounds=7, ways=[rapidbyte(streams="{ name: $TABLE, primary_key: [id] }", write_mode="upsert"),
                               ways.psql_upsert()],
               targets=[Target("wall, against the same by hand", "ours", "psql_upsert", "wall", 1.05)]),
        Table("memory", "peak memory for tables of any size", rounds=5, seconds=300,
              tables={"small": ("narrow", 1), "large": ("narrow", 10), "wide_rows": ("wide", 0.0043)},
              ways=[rapidbyte("small", "rapidbyte, narrow", table="small"),
                    rapidbyte("large", "rapidbyte, narrow, ten times the rows", table="large"),
                    rapidbyte("wide", "rapidbyte, 70 kB a row", table="wide_rows")],
              targets=[Target("peak memory, MiB, narrow", "small", None, "peak_bytes", 64, 32, 1 << 20),
                       Target("peak memory, MiB, ten times the rows", "large", None, "peak_bytes", 64, 32, 1 << 20),
                       Target("peak memory, MiB, 70 kB a row", "wide", None, "peak_bytes", 64, 32, 1 << 20),
                       Target("growth of the peak, MiB, for ten times the rows", "large", "small", "growth", 1)]),
        Table("quick", "a smoke test of the harness", table="narrow", rows=2000, rounds=2, default=False,
              ways=[rapidbyte(), rapidbyte("ours_replace", "rapidbyte, replace", write_mode="replace"),
                    *rivals()]),
        # What the harness must refuse to measure.
        Table("lossy", "a way that loses a row", table="narrow", rows=2000, rounds=1, default=False,
              ways=[rapidbyte(), ways.psql("lossy", "loses a row",
                                           "COPY (SELECT * FROM public.{table} WHERE id <> 7) TO STDOUT",
                                           copy_in="COPY {t} {d}")]),
        Table("changed", "a way that changes a value", table="narrow", rows=2000, rounds=1, default=False,
              ways=[rapidbyte(), ways.psql("changed", "changes a value", BINARY,
                                           after=("UPDATE {t} SET amount = amount + 1 WHERE id = 7",))]),
    ]
