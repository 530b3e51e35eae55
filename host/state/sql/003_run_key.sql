-- Version 3: the key by which a run's load was named; NULL: none.
ALTER TABLE runs ADD COLUMN key TEXT;
