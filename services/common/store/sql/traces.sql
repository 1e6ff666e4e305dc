-- The export of traces: services/common/store/traces.c.

-- name: trace_start
-- From now on, unless it was started before.
INSERT INTO setting (name, value)
VALUES ('trace_through', (extract(epoch FROM clock_timestamp()) * 1000000)::bigint::text)
    ON CONFLICT DO NOTHING

-- name: trace_pending
-- Most of them $1. A trace context that says that the trace is not sampled is respected.
SELECT j.id
  FROM job j
 WHERE j.closed_at > (SELECT time_of(value::bigint) FROM setting WHERE name = 'trace_through')
   AND (j.traceparent IS NULL OR substr(j.traceparent, 55, 1) IN ('1', '3', '5', '7', '9', 'b', 'd', 'f'))
   AND NOT EXISTS (SELECT FROM trace_exported e WHERE e.job = j.id)
 ORDER BY j.closed_at
 LIMIT $1::bigint

-- name: trace_done
INSERT INTO trace_exported (job, closed_at)
SELECT id, closed_at FROM job WHERE id = $1 AND closed_at IS NOT NULL
    ON CONFLICT DO NOTHING

-- name: trace_advance
-- Everything that was closed $1 microseconds ago was exported.
WITH moved AS (
    UPDATE setting
       SET value = greatest(value::bigint, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - $1::bigint)::text
     WHERE name = 'trace_through'
    RETURNING value::bigint AS through
)
DELETE FROM trace_exported WHERE closed_at <= (SELECT time_of(through) FROM moved)

-- name: trace_job
-- A closed job, and the trace that is its own when it was submitted with none.
SELECT j.name, j.namespace, j.outcome, j.cleanup, j.reason_code, j.reason_message, j.created_at, j.closed_at, j.traceparent,
       md5(s.value || '/' || j.id), s.value
  FROM job j, setting s
 WHERE j.id = $1 AND j.closed_at IS NOT NULL AND s.name = 'deployment'

-- name: trace_stages
SELECT substr(md5(g.job || '/stage/' || g.stage), 1, 16), g.stage, g.name, g.total, g.succeeded, g.failed, g.cancelled,
       e.released, e.closed
  FROM stage g
  LEFT JOIN (SELECT data::json ->> 'stage' AS name, min(at) FILTER (WHERE kind = 'stage.released') AS released,
                    max(at) FILTER (WHERE kind = 'stage.closed') AS closed
               FROM event
              WHERE job = $1 AND kind IN ('stage.released', 'stage.closed')
              GROUP BY 1) e ON e.name = g.name
 WHERE g.job = $1
 ORDER BY g.stage

-- name: trace_errors
-- The last failures of tasks; most of them $2.
SELECT stage, task, attempt, error, exit, at FROM task_error WHERE job = $1 ORDER BY stage, task LIMIT $2::bigint

-- name: trace_runs
-- Leases of tasks that ended, as far as that was kept; most of them $2. Of one task also with what it failed.
SELECT r.stage, r.first, r.count, r.attempt, w.name, r.succeeded, r.failed, r.leased_at, r.ended_at,
       substr(md5(r.job || '/run/' || r.token), 1, 16), e.error
  FROM task_run r
  LEFT JOIN worker w ON w.id = r.worker
  LEFT JOIN task_error e ON r.failed > 0 AND r.count = 1 AND e.job = r.job AND e.stage = r.stage AND e.task = r.first
                        AND e.attempt = r.attempt
 WHERE r.job = $1
 ORDER BY r.stage, r.first, r.token
 LIMIT $2::bigint

-- name: trace_services
SELECT substr(md5(i.job || '/service/' || i.service || '/' || i.epoch), 1, 16), i.name, i.epoch, i.runtime, i.object, w.name,
       i.created_at, i.placed_at, i.started_at, i.ready_at, i.stop_requested_at, i.stopped_at, i.verified_at,
       i.stop_reason, i.exit_code, i.exit_signal, i.failed, i.error
  FROM instance i
  LEFT JOIN worker w ON w.id = i.worker
 WHERE i.job = $1
 ORDER BY i.service, i.epoch
