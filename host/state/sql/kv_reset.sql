-- :stream NULL: every scope; else the keys of that stream alone.
DELETE FROM kv
WHERE pipeline = :pipeline AND (:stream IS NULL OR (scope = 1 AND owner = :stream));
