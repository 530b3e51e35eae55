-- Of the plan's transaction. Nobody waits long for what it asks of a table, nor it for others; JIT costs more than these statements.
SET LOCAL lock_timeout = 900;
SET LOCAL jit = off;
SAVEPOINT rapidbyte
