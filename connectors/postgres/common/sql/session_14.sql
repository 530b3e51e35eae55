-- What only servers from 14 on know, and what would end a session that waits for its turn.
SET idle_session_timeout = 0
