#!/usr/bin/env python3
"""The type matrix: makes its tables at the source, and compares what arrived.

usage: matrix.py setup             tables and types of the matrix in database src (tests/types/*)
       matrix.py streams MODE      the pipeline's list of streams
       matrix.py compare RUN       TAP lines without numbers: one for each line of the matrix; RUN is METHOD-MODE-COMPRESSION
       matrix.py table FILE        a TAP line: each row of the connectors' table of types (type.c) has a line here
       matrix.py document          docs/types.md, from what `compare` and discover left in this folder

A line of the matrix becomes a table of this one column, with a NULL row, and a column of two wider tables with a key, where there is
a column of its arrays, too: one whose columns are all NOT NULL, and one where each has NULLs. Only these can be upserted. Both sides are
asked for the type with its modifier, its collation, NOT NULL, and for each value's text and its binary form. The server is the one of
PG_BIN, PG_SOCKET and PG_PORT; the destination's may be another one, of DST_SOCKET and DST_PORT. MATRIX_SAMPLE=n takes every nth
line; MATRIX_LARGE=1 adds those of values-large.txt.
"""
import functools
import glob
import json
import os
import re
import subprocess
import sys
import textwrap

HERE = os.path.dirname(os.path.abspath(__file__))
# Of these the servers before 14 have no arrays, or no way to write one.
ARRAYLESS = {"system_composite", "int2vector", "oidvector"}
# Between versions only the one of text and binary form that both have (0, 1): before 16, "char" prints its byte as it is; before 13,
# ltree has no binary form.
OTHERWISE = {"qchar": 1, "ltree": 0}
WIDE = 12  # columns of a NOT NULL table
# Both databases have other habits than the connectors' sessions: nothing may depend on them.
HABITS = {
    "src": {"TimeZone": "Asia/Kathmandu", "DateStyle": "German, DMY", "IntervalStyle": "sql_standard", "extra_float_digits": "-15",
            "bytea_output": "escape", "xmloption": "document", "quote_all_identifiers": "on"},
    "dst": {"TimeZone": "America/St_Johns", "DateStyle": "SQL, MDY", "IntervalStyle": "iso_8601", "extra_float_digits": "0",
            "array_nulls": "off", "xmloption": "document", "standard_conforming_strings": "off", "quote_all_identifiers": "on"},
}
SESSION = """SET TimeZone = 'UTC'; SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'postgres';
SET extra_float_digits = 3; SET bytea_output = 'hex'; SET lc_monetary = 'C'; SET search_path = ''; SET quote_all_identifiers = off;
"""


def psql(database, sql):
    """The answers, each a line of JSON."""
    side = "DST" if database == "dst" and "DST_PORT" in os.environ else "PG"
    command = [os.environ["PG_BIN"] + "/psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", os.environ[side + "_SOCKET"], "-p",
               os.environ[side + "_PORT"], "-U", "postgres", "-d", database]
    done = subprocess.run(command, input=sql.encode(), capture_output=True, check=False)
    if done.returncode != 0:
        sys.exit(f"matrix: {database}: {done.stderr.decode()}")
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


@functools.cache
def versions():
    """Of source and destination, as the servers write them."""
    return tuple(psql(d, "SELECT to_json(split_part(current_setting('server_version'), ' ', 1))")[0] for d in ("src", "dst"))


def majors():
    return tuple(int(v.split(".")[0]) for v in versions())


def server_major():
    """What both have."""
    return min(majors())


def label():
    source, target = majors()
    return f"{source}" if source == target else f"{source}→{target}"


def lines():
    """[name, type, [values]] of all lines that this server has, in order."""
    found = []
    files = ["values.txt", "values-ext.txt"]
    files += ["values-large.txt"] if os.environ.get("MATRIX_LARGE") else []
    files += sorted(os.path.basename(p) for p in glob.glob(HERE + "/values-[0-9]*.txt")
                    if int(re.search(r"(\d+)\.txt", p).group(1)) <= server_major())
    for file in files:
        with open(os.path.join(HERE, file), encoding="utf-8") as text:
            for line in text:
                line = line.rstrip("\n")
                if line and not line.startswith("#"):
                    name, kind, values = line.split("|", 2)
                    found.append((name, kind, values.split(" ;; ")))
    return found[:: int(os.environ.get("MATRIX_SAMPLE", "1"))]


