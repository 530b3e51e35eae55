-- The receipt of one unit ($3), of a part of it, or of the whole stream (-1), in a table ($4). One that is not visible yet is of the
-- attempt ($5) and the snapshot ($6) that made its staging, and of no other.
SELECT rows, bytes, rejected, checksum, mode = 'checkpoint', checkpoint FROM _rapidbyte.loads
WHERE load_id = $1 AND stream = $2 AND unit = $3::int8 AND target = $4
    AND (visible OR (attempt = $5::int8 AND source_snapshot::text IS NOT DISTINCT FROM $6))
