-- The statement by which the enum $2 of schema $1 gets the label $3, right after ($5; else before) the label $4.
SELECT format('ALTER TYPE %I.%I ADD VALUE %L %s %L', $1::text, $2::text, $3::text, CASE WHEN $5::bool THEN 'AFTER' ELSE 'BEFORE' END, $4::text)
