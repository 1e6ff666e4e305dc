#!/bin/sh
# demo.sh [JOB]: the demo of `docker compose --profile demo`: runs the word count on the workers, shows its result, and the proof
# that its Redis is gone. JOB is a file of the example: job.yaml, or container.yaml, for which profile docker has to be there.
#
# On one machine the Redis of job.yaml listens to that machine alone; here tasks of another worker have to reach it, on a network
# that only this deployment is on.
set -eu

file=${1:-job.yaml}
job=/tmp/word-count
mkdir -p "$job"
cp /usr/share/curfew/examples/word-count/* "$job"
sed -i 's/--bind, 127.0.0.1,/--protected-mode, "no",/' "$job/job.yaml"
grep -q protected-mode "$job/job.yaml"

curfew submit "$job/$file" | tee "$job/history"
id=$(head -n 1 "$job/history")
echo
echo "== The most frequent words"
curfew results "$id"
echo
echo "== The proof that its Redis is gone"
curfew cleanup "$id" | tee "$job/cleanup"
grep -q '^cleanup: clean' "$job/cleanup"
