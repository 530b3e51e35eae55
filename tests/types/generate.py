#!/usr/bin/env python3
"""Random tables: made at the source, and compared with what arrived.

usage: generate.py setup SEED N    N tables in database src, and the pipeline's list of streams
       generate.py compare SEED METHOD   TAP lines without numbers: one for each table; what differs or was refused is told by
                                         its column, and made smaller
       generate.py shrink TABLE    the fewest columns and rows of the table that still don't arrive

Smaller tables are called "shrunk"; shrink.yaml in this folder is a pipeline of that stream, $RAPIDBYTE runs it.

Types, modifiers, nesting, values, NULL patterns and names depend on the seed alone. The server is
the one of PG_BIN, PG_SOCKET and PG_PORT.
"""
import glob
import json
import os
import random
import subprocess
import sys

import matrix

EDGE_INTS = {16: (-2**15, 2**15 - 1), 32: (-2**31, 2**31 - 1), 64: (-2**63, 2**63 - 1)}
ALPHABET = "abcXYZ019 _-%\\'\"{}[](),:;/*<>&|\n\t\r$`~éüßλЖ中😀\u200d\u0301"


def literal(text):
    return "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def name_of(rng, used):
    """A name that PostgreSQL does not cut and that is not taken."""
    while True:
        plain = rng.random() < 0.6
        name = "".join(rng.choice("abcdefgh_" if plain else ALPHABET) for _ in range(rng.randint(1, 14)))
        # Streams may not look like patterns; nor begin or end in a space, which is YAML's.
        if not used & {name, name.lower()} and not set("*?!$") & set(name) and name == name.strip():
            used.add(name)
            return name


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


