DELETE FROM checkpoints WHERE pipeline = :pipeline AND (:stream IS NULL OR stream = :stream);
