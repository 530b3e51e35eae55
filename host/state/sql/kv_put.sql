INSERT INTO kv (pipeline, scope, owner, key, value, updated_unix_us)
VALUES (:pipeline, :scope, :owner, :key, :value, :now)
ON CONFLICT (pipeline, scope, owner, key) DO UPDATE SET
    value = excluded.value,
    updated_unix_us = excluded.updated_unix_us;
