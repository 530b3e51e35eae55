-- Which cluster this is, and which of its histories. A server may forbid it.
SELECT s.system_identifier, c.timeline_id
  FROM pg_control_system() s, pg_control_checkpoint() c
