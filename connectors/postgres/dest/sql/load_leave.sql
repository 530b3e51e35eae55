-- The unfinished loads of a pipeline ($1) but this run's ($2): no run may write them any more, and they are given up, unless a key names
-- them, or they have appended whole tables ($3: not longer ago than so many milliseconds; NULL: whenever) that a run is not to append
-- again. Returns those that appended such tables: the load, when it began (milliseconds since 1970), the streams, whether it is given up.
WITH appended AS (
    SELECT o.load_id, (SELECT string_agg(DISTINCT l.stream, ', ') FROM _rapidbyte.loads AS l
        WHERE l.load_id = o.load_id AND l.visible AND l.mode = 'append' AND coalesce(l.sync = 'full_refresh', l.checkpoint IS NULL)) AS streams
      FROM _rapidbyte.open_loads AS o WHERE o.pipeline = $1 AND o.ended IS NULL AND o.load_id <> $2
), units AS (
    -- Units are never gone on with under another snapshot.
    DELETE FROM _rapidbyte.loads AS l USING appended AS a WHERE l.load_id = a.load_id AND NOT l.visible
), rejected AS (
    DELETE FROM _rapidbyte.rejected AS r USING appended AS a WHERE r.load_id = a.load_id
), left_alone AS (
    UPDATE _rapidbyte.open_loads AS o SET claim = NULL,
        ended = CASE WHEN o.key IS NOT NULL OR (a.streams IS NOT NULL
            AND ($3::int8 IS NULL OR o.started > clock_timestamp() - $3::int8 * interval '1 millisecond')) THEN NULL ELSE clock_timestamp() END
      FROM appended AS a WHERE o.load_id = a.load_id RETURNING o.load_id, o.started, o.ended, a.streams, o.seq
)
SELECT load_id, floor(extract(epoch FROM started) * 1000)::int8, streams, ended IS NOT NULL FROM left_alone WHERE streams IS NOT NULL ORDER BY seq
