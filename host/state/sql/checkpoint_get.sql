SELECT checkpoint_json, load_id FROM checkpoints WHERE pipeline = :pipeline AND stream = :stream;