class Generator:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.sql = []
        self.types = 0
        self.used = set()

    def text(self, most=40):
        return "".join(self.rng.choice(ALPHABET) for _ in range(self.rng.randint(0, most)))

    def number(self, digits, scale):
        whole = "".join(self.rng.choice("0123456789") for _ in range(self.rng.randint(1, max(1, digits - scale))))
        part = "".join(self.rng.choice("0123456789") for _ in range(self.rng.randint(0, scale)))
        sign = self.rng.choice(["", "-"])
        return sign + ("0" if digits == scale else whole) + ("." + part if part else "")

    def integer(self, bits):
        low, high = EDGE_INTS[bits]
        return str(self.rng.choice([low, high, 0, -1, self.rng.randint(low, high), self.rng.randint(-100, 100)]))

    def moment(self):
        micros = self.rng.choice([self.rng.randint(-2 * 10**17, 9 * 10**18), self.rng.randint(-10**15, 10**15), 0, -1])
        days, rest = divmod(micros, 86400 * 10**6)
        return f"make_interval(days => {days}, secs => {rest // 10**6}) + {rest % 10**6} * interval '1 microsecond'"

    def document(self, depth=0):
        kind = self.rng.randint(0, 6 if depth < 3 else 4)
        if kind == 5:
            return [self.document(depth + 1) for _ in range(self.rng.randint(0, 4))]
        if kind == 6:
            return {self.text(6): self.document(depth + 1) for _ in range(self.rng.randint(0, 4))}
        return [None, True, self.rng.randint(-10**20, 10**20), self.text(), self.rng.random() * 10**self.rng.randint(-20, 20)][kind]

    def scalar(self):
        """(type, function that makes an SQL expression of it)"""
        r = self.rng
        precision = r.randint(1, 60)
        scale = r.randint(0, precision)
        length = r.randint(1, 70)
        p = r.randint(0, 6)
        special = lambda words, else_: literal(r.choice(words)) if r.random() < 0.15 else else_()
        return r.choice([
            ("boolean", lambda: r.choice(["true", "false"])),
            ("smallint", lambda: self.integer(16)), ("integer", lambda: self.integer(32)),
            ("bigint", lambda: self.integer(64)), ("oid", lambda: str(r.randint(0, 2**32 - 1))),
            ("double precision", lambda: special(["NaN", "Infinity", "-0"], lambda: repr(r.uniform(-1, 1) * 10.0**r.randint(-300, 300)))),
            ("real", lambda: special(["NaN", "-Infinity", "1e-45"], lambda: repr(r.uniform(-1, 1) * 10.0**r.randint(-30, 30)))),
            ("numeric", lambda: special(["NaN"], lambda: self.number(r.choice([1, 30, 300]), 20))),
            (f"numeric({precision},{scale})", lambda: special(["NaN"], lambda: self.number(precision, scale))),
            ("money", lambda: f"{self.number(15, 2)}::numeric"),
            ("text", lambda: literal(self.text(r.choice([5, 60, 3000])))),
            (f"varchar({length})", lambda: literal(self.text(length))), (f"char({length})", lambda: literal(self.text(length))),
            ("name", lambda: literal(self.text(12))), ('"char"', lambda: literal(r.choice("aZ9"))),
            ("bytea", lambda: f"'\\x{r.randbytes(r.choice([0, 1, 30, 2000])).hex()}'"),
            (f"bit({length})", lambda: "B'" + "".join(r.choice("01") for _ in range(length)) + "'"),
            ("bit varying", lambda: "B'" + "".join(r.choice("01") for _ in range(r.randint(0, 99))) + "'"),
            ("date", lambda: special(["infinity", "-infinity"], lambda: f"date '2000-01-01' + {r.randint(-2451545, 2145031948)}")),
            (f"time({p})", lambda: special(["24:00"], lambda: f"time '00:00' + make_interval(secs => {r.randint(0, 86399)}) + {r.randint(0, 999999)} * interval '1 microsecond'")),
            ("timetz", lambda: f"'{r.randint(0, 23):02}:{r.randint(0, 59):02}:00.{r.randint(0, 999999):06}{r.choice('+-')}{r.randint(0, 15):02}:{r.randint(0, 59):02}'"),
            ("timestamp", lambda: special(["infinity", "-infinity"], lambda: f"timestamp '2000-01-01' + {self.moment()}")),
            (f"timestamptz({p})", lambda: special(["infinity", "-infinity"], lambda: f"timestamptz '2000-01-01 00:00+00' + {self.moment()}")),
            ("interval", lambda: f"make_interval(months => {self.integer(32)}, days => {self.integer(32)}, secs => {r.randint(-10**9, 10**9)}.{r.randint(0, 999999):06})"),
            ("uuid", lambda: f"'{r.randbytes(16).hex()}'"),
            ("json", lambda: literal(json.dumps(self.document(), ensure_ascii=r.random() < 0.5))),
            ("jsonb", lambda: literal(json.dumps(self.document(), ensure_ascii=False))),
            ("inet", lambda: f"'{r.randint(0, 255)}.{r.randint(0, 255)}.1.2/{r.randint(0, 32)}'"),
            ("macaddr", lambda: f"'{r.randbytes(6).hex()}'"), ("point", lambda: f"point({r.uniform(-1, 1)!r}, {r.uniform(-1e9, 1e9)!r})"),
            ("int8range", lambda: r.choice(["'empty'", "'(,)'", f"int8range({sorted(r.sample(range(-999, 999), 2))[0]}, 1000, '{r.choice(['[]', '()', '[)', '(]'])}')"])),
            ("tsvector", lambda: f"to_tsvector('simple', {literal(self.text())})"), ("pg_lsn", lambda: f"'{r.randint(0, 2**32 - 1):X}/{r.randint(0, 2**32 - 1):X}'"),
            ("xml", lambda: f"xmlelement(name a, xmlattributes({literal(self.text(8))} AS b), {literal(self.text(8))})"),
        ])

    def made(self, depth):
        """A type of one's own."""
        r = self.rng
        self.types += 1
        name = quoted(name_of(r, self.used))
        kind = r.randint(0, 2)
        if kind == 0:
            labels = [self.text(12) + str(i) for i in range(r.randint(1, 6))]
            self.sql.append(f"CREATE TYPE {name} AS ENUM ({', '.join(map(literal, labels))});")
            return name, lambda: literal(r.choice(labels))
        if kind == 1:
            base, value = self.type(depth + 1)
            check = r.choice(["", " CHECK (VALUE IS NULL OR VALUE::text <> 'no such value')", " CONSTRAINT \"c's\" CHECK (true)"])
            self.sql.append(f"CREATE DOMAIN {name} AS {base}{check};")
            return name, lambda: f"({value()})::{base}"
        fields = [self.type(depth + 1) for _ in range(r.randint(1, 4))]
        taken = set()
        names = [quoted(name_of(r, taken)) for _ in fields]
        self.sql.append(f"CREATE TYPE {name} AS ({', '.join(f'{n} {t}' for n, (t, _) in zip(names, fields))});")
        return name, lambda: "ROW(" + ", ".join("NULL" if r.random() < 0.2 else f"({v()})::{t}" for t, v in fields) + ")"

    def type(self, depth=0):
        r = self.rng
        chance = r.random()
        if depth < 3 and chance < 0.15:
            return self.made(depth)
        if depth < 3 and chance < 0.4:
            item, value = self.type(depth + 1)
            if item.endswith("[]"):
                return item, value
            one = lambda: "NULL" if r.random() < 0.2 else f"({value()})::{item}"
            return item + "[]", lambda: r.choice([
                lambda: "'{}'", lambda: f"ARRAY[{', '.join(one() for _ in range(r.randint(1, 5)))}]::{item}[]",
                lambda: f"ARRAY[[{one()}, {one()}], [{one()}, {one()}]]::{item}[]",
                lambda: f"array_fill(({value()})::{item}, ARRAY[{r.randint(1, 3)}], ARRAY[{r.randint(-3, 3)}])"])()
        return self.scalar()

    def table(self):
        r = self.rng
        used = set()
        columns = []
        for _ in range(r.choice([0, 1, 1, 2, 4, 9, 25])):
            column, (kind, value) = name_of(r, used), self.type()
            columns.append((column, kind, value, r.random() < 0.25, r.choice([0, 0.1, 0.5, 1])))
        name = name_of(r, self.used)
        self.sql.append(f"CREATE TABLE {quoted(name)} (" + ", ".join(
            f"{quoted(c)} {k}{' NOT NULL' if n else ''}" for c, k, _, n, _ in columns) + ");")
        for _ in range(r.choice([0, 1, 8, 9, 40])):
            row = ", ".join("NULL" if not n and r.random() < nulls else f"({v()})::{k}" for _, k, v, n, nulls in columns)
            self.sql.append(f"INSERT INTO {quoted(name)} " + (f"VALUES ({row});" if columns else "DEFAULT VALUES;"))
        return name


