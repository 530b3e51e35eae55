-- Version 4: the runs that have not ended are found without the others.
CREATE INDEX runs_left ON runs (pipeline) WHERE outcome IS NULL;
