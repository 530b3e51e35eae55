-- A foreign key of another table that points to a table ($1: its OID), and whether this one refers to others, too.
SELECT format('%I of table %s', k.conname, k.conrelid::regclass),
    EXISTS (SELECT FROM pg_constraint o WHERE o.conrelid = g.tgrelid AND o.contype = 'f' AND o.confrelid <> g.tgrelid)
  FROM pg_trigger g JOIN pg_constraint k ON k.oid = g.tgconstraint AND k.contype = 'f' AND k.confrelid = g.tgrelid AND k.conrelid <> g.tgrelid
 WHERE g.tgrelid = $1::oid AND g.tgisinternal ORDER BY k.conname LIMIT 1
