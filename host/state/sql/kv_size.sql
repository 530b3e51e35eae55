SELECT length(CAST(key AS BLOB)) + length(value) FROM kv
WHERE pipeline = :pipeline AND scope = :scope AND owner = :owner AND key = :key;
