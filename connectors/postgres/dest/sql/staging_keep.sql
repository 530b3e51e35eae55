-- What the staging $1 is to be exchanged with: shape.c's words for the table ($2), what the old table is like ($3), and what it gets
-- before ($4).
UPDATE _rapidbyte.staging SET shape = $2::json, before = $3::json, carried = $4::bytea WHERE name = $1
