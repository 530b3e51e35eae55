-- The oldest are looked at alone, so that this costs the same however many there are.
DELETE FROM runs WHERE id IN (
    SELECT id FROM (SELECT id, started_unix_us FROM runs WHERE pipeline = :pipeline AND outcome IS NOT NULL ORDER BY id LIMIT :at_once)
     WHERE id < (SELECT max(id) FROM runs WHERE pipeline = :pipeline)
       AND (started_unix_us < :before
            OR id <= (SELECT id FROM runs WHERE pipeline = :pipeline ORDER BY id DESC LIMIT 1 OFFSET :keep)));
