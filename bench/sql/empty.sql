-- A table without rows: the fixed cost of a run. psql variables: table, seed (no effect).
CREATE TABLE public.:table (id bigint NOT NULL, title text);
