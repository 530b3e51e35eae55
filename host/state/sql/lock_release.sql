-- Only what this handle took; :pipeline NULL releases all of it.
DELETE FROM locks
WHERE token = :token AND (:pipeline IS NULL OR pipeline = :pipeline);
