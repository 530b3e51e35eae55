SELECT pipeline, load_id FROM runs WHERE id = :run;