def cast(value, kind):
    return f"({value})::{kind.split(' COLLATE ')[0]}"


def array_of(kind, values):
    """Values of the array type, of one and of two dimensions."""
    items = ", ".join(cast(v, kind) for v in values)
    return [f"ARRAY[{items}, NULL]", f"ARRAY[[{items}], [{items}]]", "'{}'",
            f"array_fill({cast(values[0], kind)}, ARRAY[2, 2], ARRAY[0, -3])"]


def is_large(name):
    """With others it would be a row that is refused."""
    return name.endswith("_large")


def groups():
    """The wide tables: name -> lines."""
    every = []
    for name, kind, values in lines():
        if is_large(name):
            continue
        every.append((name, kind, values))
        base, _, collation = kind.partition(" COLLATE ")
        if not base.endswith("[]") and not (server_major() < 14 and name in ARRAYLESS):
            collate = f" COLLATE {collation}" if collation else ""
            every.append((name + "_array", base + "[]" + collate, array_of(base, values)))
    return {f"{prefix}_{i // WIDE:02}": every[i:i + WIDE] for prefix in ("nn", "nl") for i in range(0, len(every), WIDE)}


def wide_table(table, members):
    """Statements that make it and fill it: nn_ is without NULLs, nl_ has a row of them, and single ones."""
    nulls = table.startswith("nl")
    columns = ", ".join(f"c_{n} {k}{'' if nulls else ' NOT NULL'}" for n, k, _ in members)
    sql = [f"CREATE TABLE {table} (id int PRIMARY KEY, {columns});"]
    for i in range(max(len(v) for _, _, v in members)):
        row = ", ".join("NULL" if nulls and (i + n) % 5 == 4 else cast(v[i % len(v)], k) for n, (_, k, v) in enumerate(members))
        sql.append(f"INSERT INTO {table} VALUES ({i}, {row});")
    return sql + ([f"INSERT INTO {table} VALUES (-1);"] if nulls else [])


def setup():
    for database, settings in HABITS.items():
        psql(database, "".join(f"ALTER DATABASE {database} SET {name} = '{value}';" for name, value in settings.items()))
        # In a schema of another name on either side.
        psql(database, f"CREATE SCHEMA ext_{database};" + "".join(
            f"CREATE EXTENSION {e} SCHEMA ext_{database};" for e in ("citext", "hstore", "ltree")) +
            f"ALTER DATABASE {database} SET search_path = public, ext_{database}")
    with open(os.path.join(HERE, "setup.sql"), encoding="utf-8") as text:
        sql = ["SET TimeZone = 'UTC'; SET DateStyle = 'ISO, MDY'; SET xmloption = content;", text.read()]
    for name, kind, values in lines():
        rows = ", ".join(f"({cast(v, kind)})" for v in values)
        sql.append(f"CREATE TABLE m_{name} (v {kind}); INSERT INTO m_{name} VALUES {rows}, (NULL);")
    for table, members in groups().items():
        sql += wide_table(table, members)
    psql("src", "\n".join(sql))


def streams(mode):
    for name in ["m_" + line[0] for line in lines() if mode != "upsert"] + list(groups()):
        print(f"- {{ name: {name}, write_mode: {mode} }}")


