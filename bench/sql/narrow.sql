-- bench_events, as most logs look. psql variables: table, seed (on: with rows), rows.
CREATE TABLE public.:table (
    id          integer NOT NULL,
    event_type  text NOT NULL,
    user_id     integer NOT NULL,
    amount      integer NOT NULL,
    is_active   boolean NOT NULL,
    payload     text NOT NULL,
    created_at  timestamp NOT NULL
);
\if :seed
INSERT INTO public.:table
SELECT i,
       (ARRAY['click', 'view', 'purchase', 'refund', 'sign-up'])[1 + i % 5],
       i * 7919::bigint % 100003,
       i * 104729::bigint % 1000000,
       i % 3 <> 0,
       '{"session": "' || md5(i::text) || '", "page": ' || i % 1000 || '}',
       timestamp '2026-01-01' + i * interval '1.000001 s'
FROM generate_series(1, :rows) AS i;
\endif
