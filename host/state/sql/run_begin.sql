INSERT INTO runs (pipeline, load_id, document_path, connectors_json, host, pid,
                  started_unix_us)
VALUES (:pipeline, :load_id, :document_path, :connectors, :host, :pid, :now);
