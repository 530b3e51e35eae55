-- Schema and name, as they are now that they are locked, of the tables $1 (an array of OIDs).
SELECT name[1], name[2], oid
  FROM unnest($1::oid[]) part (oid)
 CROSS JOIN LATERAL parse_ident(oid::regclass::text) name
 ORDER BY oid
