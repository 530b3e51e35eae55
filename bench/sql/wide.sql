-- Twenty texts of 3.5 kB: 70 kB a row, out of line. psql variables: table, seed (on: with rows), rows.
CREATE TABLE public.:table (
    c01 text NOT NULL,
    c02 text NOT NULL,
    c03 text NOT NULL,
    c04 text NOT NULL,
    c05 text NOT NULL,
    c06 text NOT NULL,
    c07 text NOT NULL,
    c08 text NOT NULL,
    c09 text NOT NULL,
    c10 text NOT NULL,
    c11 text NOT NULL,
    c12 text NOT NULL,
    c13 text NOT NULL,
    c14 text NOT NULL,
    c15 text NOT NULL,
    c16 text NOT NULL,
    c17 text NOT NULL,
    c18 text NOT NULL,
    c19 text NOT NULL,
    c20 text NOT NULL
);
\if :seed
-- Texts that don't compress, from a pool of 128.
CREATE TEMPORARY TABLE pool AS
SELECT n, (SELECT string_agg(md5(n || '/' || k), '') FROM generate_series(1, 110) AS k) AS body
FROM generate_series(0, 127) AS n;
INSERT INTO public.:table
SELECT
       (SELECT i || body FROM pool WHERE n = (i * 3 + 1) % 128),
       (SELECT i || body FROM pool WHERE n = (i * 5 + 2) % 128),
       (SELECT i || body FROM pool WHERE n = (i * 7 + 3) % 128),
       (SELECT i || body FROM pool WHERE n = (i * 9 + 4) % 128),
       (SELECT i || body FROM pool WHERE n = (i * 11 + 5) % 128),
       (SELECT i || body FROM pool WHERE n = (i * 13 + 6) % 128),
       (SELECT i || body FROM pool WHERE n = (i * 15 + 7) % 128),
       (SELECT i || body FROM pool WHERE n = (i * 17 + 8) % 128),
       (SELECT i || body FROM pool WHERE n = (i * 19 + 9) % 128),
       (SELECT i || body FROM pool WHERE n = (i * 21 + 10) % 128),
       (SELECT i || body FROM pool WHERE n = (i * 23 + 11) % 128),
       (SELECT i || body FROM pool WHERE n = (i * 25 + 12) % 128),
       (SELECT i || body FROM pool WHERE n = (i * 27 + 13) % 128),
       (SELECT i || body FROM pool WHERE n = (i * 29 + 14) % 128),
       (SELECT i || body FROM pool WHERE n = (i * 31 + 15) % 128),
       (SELECT i || body FROM pool WHERE n = (i * 33 + 16) % 128),
       (SELECT i || body FROM pool WHERE n = (i * 35 + 17) % 128),
       (SELECT i || body FROM pool WHERE n = (i * 37 + 18) % 128),
       (SELECT i || body FROM pool WHERE n = (i * 39 + 19) % 128),
       (SELECT i || body FROM pool WHERE n = (i * 41 + 20) % 128)
FROM generate_series(1, :rows) AS i;
\endif
