-- Rows of a table and a hash of what they hold. psql variable: content (schema.table).
SELECT count(*), coalesce(sum(hash_record_extended(t, 0)::numeric), 0) FROM :content AS t;
