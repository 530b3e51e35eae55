UPDATE runs
SET outcome = :outcome, exit_code = :exit_code, error_json = :error, timings_json = :timings,
    ended_unix_us = :now
WHERE id = :run;
