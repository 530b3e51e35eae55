-- Of the table $3 (schema.table; $4: its OID): whether rapidbyte made it, and what the source's table was like when the stream $2 of the
-- pipeline $1 was last loaded into it. In a ledger that was restored from a dump the numbers of tables say nothing.
SELECT coalesce(bool_or(made), false), max(source) FILTER (WHERE pipeline = $1 AND stream = $2)
FROM _rapidbyte.tables
WHERE target = $3 AND (relation = $4::oid OR ledger <> '_rapidbyte.tables'::regclass::oid)
