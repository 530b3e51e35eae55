-- What follows is to outlive a crash of the server, whatever it is set to: a run that goes on after one would write receipts of
-- a load that the ledger does not know, and none of them would be found if it then failed.
BEGIN;
SELECT set_config('synchronous_commit',
    CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true)