def setup(seed, count):
    generator = Generator(seed)
    tables = [generator.table() for _ in range(count)]
    matrix.psql("src", "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, MDY';\n" + "\n".join(generator.sql))
    for table in tables:
        print("- { name: " + json.dumps(table, ensure_ascii=False) + " }")


def text(value):
    return "'" + value.replace("'", "''") + "'"


def counts(database, schema):
    sql = f"""SELECT json_build_array(relname, (xpath('//c/text()', query_to_xml(format('SELECT count(*) AS c FROM %I.%I',
        nspname, relname), false, true, '')))[1]::text::int) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
        WHERE relkind = 'r' AND nspname = '{schema}' ORDER BY relname"""
    return dict(matrix.psql(database, sql))


def differences(source, target, table):
    for (t, column), left in source.items():
        right = target.get((t, column))
        if t == table and right != left:
            yield f"column {column!r} of type {left[0][0]}: " + (
                f"is {right and right[0]}" if not right or left[0] != right[0] else
                f"{sorted(set(left[1]) - set(right[1]))[:2]} became {sorted(set(right[1]) - set(left[1]))[:2]}")


def compare(seed, method):
    with open("failures.json", encoding="utf-8") as file:
        failed = json.load(file)
    source, target = matrix.side("src", "public"), matrix.side("dst", "raw")
    rows, arrived = counts("src", "public"), counts("dst", "raw")
    values = 0
    hopeless = []
    for table, n in rows.items():
        bad = [] if arrived.get(table) == n else [f"{n} rows became {arrived.get(table)}: {failed.get(table, '')}"]
        if table in arrived:
            bad += differences(source, target, table)
            values += sum(len(found) for (t, _), (_, found) in source.items() if t == table)
        print(f"{'not ok' if bad else 'ok'} seed {seed}, table {table!r}: {n} rows, {method}")
        for problem in bad:
            print("# " + problem.replace("\n", " "))
        hopeless += [table] if bad else []
    print(f"# seed {seed}: {len(rows)} tables, {values} values")
    for table in hopeless[:3]:
        shrink(table)


