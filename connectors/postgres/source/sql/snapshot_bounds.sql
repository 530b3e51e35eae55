-- The horizon of the transaction's snapshot, and its end: nothing from there on is visible.
SELECT txid_snapshot_xmin(txid_current_snapshot()), txid_snapshot_xmax(txid_current_snapshot())
