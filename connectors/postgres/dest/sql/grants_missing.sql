-- The statements that would give this role what it lacks for the ledger, and to load the table $2 (NULL: none) of schema $1 by the
-- mode $3 (append, upsert, truncate or swap). $4: with a temporary table. NULL: it lacks nothing of what is looked at.
WITH me AS (
    SELECT quote_ident(current_user) AS name, quote_ident(current_database()) AS database,
           has_database_privilege(current_database(), 'CREATE') AS may_create
), target AS (
    SELECT n.oid AS schema, c.oid AS "table", coalesce(pg_has_role(c.relowner, 'USAGE'), false) AS is_ours
      FROM (SELECT $1::text AS schema, $2::text AS "table") AS t
      LEFT JOIN pg_namespace AS n ON n.nspname = t.schema
      LEFT JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = t."table"
), ledger AS (
    SELECT n.oid AS schema, count(c.oid) AS n_tables, array_agg(c.oid) AS tables
      FROM (SELECT) AS one
      LEFT JOIN pg_namespace AS n ON n.nspname = '_rapidbyte'
      LEFT JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname IN ('open_loads', 'loads', 'staging', 'rejected', 'tables')
     GROUP BY n.oid
), missing (at, what) AS (
    SELECT 1, format('GRANT CREATE ON DATABASE %s TO %s (or %s)', me.database, me.name,
                     string_agg(format('CREATE SCHEMA %I AUTHORIZATION %s', s.name, me.name), '; ' ORDER BY s.at))
      FROM me CROSS JOIN ledger CROSS JOIN target
     CROSS JOIN LATERAL (VALUES (1, '_rapidbyte', ledger.schema), (2, $1, target.schema)) AS s (at, name, oid)
     WHERE s.oid IS NULL AND NOT me.may_create
     GROUP BY me.database, me.name
    UNION ALL
    SELECT 3, format('GRANT %s ON SCHEMA _rapidbyte TO %s', string_agg(p.name, ', ' ORDER BY p.name DESC), me.name)
      FROM me CROSS JOIN ledger CROSS JOIN (VALUES ('USAGE'), ('CREATE')) AS p (name)
     WHERE ledger.schema IS NOT NULL AND NOT has_schema_privilege(ledger.schema, p.name)
       AND (p.name = 'USAGE' OR ledger.n_tables < 5 OR $3 = 'swap')
     GROUP BY me.name
    UNION ALL
    SELECT 4, format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA _rapidbyte TO %s', me.name)
      FROM me CROSS JOIN ledger
     WHERE EXISTS (SELECT FROM unnest(ledger.tables) AS t (oid), unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) AS p (name)
                    WHERE NOT has_table_privilege(t.oid, p.name))
    UNION ALL
    SELECT 5, format('GRANT %s ON SCHEMA %I TO %s', string_agg(p.name, ', ' ORDER BY p.name DESC), $1, me.name)
      FROM me CROSS JOIN target CROSS JOIN (VALUES ('USAGE'), ('CREATE')) AS p (name)
     WHERE target.schema IS NOT NULL AND $2 IS NOT NULL AND NOT has_schema_privilege(target.schema, p.name)
       AND (p.name = 'USAGE' OR target."table" IS NULL OR $3 = 'swap')
     GROUP BY me.name
    UNION ALL
    SELECT 6, format('GRANT %s ON %I.%I TO %s', string_agg(p.name, ', ' ORDER BY p.at), $1, $2, me.name)
      FROM me CROSS JOIN target
     CROSS JOIN (VALUES (1, 'SELECT', '{upsert}'::text[]), (2, 'INSERT', '{append,upsert,truncate}'), (3, 'UPDATE', '{upsert}'),
                        (4, 'TRUNCATE', '{truncate}')) AS p (at, name, modes)
     WHERE target."table" IS NOT NULL AND NOT has_table_privilege(target."table", p.name) AND $3 = ANY (p.modes)
     GROUP BY me.name
    UNION ALL
    SELECT 7, format('GRANT %I TO %s', pg_get_userbyid(c.relowner), me.name)
      FROM me CROSS JOIN target JOIN pg_class AS c ON c.oid = target."table" WHERE $3 = 'swap' AND NOT target.is_ours
    UNION ALL
    SELECT 8, format('GRANT TEMPORARY ON DATABASE %s TO %s', me.database, me.name)
      FROM me WHERE $4::bool AND NOT has_database_privilege(current_database(), 'TEMPORARY')
)
SELECT string_agg(what, '; ' ORDER BY at) FROM missing
