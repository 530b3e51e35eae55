UPDATE runs SET load_id = :load_id WHERE id = :run;
