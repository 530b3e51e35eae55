-- Version 2: which modules ran. JSON array of {role, id, version, sha256}; NULL: not known.
ALTER TABLE runs ADD COLUMN connectors_json TEXT;
