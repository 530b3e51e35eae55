"""The modes that faults are swept over: a document, data, and what a load has to come to."""
from bench import plus

PAD = "repeat(md5(g::text || random()::text), 6)"
ROWS_MAX = 6000


class Mode:
    """fresh: the destination is empty before each run. base: a fault that comes first, so that the points behind it
    are reached. second: swept for the connectors' points alone. special: for points that no other mode reaches. keyed: the
    run with the fault and the one after it are of one load, which its key names."""

    def __init__(self, name, write_mode, sync="full_refresh", fresh=False, replace_method=None, load_method="copy",
                 parallelism=2, divided=False, base=None, special=False, second=False, options=(), lose_state=False, lose_aot=False,
                 leave=None, part_rows=0, keyed=False):
        self.name, self.sync, self.write_mode, self.fresh = name, sync, write_mode, fresh
        self.load_method, self.parallelism, self.divided = load_method, parallelism, divided
        self.base, self.special, self.second, self.options = base, special, second, list(options)
        self.lose_state, self.lose_aot, self.leave, self.keyed = lose_state, lose_aot, leave, keyed
        self.destination = f"write_mode: {write_mode}"
        if replace_method:
            self.destination += f"\n  replace_method: {replace_method}"
        self.part_rows = part_rows
        self.resources = f", checkpoint_interval_rows: {part_rows}" if part_rows else ""
        self.tables = ["t"] if divided else ["t", "u"]
        extra = ", sync_mode: incremental, cursor_field: upd" if sync == "incremental" else ""
        self.streams = [f"{{ name: {t}{extra} }}" for t in self.tables]

    def seed(self, bench):
        """Data of its own for the mode."""
        bench.reset()
        bench.src("DROP TABLE IF EXISTS t, u")
        bench.src("DROP SEQUENCE IF EXISTS clock; CREATE SEQUENCE clock")
        for table in self.tables:
            bench.src(f"CREATE TABLE {table} (id bigint PRIMARY KEY, upd bigint NOT NULL, pad text)")
        self.insert(bench, 500)
        if self.divided:
            # Blocks enough for two units, most of them without rows.
            bench.src("INSERT INTO t SELECT -g, 0, repeat('x', 900) FROM generate_series(1, 20000) g")
            self.insert(bench, 200)
            bench.src("DELETE FROM t WHERE id < 0; ANALYZE t")

    def insert(self, bench, n):
        for table, rows in (("t", n), ("u", n // 20)):
            if table in self.tables:
                bench.src(f"INSERT INTO {table} SELECT coalesce((SELECT max(id) FROM {table}), 0) + g, nextval('clock'), "
                          f"{PAD} FROM generate_series(1, {rows}) g")

    def prepare(self, bench):
        """Between two scenarios: something for the next run to do."""
        if self.fresh:
            bench.reset()
        grows = self.sync == "incremental" or self.write_mode == "upsert"
        rows = bench.source()["t"][0]
        if rows > ROWS_MAX:
            return False
        if not grows and self.write_mode == "append" and bench.target().get("t", (0,))[0] > ROWS_MAX:
            bench.dst("TRUNCATE raw.t, raw.u")
        if grows:
            self.insert(bench, 420)
        if self.write_mode != "append":
            for table in self.tables:
                bench.src(f"UPDATE {table} SET pad = md5(random()::text) || pad, upd = nextval('clock') "
                          f"WHERE id % 5 = {rows % 5} AND id > (SELECT max(id) - 1000 FROM {table})")
                if not grows:
                    bench.src(f"UPDATE {table} SET pad = right(pad, 192)")
        return True

    def after(self, before, source):
        """The contents that a load of `source` makes of `before`."""
        if self.sync == "full_refresh" and self.write_mode == "append":
            return {t: plus(before.get(t), source[t]) for t in self.tables}
        return {t: source[t] for t in self.tables}


MODES = [
    Mode("append-new", "append", fresh=True, second=True),
    Mode("append", "append"),
    Mode("swap-new", "replace", fresh=True, second=True),
    Mode("swap", "replace"),
    Mode("truncate", "replace", replace_method="truncate"),
    Mode("upsert-new", "upsert", fresh=True, second=True),
    Mode("upsert", "upsert"),
    Mode("incremental-append", "append", sync="incremental"),
    Mode("incremental-upsert", "upsert", sync="incremental"),
    Mode("checkpoints", "append", sync="incremental", part_rows=100),
    Mode("divided-new", "replace", fresh=True, divided=True, second=True),
    Mode("divided", "replace", divided=True),
    Mode("keyed-append", "append", keyed=True),
    Mode("keyed-swap", "replace", keyed=True, second=True),
    Mode("keyed-incremental", "append", sync="incremental", keyed=True, second=True),
    Mode("insert", "append", load_method="insert", second=True),
    # What is reached only after something else has happened.
    Mode("logged", "append", special=True, options=["--log-level", "debug"]),
    Mode("state-lost", "append", sync="incremental", special=True, lose_state=True),
    Mode("aborted", "append", special=True, base="final:SOURCE_COPY_DATA:3:@"),
    Mode("answer-lost", "append", special=True, base="cut:DEST_COMMIT_SENT:1:@"),
    Mode("cancelled", "append", special=True, base="int:SOURCE_COPY_DATA:3:@"),
    Mode("leftover", "replace", divided=True, special=True, leave="kill:DEST_SHARED_COMMITTED:2:@"),
    Mode("compiling", "append", special=True, lose_aot=True),
]
