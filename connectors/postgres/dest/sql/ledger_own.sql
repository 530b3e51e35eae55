-- Whether this version of the ledger is there and all of it ours, which is the common case: then there is nobody to mistrust, and
-- ledger_exists.sql, which takes the server several times as long, need not be asked. Then whether nothing can be written at all, and
-- whether that is so because this is a standby.
SELECT count(*) FILTER (WHERE c.relname = 'rejected') = 1 AND count(*) FILTER (WHERE c.relname = 'tables') = 1
       AND bool_or(EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'ledger_oid'))
       AND bool_and(n.nspowner = u.oid AND c.relowner = u.oid),
       current_setting('transaction_read_only')::bool, pg_is_in_recovery()
  FROM pg_namespace n
  JOIN pg_class c ON c.relnamespace = n.oid AND c.relname IN ('open_loads', 'loads', 'staging', 'rejected', 'tables')
 CROSS JOIN (SELECT to_regrole(quote_ident(current_user))::oid) AS u (oid)
 WHERE n.nspname = '_rapidbyte'
