-- Whether this version of the ledger is there, and to whom of it belongs that we have no reason to trust: a trigger of
-- theirs would run as us. We trust superusers, the database's owner, ourselves, and roles that we are a member of; a superuser is
-- one of every role for pg_has_role, and of those only that were granted for us.
SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = '_rapidbyte' AND c.relname = 'rejected')
   AND EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = '_rapidbyte' AND c.relname = 'tables')
   AND EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
                WHERE n.nspname = '_rapidbyte' AND c.relname = 'loads' AND a.attname = 'ledger_oid'),
    (SELECT string_agg(format('%s of role %s', what, r.rolname), ', ' ORDER BY what)
     FROM (SELECT 'the schema' AS what, n.nspowner AS owner FROM pg_namespace n WHERE n.nspname = '_rapidbyte'
            UNION ALL
           SELECT 'table ' || c.relname, c.relowner FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = '_rapidbyte' AND c.relname IN ('open_loads', 'loads', 'staging', 'rejected', 'tables')) o
     JOIN pg_roles r ON r.oid = o.owner
     JOIN pg_roles u ON u.rolname = current_user
     WHERE NOT (r.rolsuper OR r.oid = u.oid
        OR r.oid = (SELECT datdba FROM pg_database WHERE datname = current_database())
        OR (NOT u.rolsuper AND pg_has_role(u.oid, r.oid, 'MEMBER'))
        OR EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = r.oid AND m.member = u.oid)))
