-- From 17 on: a limit of the whole transaction would end the one that keeps the snapshot.
SET idle_session_timeout = 0;
SET transaction_timeout = 0;
-- A query whose client is gone ends within a second, though it has no rows to send; where the server can't tell
-- (then it would refuse the setting) it is not asked to.
SELECT set_config('client_connection_check_interval', '1000', false) WHERE version() LIKE '%linux%'
