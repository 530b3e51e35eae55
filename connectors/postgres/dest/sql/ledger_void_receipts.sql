-- The load's ($1) receipts of a stream ($2) whose table ($3, $4) somebody has dropped since: a receipt does not bring it back.
DELETE FROM _rapidbyte.loads WHERE load_id = $1 AND stream = $2 AND target = $3 || '.' || $4
    AND NOT EXISTS (SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = $3 AND c.relname = $4)
