-- The ledger's tables, in the schema _rapidbyte, which is there: what was loaded, written in the transaction of the data. Two
-- connections at once would meet on the catalogue's own index in spite of IF NOT EXISTS: the caller has the lock (schema_lock.sql).
CREATE TABLE IF NOT EXISTS _rapidbyte.open_loads (
    load_id text PRIMARY KEY,
    pipeline text NOT NULL,
    streams json NOT NULL,
    started timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended timestamptz
);
CREATE INDEX IF NOT EXISTS open_loads_pipeline ON _rapidbyte.open_loads (pipeline, started);
-- key: the name that its caller gave the load, unique in the pipeline. document: what it loads, and how, for a later run of the same key
-- to be compared with. claim: which run writes it; NULL: none may. seq: the order of loads, since a clock may be set back.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_attribute WHERE attrelid = '_rapidbyte.open_loads'::regclass AND attname = 'claim') THEN
        ALTER TABLE _rapidbyte.open_loads ADD COLUMN key text, ADD COLUMN document json, ADD COLUMN claim text,
            ADD COLUMN seq bigint NOT NULL GENERATED ALWAYS AS IDENTITY;
        CREATE UNIQUE INDEX open_loads_key ON _rapidbyte.open_loads (pipeline, key);
        CREATE INDEX open_loads_unfinished ON _rapidbyte.open_loads (pipeline) WHERE ended IS NULL;
    END IF;
END $$;
-- unit -1: a stream of several units, made visible by publish. mode checkpoint: a part of a stream, whose number is the unit;
-- the stream's receipt has the number after them. target: schema.table, for what one table got says nothing of another; empty
-- where a checkpoint was set by hand.
CREATE TABLE IF NOT EXISTS _rapidbyte.loads (
    load_id text NOT NULL,
    stream text NOT NULL,
    unit bigint NOT NULL,
    pipeline text NOT NULL,
    attempt bigint NOT NULL,
    mode text NOT NULL,
    visible boolean NOT NULL,
    rows bigint NOT NULL,
    bytes bigint NOT NULL,
    rejected bigint NOT NULL DEFAULT 0,
    checksum text,
    content_hash text,
    checkpoint json,
    source_snapshot json,
    source_system text,
    target text NOT NULL,
    started timestamptz NOT NULL,
    committed timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The order of loads of a pipeline: a clock may be set back.
    seq bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (load_id, stream, unit, target)
);
-- sync: full_refresh or incremental. target_oid: the table, for one that was dropped and made again is another. ledger_oid: this
-- table; where it differs the ledger was restored from a dump, and the numbers of tables say nothing. NULL: an older version's row.
ALTER TABLE _rapidbyte.loads ADD COLUMN IF NOT EXISTS sync text, ADD COLUMN IF NOT EXISTS target_oid oid,
    ADD COLUMN IF NOT EXISTS ledger_oid oid;
CREATE INDEX IF NOT EXISTS loads_stream ON _rapidbyte.loads (pipeline, stream, seq);
CREATE TABLE IF NOT EXISTS _rapidbyte.staging (
    name text PRIMARY KEY,
    load_id text NOT NULL,
    pipeline text NOT NULL,
    stream text NOT NULL,
    created timestamptz NOT NULL DEFAULT clock_timestamp()
);
ALTER TABLE _rapidbyte.staging ADD COLUMN IF NOT EXISTS shape json, ADD COLUMN IF NOT EXISTS before json,
    ADD COLUMN IF NOT EXISTS carried bytea;
-- What the source's table was like when a stream was last loaded into a table (target: schema.table; relation: its OID, ledger: this
-- table's), and whether rapidbyte made it.
CREATE TABLE IF NOT EXISTS _rapidbyte.tables (
    target text NOT NULL,
    pipeline text NOT NULL,
    stream text NOT NULL,
    relation oid NOT NULL,
    ledger oid NOT NULL,
    made boolean NOT NULL,
    source text NOT NULL,
    PRIMARY KEY (target, pipeline, stream)
);
-- Rejected rows of units that are not published yet; what the tables of rejected rows are made like.
CREATE TABLE IF NOT EXISTS _rapidbyte.rejected (
    load_id text NOT NULL,
    stream text NOT NULL,
    unit bigint NOT NULL,
    position bigint NOT NULL,
    sqlstate text,
    message text NOT NULL,
    detail text,
    "row" jsonb,
    "values" jsonb,
    rejected timestamptz NOT NULL DEFAULT clock_timestamp()
)
