-- The receipt of one unit ($3), or of the whole stream (-1), in a table ($4).
SELECT rows, bytes, rejected FROM _rapidbyte.loads WHERE load_id = $1 AND stream = $2 AND unit = $3::int8 AND target = $4
