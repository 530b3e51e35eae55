-- What the ledger knows of the rows in a table ($3: as the ledger calls it; $4: its number) to which a stream ($2) of a pipeline ($1)
-- adds rows: whether the operator has set where the stream stands, and nothing was loaded since; the newest load of the whole stream
-- into this very table, its mode and when (none where it has kept a cursor); the table that the stream's newest cursor is of, if it has
-- none of this one; whether it loaded another table of this name; whether any load of this pipeline put rows here; whether the table
-- may be read, and is larger than nothing.
WITH mine AS (
    SELECT l.*, l.target = $3 AND (l.target_oid IS NULL OR l.ledger_oid <> '_rapidbyte.loads'::regclass::oid OR l.target_oid = $4::oid) AS same
      FROM _rapidbyte.loads AS l WHERE l.pipeline = $1 AND l.stream = $2 AND l.visible
)
SELECT coalesce((SELECT mode = 'set' FROM mine ORDER BY seq DESC LIMIT 1), false),
    whole.load_id, whole.mode, to_char(whole.committed, 'YYYY-MM-DD HH24:MI:SSOF'),
    (SELECT m.target FROM mine AS m WHERE m.checkpoint IS NOT NULL AND m.target NOT IN ($3, '')
        AND NOT EXISTS (SELECT FROM mine AS o WHERE o.checkpoint IS NOT NULL AND o.target IN ($3, '')) ORDER BY seq DESC LIMIT 1),
    EXISTS (SELECT FROM mine AS m WHERE m.target = $3 AND NOT m.same AND m.rows > 0),
    EXISTS (SELECT FROM mine AS m WHERE m.same),
    has_table_privilege($4::oid, 'SELECT'), pg_relation_size($4::oid) > 0
  FROM (SELECT) AS one
  LEFT JOIN LATERAL (
        SELECT m.load_id, m.mode, m.committed, m.checkpoint FROM mine AS m
         WHERE m.same AND m.rows > 0 AND coalesce(m.sync, 'full_refresh') = 'full_refresh' ORDER BY seq DESC LIMIT 1
       ) AS whole ON whole.checkpoint IS NULL
