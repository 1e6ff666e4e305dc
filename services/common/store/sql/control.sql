-- What users do to jobs, each under the job's lock: see services/common/store/control.h.

-- name: control_stop
UPDATE job SET stop_requested_at = clock_timestamp() WHERE id = $1 AND stop_requested_at IS NULL

-- name: control_pause
UPDATE job SET paused = $2 WHERE id = $1

-- name: control_extend
-- Never shorter than before.
UPDATE job
   SET keep_until = greatest(keep_until, clock_timestamp() + $2::bigint * interval '1 millisecond')
 WHERE id = $1 AND keep_until IS NOT NULL

-- name: control_request_delete
UPDATE job SET delete_requested = true WHERE id = $1

-- name: control_drain
-- Whether it changed.
UPDATE worker w
   SET drain = $2,
       state = CASE WHEN $2 AND w.state = 0 THEN 2 WHEN NOT $2 AND w.state = 2 THEN 0 ELSE w.state END
  FROM worker before
 WHERE w.id = $1 AND before.id = w.id
RETURNING before.drain <> w.drain

