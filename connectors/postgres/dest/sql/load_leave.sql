-- The unfinished loads of a pipeline ($1) but this run's ($2): no run may write them any more, and they are given up, unless a key names
-- them, or they have appended whole tables ($3: not longer ago than so many milliseconds; NULL: whenever) that a run is not to append
-- again. Returns those that appended such tables: the load, when it began (milliseconds since 1970), the streams, whether it is given up.
-- $4: whether that is done, or only said.
WITH appended AS (
    SELECT o.load_id, o.started, o.seq, o.key IS NOT NULL OR (s.streams IS NOT NULL
            AND ($3::int8 IS NULL OR o.started > clock_timestamp() - $3::int8 * interval '1 millisecond')) AS kept, s.streams
      FROM _rapidbyte.open_loads AS o
     CROSS JOIN LATERAL (SELECT string_agg(DISTINCT l.stream, ', ') FROM _rapidbyte.loads AS l
        WHERE l.load_id = o.load_id AND l.visible AND l.mode = 'append' AND coalesce(l.sync = 'full_refresh', l.checkpoint IS NULL)) AS s (streams)
     WHERE o.pipeline = $1 AND o.ended IS NULL AND o.load_id <> $2
), units AS (
    -- Units are never gone on with under another snapshot.
    DELETE FROM _rapidbyte.loads AS l USING appended AS a WHERE l.load_id = a.load_id AND NOT l.visible AND $4::bool
), rejected AS (
    DELETE FROM _rapidbyte.rejected AS r USING appended AS a WHERE r.load_id = a.load_id AND $4::bool
), left_alone AS (
    UPDATE _rapidbyte.open_loads AS o SET claim = NULL, ended = CASE WHEN a.kept THEN NULL ELSE clock_timestamp() END
      FROM appended AS a WHERE o.load_id = a.load_id AND $4::bool
)
SELECT load_id, floor(extract(epoch FROM started) * 1000)::int8, streams, NOT kept FROM appended WHERE streams IS NOT NULL ORDER BY seq
