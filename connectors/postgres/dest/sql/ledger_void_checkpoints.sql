-- The checkpoints of a pipeline ($1) and stream ($2) whose table ($3, $4) somebody has dropped since: the rows before them
-- are gone, so it is read from its start.
UPDATE _rapidbyte.loads SET checkpoint = NULL WHERE pipeline = $1 AND stream = $2 AND checkpoint IS NOT NULL
    AND target IN ($3 || '.' || $4, '')
    AND NOT EXISTS (SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = $3 AND c.relname = $4)
