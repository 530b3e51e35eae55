-- Whether no transaction writes for a pipeline ($1: the number that those which do have locked, shared).
SELECT pg_try_advisory_xact_lock($1::int8)
