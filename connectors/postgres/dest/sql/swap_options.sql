-- What LIKE leaves out and only CREATE TABLE can say, as the table ($1) has it: access method and tablespace.
SELECT format(' USING %I TABLESPACE %I', a.amname, s.spcname)
FROM pg_class c JOIN pg_am a ON a.oid = c.relam
JOIN pg_tablespace s ON s.oid = CASE WHEN c.reltablespace <> 0 THEN c.reltablespace
    ELSE (SELECT dattablespace FROM pg_database WHERE datname = current_database()) END
WHERE c.oid = $1::oid
