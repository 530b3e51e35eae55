-- Bytes of the table $1 as it is now. The lock that this takes is released at once.
SELECT pg_relation_size($1::oid)
