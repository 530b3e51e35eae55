-- What a state file holds, version 1. Times are microseconds since 1970 UTC.

-- One row for each `rapidbyte run`, written before anything moves.
CREATE TABLE runs (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    pipeline        TEXT    NOT NULL,
    load_id         TEXT    NOT NULL,
    document_path   TEXT,
    host            TEXT    NOT NULL,
    pid             INTEGER NOT NULL,
    started_unix_us INTEGER NOT NULL,
    ended_unix_us   INTEGER,          -- NULL: still running, or its process died
    outcome         TEXT CHECK (outcome IN ('ok', 'partial', 'failed', 'cancelled', 'crashed')),
    exit_code       INTEGER,
    error_json      TEXT,
    timings_json    TEXT
);
CREATE INDEX runs_by_pipeline ON runs (pipeline, id);

CREATE TABLE run_streams (
    run_id          INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    stream          TEXT    NOT NULL,
    outcome         TEXT    NOT NULL
        CHECK (outcome IN ('ok', 'already_loaded', 'failed', 'cancelled', 'not_started')),
    sync_mode       TEXT,
    write_mode      TEXT,
    records_read    INTEGER NOT NULL,
    records_written INTEGER NOT NULL,
    records_skipped INTEGER NOT NULL,
    bytes_read      INTEGER NOT NULL,
    bytes_written   INTEGER NOT NULL,
    started_unix_us INTEGER NOT NULL,
    ended_unix_us   INTEGER NOT NULL,
    checksum        TEXT,
    timings_json    TEXT,
    error_json      TEXT,
    PRIMARY KEY (run_id, stream)
) WITHOUT ROWID;

-- The newest committed checkpoint of each stream, with the load that committed it.
CREATE TABLE checkpoints (
    pipeline        TEXT NOT NULL,
    stream          TEXT NOT NULL,
    load_id         TEXT NOT NULL,
    cursor_field    TEXT,
    cursor_type     TEXT,
    checkpoint_json TEXT NOT NULL CHECK (json_valid(checkpoint_json)),
    updated_unix_us INTEGER NOT NULL,
    PRIMARY KEY (pipeline, stream)
) WITHOUT ROWID;

-- Connectors' own keys. scope: 0 pipeline, 1 stream, 2 connector instance.
CREATE TABLE kv (
    pipeline        TEXT    NOT NULL,
    scope           INTEGER NOT NULL CHECK (scope IN (0, 1, 2)),
    owner           TEXT    NOT NULL,
    key             TEXT    NOT NULL,
    value           BLOB    NOT NULL,
    updated_unix_us INTEGER NOT NULL,
    PRIMARY KEY (pipeline, scope, owner, key)
) WITHOUT ROWID;

-- Which process runs a pipeline. A row whose process is gone is taken over.
CREATE TABLE locks (
    pipeline        TEXT    NOT NULL PRIMARY KEY,
    token           TEXT    NOT NULL,  -- of the handle that took it
    pid             INTEGER NOT NULL,
    process_start   INTEGER NOT NULL,  -- clock ticks after boot, /proc/<pid>/stat field 22
    boot_id         TEXT    NOT NULL,
    host            TEXT    NOT NULL,
    taken_unix_us   INTEGER NOT NULL
) WITHOUT ROWID;
