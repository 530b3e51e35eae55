-- Rolled back by its caller.
INSERT INTO kv (pipeline, scope, owner, key, value, updated_unix_us)
VALUES ('', 0, '', 'probe', x'', 0)
ON CONFLICT (pipeline, scope, owner, key) DO UPDATE SET value = x'';
