-- User-defined types and helpers of the type matrix, made at the source before tests/types/values.txt.
CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s, "fine"', 'ha\ppy');
CREATE TYPE "Odd Type" AS ENUM ('a b', 'ü');
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE DOMAIN small_positive AS positive CHECK (VALUE < 1000);
CREATE DOMAIN code AS varchar(8) COLLATE "C" CHECK (VALUE <> '');
CREATE TYPE pair AS (x integer, "Y z" text);
CREATE TYPE nested AS (p pair, m mood, n numeric(6,2)[]);
