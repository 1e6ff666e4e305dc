-- What transactions on jobs have in common.

-- name: job_lock
SELECT outcome, cleanup, phase, closed_at IS NOT NULL, paused, stop_requested_at IS NOT NULL, delete_requested,
       keep_until IS NOT NULL, event_count
  FROM job
 WHERE id = $1
   FOR NO KEY UPDATE

-- name: job_lock_all
SELECT id
  FROM job
 WHERE id = ANY ($1::bigint[])
 ORDER BY id
   FOR NO KEY UPDATE

-- name: job_add_event
WITH counted AS (
    UPDATE job SET event_count = $2 WHERE id = $1
)
INSERT INTO event (job, seq, at, kind, data) VALUES ($1, $2, clock_timestamp(), $3, $4)
