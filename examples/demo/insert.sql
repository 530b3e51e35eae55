-- What happens at the source between the demo's two runs.
INSERT INTO public.users VALUES (4, 'Alan Turing', 'alan@example.com', true, 1912.06, '1912-06-23 00:00:00+00');
INSERT INTO public.orders VALUES
    (13, 4, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 42.00, '2026-02-03', '{"note": "second run"}', '2026-02-03 09:15:00');
