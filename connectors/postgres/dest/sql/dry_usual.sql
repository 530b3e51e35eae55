-- Whether nothing but a name that is taken refuses a table of the system's types to a role that has made one in this database: no event
-- trigger may object, tables go where the database's are, and the role may use each type.
SELECT NOT EXISTS (SELECT FROM pg_event_trigger WHERE evtenabled <> 'D')
   AND current_setting('default_tablespace') = ''
   AND NOT EXISTS (SELECT FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace AND typacl IS NOT NULL AND NOT has_type_privilege(oid, 'USAGE'))
