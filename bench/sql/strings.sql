-- One text of 1 kB. psql variables: table, seed (on: with rows), rows.
CREATE TABLE public.:table (body text NOT NULL);
\if :seed
INSERT INTO public.:table SELECT repeat(md5(i::text), 32) FROM generate_series(1, :rows) AS i;
\endif
