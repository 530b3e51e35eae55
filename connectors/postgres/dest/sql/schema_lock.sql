-- To the end of the transaction: whoever makes schemas, or the ledger, at the same time waits.
SELECT pg_advisory_xact_lock(5931742210746713)