# The columns of all tables in a schema, with what can be asked of their values. The binary form of
# composites, and of arrays of types that users or initdb made, holds OIDs, which are the server's own.
COLUMNS = """
WITH RECURSIVE base (rel, num, typid) AS (
    SELECT attrelid, attnum, atttypid FROM pg_attribute
    UNION ALL
    SELECT rel, num, typbasetype FROM base JOIN pg_type t ON t.oid = typid WHERE typtype = 'd')
SELECT json_build_array(c.relname, a.attname, replace(replace(format_type(a.atttypid, a.atttypmod), 'ext_src.', ''), 'ext_dst.', ''),
    a.attnotnull,
    (SELECT collname FROM pg_collation WHERE oid = a.attcollation AND a.attcollation <> 100),
    CASE WHEN t.typtype = 'c' OR t.typcategory = 'A' AND t.typelem >= 10000 OR t.oid = 2205
              OR t.typsend = 0 OR t.typelem IN (SELECT oid FROM pg_type WHERE typsend = 0) THEN ''
         ELSE t.typsend::oid::regproc::text END,
    -- What that function takes; pseudo-types stand for the type itself.
    (SELECT format_type(CASE WHEN y.typtype = 'p' THEN t.oid ELSE y.oid END, -1)
     FROM pg_proc p JOIN pg_type y ON y.oid = p.proargtypes[0] WHERE p.oid = t.typsend))
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND attnum > 0 AND NOT attisdropped
JOIN base b ON b.rel = c.oid AND b.num = a.attnum JOIN pg_type t ON t.oid = b.typid AND t.typtype <> 'd'
WHERE c.relkind = 'r' AND c.relnamespace = '%s'::regnamespace AND c.relname LIKE '%s' ORDER BY c.relname, a.attnum
"""


def side(database, schema, tables="%"):
    """(table, column) -> (type, NOT NULL, collation), sorted values."""
    columns = psql(database, SESSION + COLUMNS % (schema, tables))
    sql = [SESSION]
    for i, (table, name, _, _, _, send, base) in enumerate(columns):
        # The multiset of values: text and bytes, hashed.
        column = '"' + name.replace('"', '""') + '"'
        relation = '"' + table.replace('"', '""') + '"'
        binary = f"md5({send}({column}::{base}))" if send else "''"
        sql.append(f"SELECT json_build_array({i}, coalesce(md5({column}::text), 'NULL') || ' ' || "
                   f"coalesce({binary}, 'NULL') || ' ' || coalesce(left({column}::text, 60), 'NULL')) "
                   f"FROM {schema}.{relation};")
    values = {}
    for i, value in psql(database, "\n".join(sql)):
        values.setdefault(tuple(columns[i][:2]), []).append(value)
    return {(t, c): ((k.replace(schema + ".", ""), n, o), sorted(values.get((t, c), [])))
            for t, c, k, n, o, _, _ in columns}


def source_side():
    """Asked once: values of 50 MB take their time."""
    if os.path.exists("source.json"):
        with open("source.json", encoding="utf-8") as text:
            return {tuple(k): (tuple(head), values) for k, (head, values) in json.load(text)}
    found = side("src", "public")
    with open("source.json", "w", encoding="utf-8") as out:
        json.dump(list(found.items()), out)
    return found


def comparable(name, found):
    """Without what another version of the server writes otherwise."""
    if "→" not in label() or name not in OTHERWISE or found is None:
        return found
    return found[0], sorted(value.split(" ")[OTHERWISE[name]] for value in found[1])


def compare(run):
    method, mode, compression = run.split("-")
    source, target = source_side(), side("dst", "raw")
    failed = {}
    if os.path.exists("failures.json"):
        with open("failures.json", encoding="utf-8") as text:
            failed = json.load(text)
    result = {}
    wide = {}
    for table, members in groups().items():
        for line in members:
            wide.setdefault(line[0], []).append((table, "c_" + line[0]))
    for name, kind, values in lines():
        problems = []
        places = ([("m_" + name, "v")] if mode != "upsert" else []) + wide.get(name, []) + wide.get(name + "_array", [])
        if not places:  # large ones are in no table with a key
            continue
        for key in places:
            if key not in target:
                problems.append(failed.get(key[0], "the table is missing"))
            elif not source[key][1]:
                problems.append("nothing is compared")
            elif comparable(name, source[key]) != comparable(name, target[key]):
                left, right = source[key], target[key]
                problems.append(f"{key[0]}: {left[0]} became {right[0]}" if left[0] != right[0] else
                                f"{key[0]}: {sorted(set(left[1]) - set(right[1]))[:3]} became "
                                f"{sorted(set(right[1]) - set(left[1]))[:3]}")
        print(f"{'not ok' if problems else 'ok'} {kind}, {method}, {mode}, {compression}: {len(values) + 1} values")
        for problem in problems:
            print("# " + problem.replace("\n", " "))
        result[name] = [kind, len(values) + 1, problems]
    with open(f"result-{label()}-{run}.json", "w", encoding="utf-8") as out:
        json.dump({"versions": versions(), "lines": result}, out)


