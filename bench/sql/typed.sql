-- Twelve columns of as many types. psql variables: table, seed (on: with rows), rows.
CREATE TABLE public.:table (
    id       bigint NOT NULL,
    small    integer NOT NULL,
    big      bigint NOT NULL,
    ratio    double precision NOT NULL,
    price    numeric(12,4) NOT NULL,
    title    text NOT NULL,
    code     varchar(16) NOT NULL,
    is_open  boolean NOT NULL,
    changed  timestamptz NOT NULL,
    born     date NOT NULL,
    ref      uuid NOT NULL,
    note     text
);
\if :seed
INSERT INTO public.:table
SELECT i,
       i % 1000003,
       i * 1000003::bigint * 7919,
       i / 7.0,
       (i % 10000000) / 10000.0,
       'title of row ' || i || ' ' || md5(i::text),
       'code-' || i % 99991,
       i % 2 = 0,
       timestamptz '2026-01-01 00:00:00+00' + i * interval '1.000001 s',
       date '1950-01-01' + i % 27000,
       md5('ref' || i)::uuid,
       CASE WHEN i % 10 = 0 THEN NULL ELSE 'a note for row ' || i END
FROM generate_series(1, :rows) AS i;
\endif
