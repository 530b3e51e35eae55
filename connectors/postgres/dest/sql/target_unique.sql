-- Whether a unique index serves ON CONFLICT on exactly these columns ($2: a JSON array of names), and whether a key WITHOUT OVERLAPS
-- (PostgreSQL 18) is of them, which does not serve it.
SELECT coalesce(bool_or(NOT same.indisexclusion), false), coalesce(bool_or(same.indisexclusion), false) FROM (
    SELECT i.indisexclusion FROM pg_index i
    WHERE i.indrelid = $1::oid AND i.indisunique AND i.indimmediate AND i.indisvalid
        AND i.indpred IS NULL AND i.indexprs IS NULL
        AND (SELECT array_agg(a.attname::text ORDER BY a.attname::text COLLATE "C") FROM pg_attribute a
             WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1]))
          = (SELECT array_agg(k ORDER BY k COLLATE "C") FROM json_array_elements_text($2::json) k)) same
