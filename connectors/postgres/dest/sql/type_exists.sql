-- Only the name of a type passes here: what passes may stand in a statement.
SELECT to_regtype($1) IS NOT NULL
