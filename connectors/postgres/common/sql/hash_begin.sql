-- What a session fixes already is not repeated (conn.h); money prints by lc_monetary.
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL lc_monetary = 'C';
SET LOCAL idle_in_transaction_session_timeout = 0
