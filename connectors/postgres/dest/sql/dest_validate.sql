-- Whether the schema ($1) is there, and the database's name.
SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1), current_database()
