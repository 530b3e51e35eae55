SELECT value FROM kv
WHERE pipeline = :pipeline AND scope = :scope AND owner = :owner AND key = :key;
