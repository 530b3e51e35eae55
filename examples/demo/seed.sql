-- The demo's tables. psql variable: events, the rows of bench_events.
CREATE TABLE public.users (
    id          integer PRIMARY KEY,
    name        text NOT NULL,
    email       varchar(120),
    is_active   boolean NOT NULL DEFAULT true,
    balance     numeric(12,2),
    created_at  timestamptz NOT NULL
);
INSERT INTO public.users VALUES
    (1, 'Ada Lovelace',      'ada@example.com',   true,  1815.12, '1815-12-10 08:00:00+00'),
    (2, 'Grace Hopper',      'grace@example.com', true,  NULL,    '1906-12-09 12:30:00.123456+00'),
    (3, 'Édouard “Ed” Łuck', NULL,                false, -0.50,   'infinity');

CREATE TABLE public.orders (
    id          bigint PRIMARY KEY,
    user_id     integer NOT NULL,
    reference   uuid NOT NULL,
    amount      numeric(10,2) NOT NULL,
    paid_on     date,
    details     jsonb,
    updated_at  timestamp NOT NULL
);
INSERT INTO public.orders VALUES
    (10, 1, '6f1b7c5e-7f4f-4f0b-9d55-0f7f3d0a1b2c', 99.90, '2026-01-31', '{"items": [1, 2]}', '2026-01-31 10:00:00'),
    (11, 2, '0d9ad0c4-52d2-4a3f-8a51-2f1f1b1c3d4e', 0.00,  NULL,         '{}',                '2026-02-01 11:30:00.5'),
    (12, 1, 'ffffffff-ffff-4fff-bfff-ffffffffffff', 12.34, '0044-03-15 BC', NULL,             '2026-02-02 23:59:59.999999');

CREATE TABLE public.bench_events (
    id          bigint PRIMARY KEY,
    user_id     integer NOT NULL,
    kind        text NOT NULL,
    score       double precision,
    payload     jsonb,
    is_valid    boolean NOT NULL,
    created_at  timestamptz NOT NULL
);
INSERT INTO public.bench_events
SELECT i,
       (i * 7919 % 10007)::integer,
       (ARRAY['click', 'view', 'purchase', 'refund', 'sign-up'])[(1 + i % 5)::integer],
       CASE WHEN i % 10 = 0 THEN NULL ELSE i / 7.0 END,
       CASE WHEN i % 3 = 0 THEN NULL ELSE jsonb_build_object('page', '/item/' || i, 'n', i) END,
       i % 2 = 0,
       timestamptz '2026-01-01 00:00:00+00' + i * interval '1.000001 s'
FROM generate_series(1::bigint, :events) AS i;
ANALYZE public.users, public.orders, public.bench_events;
