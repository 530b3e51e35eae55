-- Whether this version of the ledger is there.
SELECT to_regclass('_rapidbyte.rejected') IS NOT NULL
