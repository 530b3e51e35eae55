#!/bin/bash
# The examples of docs/nightly.md, run as the scheduler would run them: what a night loads it loads once.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
pg_start main || bail "no PostgreSQL"
databases
src_sql "CREATE TABLE a (id int); INSERT INTO a VALUES (1), (2)"
write_mode=append STREAMS='- { name: a }'
mkdir "$TAP_DIR/bin"
ln -s "$RAPIDBYTE" "$TAP_DIR/bin/rapidbyte"
PATH=$TAP_DIR/bin:$PATH

# example <heading>: the block of code below it, with this test's document and log in place of the machine's.
example() {
    awk -v heading="## $1" '$0 == heading { on = 1 } on && /^```/ { if (n++) exit; next } on && n' docs/nightly.md |
        sed "s|/etc/rapidbyte/shop.yaml|$TAP_DIR/$2.yaml|; s|/var/log/rapidbyte.log|$TAP_DIR/$2.log|"
}
rows() { dst_sql "SELECT count(*) FROM raw.a"; }

# cron: five fields, then the command, in which \% stands for %.
PIPELINE=cron pipeline "$TAP_DIR/cron.yaml"
example cron cron >"$TAP_DIR/crontab"
like "$(<"$TAP_DIR/crontab")" "rapidbyte run .* --key" "cron: the example is there"
lines=0
while read -r _ _ _ _ _ command; do
    [[ $command == rapidbyte* ]] || continue
    lines=$((lines + 1))
    run_is 0 "cron: line $lines" sh -c "${command//\\%/%}"
done <"$TAP_DIR/crontab"
is "$lines" 2 "cron: both lines were run"
is "$(rows)" 2 "cron: the repeat loads nothing"
like "$(<"$TAP_DIR/cron.log")" "already loaded" "cron: the log says so"

# Airflow: the operator's command and variables, for two tries of one run of a DAG and one of another.
PIPELINE=airflow pipeline "$TAP_DIR/airflow.yaml"
example Airflow airflow >"$TAP_DIR/dag.py"
# airflow <run_id>
# shellcheck disable=SC2317,SC2329 # run_is is given it
airflow() {
    python3 - "$TAP_DIR/dag.py" "$1" <<'PY'
import ast, os, subprocess, sys
call = ast.parse(open(sys.argv[1]).read()).body[0].value
task = {k.arg: ast.literal_eval(k.value) for k in call.keywords}
env = {k: v.replace("{{ run_id }}", sys.argv[2]) for k, v in task["env"].items()}
assert "{{" not in str(env) and task["append_env"]
sys.exit(subprocess.run(["bash", "-c", task["bash_command"]], env={**os.environ, **env}).returncode)
PY
}
dst_sql 'TRUNCATE raw.a'
for run_id in scheduled__2026-11-29 scheduled__2026-11-29 scheduled__2026-11-30; do
    run_is 0 "airflow: a try of $run_id" airflow "$run_id"
done
is "$(rows)" 4 "airflow: each run of the DAG loads once"

# Slurm: the job's script, as sbatch has it run; a job that is put back into the queue keeps its number.
PIPELINE=slurm pipeline "$TAP_DIR/slurm.yaml"
example Slurm slurm >"$TAP_DIR/job"
dst_sql 'TRUNCATE raw.a'
for job in 17 17 18; do
    run_is 0 "slurm: job $job" env SLURM_JOB_ID="$job" bash "$TAP_DIR/job"
done
is "$(rows)" 4 "slurm: each job loads once"
done_testing
