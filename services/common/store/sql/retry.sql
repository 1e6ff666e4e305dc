-- Failed tasks again, under the job's lock: see control_retry() in services/common/store/control.h.

-- name: retry_in_place
-- Failed slices of a job that goes on become ready, or held where settling has to look first. Their stages open again,
-- and with them those that they feed, directly or not. Tasks per demand that became ready, and all of them.
WITH RECURSIVE again AS (
    UPDATE slice s
       SET state = CASE WHEN j.phase = 1 AND g.released AND g.max_parallel = 0 THEN 1 ELSE 0 END,
           failures = 0, worker = NULL, incarnation = NULL, token = NULL, leased_at = NULL,
           rank = coalesce((SELECT h.rank
                              FROM slice h
                             WHERE h.state = 1 AND h.demand = s.demand AND h.priority = s.priority
                             ORDER BY h.rank
                             LIMIT 1), 0)
      FROM job j, stage g
     WHERE j.id = $1 AND g.job = $1 AND g.stage = s.stage AND s.job = $1 AND s.state = 5
    RETURNING s.stage, s.count, s.demand, s.state
), sums AS (
    SELECT stage, sum(count)::bigint AS tasks FROM again GROUP BY stage
), reached AS (
    SELECT stage FROM sums
    UNION
    SELECT g.stage FROM stage g JOIN reached r ON g.from_stage = r.stage WHERE g.job = $1
), counted AS (
    UPDATE stage g
       SET open = g.open + coalesce(s.tasks, 0), failed = g.failed - coalesce(s.tasks, 0), closed = false
      FROM reached r
      LEFT JOIN sums s ON s.stage = r.stage
     WHERE g.job = $1 AND g.stage = r.stage
)
SELECT demand, coalesce(sum(count) FILTER (WHERE state = 1), 0)::bigint, sum(count)::bigint FROM again GROUP BY demand

-- name: retry_unfinished
-- Of an ended job: tasks that are still being ended, those that a retry would do, and its services.
SELECT coalesce(sum(open), 0)::bigint, coalesce(sum(failed + cancelled), 0)::bigint,
       (SELECT services::bigint FROM job WHERE id = $1)
  FROM stage
 WHERE job = $1

-- name: retry_find
SELECT id FROM job WHERE idempotency_key = $1

-- name: retry_job
-- The retry $2 of job $1 under its key $3; with the event of its submission $4, for token $5 (0: nobody's). Its
-- trace goes on below the job's span.
WITH event AS (
    INSERT INTO event (job, seq, at, kind, data) VALUES ($2, 1, clock_timestamp(), 'job.submitted', $4)
)
INSERT INTO job (id, name, labels, priority, spec, bundle, idempotency_key, fingerprint, autostop_on, linger_ms,
                 keep_on_failure_ms, timeout_ms, max_lifetime_ms, services, phase, cleanup, created_at, event_count,
                 namespace, owner, traceparent)
SELECT $2, name, labels, priority, spec, bundle, $3, fingerprint, autostop_on, linger_ms, keep_on_failure_ms, timeout_ms,
       max_lifetime_ms, services, 0, 0, clock_timestamp(), 1, namespace, nullif($5::bigint, 0),
       overlay(traceparent PLACING lpad(to_hex(id), 16, '0') FROM 37)
  FROM job
 WHERE id = $1

-- name: retry_services
INSERT INTO service (job, service, name, demand, run, depends_mask, on_failure, restart_max, restart_window_ms,
                     restart_backoff_ms, ready_deadline_ms)
SELECT $2, service, name, demand, run, depends_mask, on_failure, restart_max, restart_window_ms, restart_backoff_ms,
       ready_deadline_ms
  FROM service
 WHERE job = $1

-- name: retry_stages
-- With the tasks that failed or were cancelled; numbered from 0 in their order.
INSERT INTO stage (job, stage, name, demand, priority, run, from_stage, after_mask, fail_job, retries_max, backoff_ms,
                   backoff_max_ms, max_parallel, total, open, released)
SELECT $2, stage, name, demand, priority, run, from_stage, after_mask, fail_job, retries_max, backoff_ms, backoff_max_ms,
       max_parallel, failed + cancelled, failed + cancelled, false
  FROM stage
 WHERE job = $1
RETURNING stage, total

-- name: retry_slices
-- Held slices of the given width: arrays of stage, width.
INSERT INTO slice (job, stage, first, count, state, demand, priority)
SELECT g.job, g.stage, f.first, least(u.width, g.total - f.first), 0, g.demand, g.priority
  FROM unnest($2::smallint[], $3::bigint[]) AS u (position, width)
  JOIN stage g ON g.job = $1 AND g.stage = u.position
 CROSS JOIN LATERAL generate_series(0, g.total - 1, u.width) AS f (first)

-- name: retry_items
-- Each stretch of unfinished tasks takes its lines out of the chunks that it touches.
WITH unfinished AS (
    SELECT stage, first, first + count AS beyond,
           (sum(count) OVER (PARTITION BY stage ORDER BY first))::bigint - count AS moved_to
      FROM slice
     WHERE job = $1 AND state IN (5, 6)
), cut AS (
    SELECT i.stage, i.first AS chunk, i.lines, u.first AS source, u.moved_to,
           greatest(i.first, u.first) AS low, least(i.first + i.count, u.beyond) AS high
      FROM unfinished u
      JOIN item i ON i.job = $1 AND i.stage = u.stage AND i.first < u.beyond AND i.first + i.count > u.first
)
INSERT INTO item (job, stage, first, count, lines)
SELECT $2, stage, moved_to + low - source, (high - low)::integer,
       array_to_string((string_to_array(lines, E'\n'))[(low - chunk + 1)::integer:(high - chunk)::integer], E'\n') || E'\n'
  FROM cut
