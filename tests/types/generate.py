#!/usr/bin/env python3
"""Random tables: made at the source, and compared with what arrived.

usage: generate.py setup SEED N    N tables in database src, and the pipeline's list of streams
       generate.py compare SEED    TAP lines without numbers: one for each table; a difference is told by its column

Types, modifiers, nesting, values, NULL patterns and names depend on the seed alone. The server is
the one of PG_BIN, PG_SOCKET and PG_PORT.
"""
import json
import random
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
            (f"time({p})", lambda: special(["24:00"], lambda: f"time '00:00' + interval '{r.randint(0, 86399999999)} microseconds'")),
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


def compare(seed):
    with open("failures.json", encoding="utf-8") as text:
        failed = json.load(text)
    counts = "SELECT json_build_array(relname, (xpath('//c/text()', query_to_xml(format('SELECT count(*) AS c FROM %%I.%%I', " \
        "nspname, relname), false, true, '')))[1]::text::int) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace " \
        "WHERE relkind = 'r' AND nspname = '%s' ORDER BY relname"
    source, target = matrix.side("src", "public"), matrix.side("dst", "raw")
    rows, arrived = (dict(matrix.psql(*a)) for a in (("src", counts % "public"), ("dst", counts % "raw")))
    values = 0
    for table, n in rows.items():
        bad = [] if arrived.get(table) == n else [f"{n} rows became {arrived.get(table)}: {failed.get(table, '')}"]
        for (t, column), left in source.items():
            if t != table or table not in arrived:
                continue
            values += len(left[1])
            right = target.get((t, column))
            if right != left:
                bad.append(f"column {column!r} of type {left[0][0]}: " + (
                    f"is {right and right[0]}" if not right or left[0] != right[0] else
                    f"{sorted(set(left[1]) - set(right[1]))[:2]} became {sorted(set(right[1]) - set(left[1]))[:2]}"))
        print(f"{'not ok' if bad else 'ok'} seed {seed}, table {table!r}: {n} rows")
        for problem in bad:
            print("# " + problem.replace("\n", " "))
    print(f"# seed {seed}: {len(rows)} tables, {values} values")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    setup(int(sys.argv[2]), int(sys.argv[3])) if sys.argv[1] == "setup" else compare(int(sys.argv[2]))
