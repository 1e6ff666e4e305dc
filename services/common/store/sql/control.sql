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

-- name: control_drill_look
-- Its state, and what it has: of job $2, of others.
SELECT w.state, x.own, x.others
  FROM (SELECT id, state FROM worker WHERE id = $1 FOR NO KEY UPDATE) w
 CROSS JOIN LATERAL (
       SELECT coalesce(sum(n) FILTER (WHERE job = $2), 0)::bigint AS own,
              coalesce(sum(n) FILTER (WHERE job <> $2), 0)::bigint AS others
         FROM (SELECT s.job, s.count AS n FROM slice s WHERE s.worker = w.id AND s.state = 2
               UNION ALL
               SELECT i.job, 1 FROM instance i WHERE i.worker = w.id AND i.state BETWEEN 1 AND 10) has) x

-- name: control_drill
-- It is given nothing more meanwhile.
UPDATE worker SET drill = incarnation, drain = true, state = 2 WHERE id = $1

-- name: control_drain
-- Whether it changed.
UPDATE worker w
   SET drain = $2,
       state = CASE WHEN $2 AND w.state = 0 THEN 2 WHEN NOT $2 AND w.state = 2 THEN 0 ELSE w.state END
  FROM worker before
 WHERE w.id = $1 AND before.id = w.id
RETURNING before.drain <> w.drain

