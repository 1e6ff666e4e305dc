-- Jobs as users see them: services/common/store/read_job*.c.

-- name: read_progress
SELECT u.ordinal, j.outcome, j.cleanup, j.closed_at IS NOT NULL, j.event_count, j.log_bytes, j.namespace
  FROM unnest($1::bigint[]) WITH ORDINALITY AS u (id, ordinal)
  JOIN job j ON j.id = ANY (ARRAY[u.id])

-- name: read_jobs
SELECT id, name, labels::text, priority, autostop_on, linger_ms, keep_on_failure_ms,
       'sha256:' || bundle, paused, outcome, cleanup, reason_code, reason_message, created_at, started_at, finished_at,
       closed_at, stop_requested_at, keep_until, event_count, log_bytes, delete_requested, namespace
  FROM job
 WHERE id = ANY ($1::bigint[])
 ORDER BY id DESC

-- name: read_job_stages
-- Tasks of slices by state, where there are unfinished ones.
SELECT g.job, g.name, g.total, g.open, g.succeeded, g.failed, g.cancelled, g.released, g.closed,
       coalesce(s.ready, 0), coalesce(s.running, 0), coalesce(s.delayed, 0)
  FROM stage g
 CROSS JOIN LATERAL (SELECT sum(count) FILTER (WHERE state IN (0, 1))::bigint AS ready,
                            sum(count) FILTER (WHERE state = 2)::bigint AS running,
                            sum(count) FILTER (WHERE state = 3)::bigint AS delayed
                       FROM slice
                      WHERE g.open > 0 AND slice.job = g.job AND slice.stage = g.stage AND state <= 3) s
 WHERE g.job = ANY ($1::bigint[])
 ORDER BY g.job DESC, g.stage

-- name: read_job_services
-- What a job declares, with the latest instance of each.
SELECT s.job, s.name, i.epoch, i.runtime, i.state, i.host, i.ports, i.placed_at IS NOT NULL
  FROM service s
  LEFT JOIN LATERAL (SELECT *
                       FROM instance n
                      WHERE n.job = s.job AND n.service = s.service
                      ORDER BY n.epoch DESC
                      LIMIT 1) i ON true
 WHERE s.job = ANY ($1::bigint[])
 ORDER BY s.job DESC, s.service

-- name: read_page
-- Newest first behind id $1; then name, labels that it has, created at or after (microseconds), outcome; $7 namespace: null is any.
SELECT id
  FROM job
 WHERE id < $1 AND ($2::text IS NULL OR name = $2) AND ($3::jsonb IS NULL OR labels @> $3)
   AND created_at >= time_of($4) AND ($5::smallint IS NULL OR outcome = $5)
   AND ($7::text IS NULL OR namespace = $7)
 ORDER BY id DESC
 LIMIT $6::bigint

-- name: read_page_open
-- The same of jobs without outcome; $5: paused ones or the others.
SELECT id
  FROM job
 WHERE id < $1 AND ($2::text IS NULL OR name = $2) AND ($3::jsonb IS NULL OR labels @> $3)
   AND created_at >= time_of($4) AND closed_at IS NULL AND outcome IS NULL AND paused = $5
   AND ($7::text IS NULL OR namespace = $7)
 ORDER BY id DESC
 LIMIT $6::bigint

-- name: read_spec
SELECT spec FROM job WHERE id = $1
