-- Fixed widths alone. psql variables: table, seed (on: with rows), rows.
CREATE TABLE public.:table (
    id  bigint NOT NULL,
    a   double precision NOT NULL,
    b   double precision NOT NULL,
    c   double precision NOT NULL,
    d   double precision NOT NULL
);
\if :seed
INSERT INTO public.:table
SELECT i, sin(i), cos(i), i / 3.0, sqrt(i) FROM generate_series(1, :rows) AS i;
\endif
