INSERT INTO runs (pipeline, load_id, document_path, host, pid, started_unix_us)
VALUES (:pipeline, :load_id, :document_path, :host, :pid, :now);