def table(path):
    """The rows of type.c, and the base types of the lines' columns."""
    with open(path, encoding="utf-8") as text:
        rows = set(re.findall(r'^ {4}\{\d+, "(\w+)", [NBT], ', text.read(), re.MULTILINE))
    there = set(psql("src", "SELECT to_json(typname) FROM pg_type t JOIN pg_attribute a ON a.atttypid = t.oid "
                     "JOIN pg_class c ON c.oid = a.attrelid WHERE c.relname LIKE 'm\\_%' AND a.attname = 'v'"))
    new = {12: {"xid8", "pg_snapshot"} | {r for r in rows if r.endswith("multirange")}, 13: {r for r in rows if r.endswith("multirange")}}
    missing = sorted(rows - there - new.get(server_major(), set()))
    print(f"{'not ok' if missing or not rows else 'ok'} each of the {len(rows)} types that have a codec has a line in the matrix")
    if missing:
        print("# " + ", ".join(missing) + " has none")


HEAD = """# Types

Generated by `make types` from `tests/types`: do not edit. Tested on PostgreSQL {versions}, source and destination of the same
version{across}.

Each line is a table of that one column, with a NULL, and a column of two wider tables with a key, one whose columns are all NOT NULL
and one with NULLs in each; there stand arrays of it, too, of one and two dimensions. They went through pipelines with each
`load_method`, write mode and compression; every pair of versions saw {few}, {full} saw all {all}. Both databases have session
settings of their own (time zone, date and interval style, float digits, NULL in arrays, XML and others). **identical**: the
destination's column has the same type with its modifier, the same collation and NOT NULL, and the same values, by their text and by
their binary form. How the connectors carry types that users made is in [protocol.md](protocol.md).

{count} types, {values} values: {identical} identical by both methods.

Generated tables (`tests/types/generate.py`: random types, nesting, values, NULLs and names) that went through both methods in the same
run, counted once for each: {tables}, with {tried} values, without a difference.

| type | values | travels as | copy | insert |
|---|---|---|---|---|
"""

FOOT = """
## Types of extensions

A value of an extension's type travels by the type's own text: its output function writes it, its input function reads it. Both
databases need the extension (but for a column of text here, with `type_change: coerce`). Where the text has fewer digits than the
value, the column is refused before the first row (`LOSSY_TYPE`), also within arrays, domains, composites and ranges. With
`on_lossy_type: warn` in the source's `config` (default `fail`) what the text says is moved, and each column is named in a warning.

| extension | type | known from |
|---|---|---|
| seg | `seg` | PostgreSQL 15.18, `tests/e2e/lossy.t` |
| postgis | `box2d`, `box3d` | reports; not tested here |
| pg_sphere | `sline`, `sellipse` | reports; not tested here |
| icu_ext | `icu_timestamptz` | reports; not tested here |
| tdigest | `tdigest` | reports; not tested here. Its binary form is exact, and not used yet |

Some extensions write and read values by settings of their own. These settings stay as the role has them in each database, and
`verify` compares what each side writes. Give them the same value on both sides:

- `icu_ext.locale`: the text of icu_ext's dates and timestamps;
- `roaringbitmap.output_format`: the text of a `roaringbitmap`, an array or its bytes (`bytea`);
- `unit.*` (postgresql-unit): which prefix and unit a value is written in.

## What is refused

By stream, column and type, before anything of the stream is visible:

- a type of an extension that the destination's database does not have: `EXTENSION_MISSING`, by the extension's name;
- a type that users made, of which another one of the same name is in the target schema: `TYPE_DIFFERS`;
- one that can't be made from a description (base types written in C, row types of tables, ranges with an operator class of their
  own) and that is not there: `TYPE_MISSING`;
- `money` within an array, a composite or a range, where the two databases' `lc_monetary` have other fractions: `MONEY_DIGITS`
  (a column of `money` itself is converted: 1,234 yen become 1,234.00 dollars);
- a value that the destination can't hold, such as a `regclass` of a table that it does not have: by PostgreSQL's own message.
"""


