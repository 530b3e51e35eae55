-- User-defined types and helpers of the type matrix, made at the source before tests/types/values.txt.
CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s, "fine"', 'ha\ppy');
CREATE TYPE "Odd Type" AS ENUM ('a b', 'ü');
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE DOMAIN small_positive AS positive CHECK (VALUE < 1000);
CREATE DOMAIN code AS varchar(8) COLLATE "C" CHECK (VALUE <> '');
CREATE TYPE pair AS (x integer, "Y z" text);
CREATE TYPE nested AS (p pair, m mood, n numeric(6,2)[]);
CREATE DOMAIN int_list AS integer[] CHECK (cardinality(VALUE) < 10);
CREATE DOMAIN good_mood AS mood CHECK (VALUE > 'sad');
CREATE DOMAIN short_citext AS citext CHECK (length(VALUE) < 9 AND VALUE <> 'NO');
CREATE DOMAIN a_pair AS pair CHECK ((VALUE).x > 0);
CREATE DOMAIN many_checks AS numeric(8,2) CONSTRAINT "a b" CHECK (VALUE > 0) CONSTRAINT c2 CHECK (VALUE <> 5) CONSTRAINT "it's" CHECK (VALUE < 1000);
CREATE TYPE with_domain AS (a integer, gone text, d code, m mood[], r int4range, t timestamptz, n numeric(6,3));
ALTER TYPE with_domain DROP ATTRIBUTE gone;
CREATE TYPE no_attributes AS ();
CREATE TYPE float_range AS RANGE (SUBTYPE = float8, SUBTYPE_DIFF = float8mi);
CREATE TYPE text_range AS RANGE (SUBTYPE = text, COLLATION = "C");
CREATE TYPE "in" AS ENUM ('0123456789012345678901234567890123456789012345678901234567890ab', 'NULL', '', ' ', '{}');
