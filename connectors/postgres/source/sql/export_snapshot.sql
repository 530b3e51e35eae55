-- The snapshot for other sessions, and its horizon as a 64-bit number. (txid_... exists in every version;
-- pg_current_snapshot only from 13 on.)
SELECT pg_export_snapshot(),
       txid_snapshot_xmin(txid_current_snapshot()),
       pg_is_in_recovery()
