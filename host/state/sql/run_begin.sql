INSERT INTO runs (pipeline, load_id, document_path, connectors_json, key, host, pid,
                  started_unix_us)
VALUES (:pipeline, :load_id, :document_path, :connectors, :key, :host, :pid, :now);
