UPDATE kv SET value = :value, updated_unix_us = :now
WHERE pipeline = :pipeline AND scope = :scope AND owner = :owner AND key = :key
  AND value = :expected;
