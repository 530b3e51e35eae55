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
    if expected.startswith("0|"):
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


def rivals():
    return [ways.psql_binary(), ways.relay(), ways.psql_freeze(every=3), ways.psql_text(),
            ways.insert_select(), ways.pg_dump_psql(), ways.pg_dump_restore(), ways.pgcopydb()]


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
                     Target("peak memory, MiB", "ours", None, "peak_bytes", 64, 32, 1 << 20)])


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
                       Target("peak memory, MiB", "ours", None, "peak_bytes", 64, 32, 1 << 20)]),
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