def wrapped(text):
    """With its prose in lines of 100 columns at most; tables and headings are as they are."""
    blocks = []
    for block in text.split("\n\n"):
        items = re.split(r"\n(?=- )", block)
        prose = not re.match(r"\n*[|#]", block)
        blocks.append("\n".join(textwrap.fill(" ".join(i.split()), 100, break_long_words=False, break_on_hyphens=False,
                                              subsequent_indent="  " if i.startswith("- ") else "")
                                for i in items) if prose else block)
    return "\n\n".join(blocks)


def all_of(words):
    words = list(words)
    return " and ".join([", ".join(words[:-1])] * bool(words[:-1]) + words[-1:])


def document():
    results = {}  # (source and destination, run) -> what compare left
    for path in glob.glob("result-*.json"):
        servers, run = re.fullmatch(r"result-([^-]+)-(.*)\.json", path).groups()
        with open(path, encoding="utf-8") as text:
            results[(servers, run)] = json.load(text)
    carried = {}
    for path in glob.glob("discover-*.json"):
        with open(path, encoding="utf-8") as text:
            for stream in json.load(text)["streams"]:
                if stream["schema"]:
                    carried[stream["name"]] = stream["schema"][0]["arrow_type"]
    pairs = sorted({s for s, _ in results}, key=lambda s: ("→" in s, [int(n) for n in s.split("→")]))
    runs = {s: {r for t, r in results if t == s} for s in pairs}
    most = max(len(r) for r in runs.values())
    names = {}
    for result in results.values():
        names.update({n: (kind, count) for n, (kind, count, _) in result["lines"].items() if n not in names})
    rows, identical, values = [], 0, 0
    for name, (kind, n) in names.items():
        cells = []
        for method in ("copy", "insert"):
            said = {}
            for (servers, run), result in sorted(results.items()):
                if run.startswith(method) and name in result["lines"]:
                    said.setdefault("; ".join(result["lines"][name][2]) or "identical", []).append(f"{servers} {run}")
            cells.append(", ".join(w if len(said) == 1 else f"{w} ({', '.join(v)})" for w, v in said.items()))
        identical += cells == ["identical"] * 2
        values += n
        row = [f"`{kind}`", str(n), carried["m_" + name].replace("opaque[pg_catalog.", "opaque["), *cells]
        rows.append("| " + " | ".join(c.replace("|", "\\|").replace("\n", " ") for c in row) + " |")
    tried = [0, 0]
    with open("generated.txt", encoding="utf-8") as text:
        for line in text:
            tried = [a + int(b) for a, b in zip(tried, line.split())]
    same = {s: next(r["versions"][0] for (t, _), r in results.items() if t == s) for s in pairs if "→" not in s}
    across = [s.replace("→", " to ") for s in pairs if "→" in s]
    head = HEAD.format(versions=all_of(same.values()), across=", and from " + all_of(across) if across else "",
                      few=min(len(r) for r in runs.values()), full=all_of(s for s in pairs if len(runs[s]) == most), all=most,
                      count=len(rows), values=values, identical=identical, tables=tried[0], tried=tried[1])
    print(wrapped(head) + "\n".join(rows) + "\n" + wrapped(FOOT))
    return identical == len(rows)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    {"setup": setup, "streams": lambda: streams(sys.argv[2]), "compare": lambda: compare(sys.argv[2]),
     "table": lambda: table(sys.argv[2]), "document": lambda: sys.exit(0 if document() else 1)}[sys.argv[1]]()
