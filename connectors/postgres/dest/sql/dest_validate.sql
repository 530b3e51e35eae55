-- What the role may do in the schema ($1) and for the ledger.
SELECT n.oid IS NOT NULL,
    CASE WHEN n.oid IS NULL THEN has_database_privilege(current_database(), 'CREATE')
         ELSE has_schema_privilege(n.oid, 'CREATE') AND has_schema_privilege(n.oid, 'USAGE') END,
    CASE WHEN l.oid IS NULL THEN has_database_privilege(current_database(), 'CREATE')
         ELSE has_schema_privilege(l.oid, 'CREATE') AND has_schema_privilege(l.oid, 'USAGE') END,
    current_user, current_database(), pg_is_in_recovery()
FROM (VALUES (1)) one
LEFT JOIN pg_namespace n ON n.nspname = $1
LEFT JOIN pg_namespace l ON l.nspname = '_rapidbyte'