class Shrinker:
    """Tries parts of a table: some of its columns, some of its rows."""

    def __init__(self, table):
        self.table = table
        self.columns = matrix.psql("src", f"""SELECT json_build_array(attname, format_type(atttypid, atttypmod), attnotnull)
            FROM pg_attribute WHERE attrelid = {text(quoted(table))}::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum""")
        self.rows = matrix.psql("src", f"SELECT to_json(ctid::text) FROM {quoted(table)} ORDER BY ctid")
        self.why = ""

    def arrives(self, columns, rows):
        names = ", ".join(quoted(c) for c, _, _ in columns)
        chosen = ", ".join(text(r) for r in rows)
        needed = "".join(f"ALTER TABLE shrunk ALTER {quoted(c)} SET NOT NULL;" for c, _, n in columns if n)
        matrix.psql("src", f"""SET client_min_messages = error; DROP TABLE IF EXISTS shrunk;
            CREATE TABLE shrunk AS SELECT {names} FROM {quoted(self.table)} WHERE ctid::text IN ({chosen or "''"}); {needed}""")
        matrix.psql("dst", "SET client_min_messages = error; DROP SCHEMA IF EXISTS raw, _rapidbyte CASCADE")
        for path in glob.glob("shrink.db*"):
            os.remove(path)
        done = subprocess.run([os.environ["RAPIDBYTE"], "run", "shrink.yaml", "--output", "json"], capture_output=True, check=False)
        if done.returncode != 0:
            self.why = "; ".join(s["error"]["message"] for s in json.loads(done.stdout or "{}").get("streams", []) if s.get("error"))
            self.why = self.why or done.stderr.decode(errors="replace").strip()[-300:]
            return False
        found = list(differences(matrix.side("src", "public", "shrunk"), matrix.side("dst", "raw", "shrunk"), "shrunk"))
        n, m = (matrix.psql(*a)[0] for a in (("src", "SELECT count(*) FROM shrunk"), ("dst", "SELECT count(*) FROM raw.shrunk")))
        self.why = "; ".join(found + ([f"{n} rows became {m}"] if n != m else []))
        return not self.why

    def smallest(self):
        """(columns, rows) that don't arrive, none of which can be left out; None: all of them do arrive by themselves."""
        columns, rows = self.columns, self.rows
        if self.arrives(columns, rows):
            return None
        alone = next((c for c in columns if not self.arrives([c], rows)), None)
        if alone:
            columns = [alone]
        else:
            for column in list(columns):
                fewer = [c for c in columns if c is not column]
                columns = columns if self.arrives(fewer, rows) else fewer
        if not self.arrives(columns, []):
            return columns, []
        size = len(rows) // 2
        while size > 0:
            at = 0
            while at < len(rows) and len(rows) > 1:
                fewer = rows[:at] + rows[at + size:]
                if fewer and not self.arrives(columns, fewer):
                    rows = fewer
                else:
                    at += size
            size //= 2
        self.arrives(columns, rows)
        return columns, rows


def shrink(table):
    shrinker = Shrinker(table)
    found = shrinker.smallest()
    if found is None:
        print(f"# {table!r} arrives when it is alone")
        return
    columns, rows = found
    described = ", ".join(f"column {quoted(c)} {t}{' NOT NULL' if n else ''}" for c, t, n in columns)
    values = matrix.psql("src", "SELECT to_json(left(t::text, 500)) FROM shrunk t") if columns else []
    line = f"# smallest: {described or 'no column'}, {len(rows)} of {len(shrinker.rows)} rows: {' '.join(values[:3])}: {shrinker.why}"
    print(line.replace("\n", " "))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    {"setup": lambda: setup(int(sys.argv[2]), int(sys.argv[3])), "compare": lambda: compare(int(sys.argv[2]), sys.argv[3]),
     "shrink": lambda: shrink(sys.argv[2])}[sys.argv[1]]()
