-- How many digits follow the point of money in this session, by its lc_monetary.
SELECT pg_catalog.scale('0'::pg_catalog.money::pg_catalog."numeric")
