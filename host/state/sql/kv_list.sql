SELECT scope, owner, key, value FROM kv WHERE pipeline = :pipeline ORDER BY scope, owner, key;
