-- When such a run ended, nobody knows: ended_unix_us stays NULL.
UPDATE runs SET outcome = 'crashed' WHERE pipeline = :pipeline AND outcome IS NULL;
