-- Whether the server can tell that a client is gone (client_connection_check_interval).
SELECT pg_catalog.textlike(pg_catalog.version(), '%linux%')
