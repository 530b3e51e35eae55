-- From 17 on: a limit of the whole transaction would end the one that keeps the snapshot.
SET idle_session_timeout = 0;
SET transaction_timeout = 0
