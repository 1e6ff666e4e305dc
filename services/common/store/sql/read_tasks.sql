-- Tasks: services/common/store/read_task*.c.

-- name: read_slices
-- Slices behind (stage $2, first task $3) in that order; of one stage by name, in one state; null is any.
SELECT s.stage, g.name, s.first, s.count, s.state, s.attempt, s.failures, w.name, s.due_at
  FROM slice s
  JOIN stage g ON g.job = s.job AND g.stage = s.stage
  LEFT JOIN worker w ON w.id = s.worker
 WHERE s.job = $1 AND (s.stage > $2 OR (s.stage = $2 AND s.first + s.count > $3))
   AND ($4::text IS NULL OR g.name = $4) AND ($5::smallint IS NULL OR s.state = $5)
 ORDER BY s.stage, s.first
 LIMIT $6::bigint

-- name: read_task_errors
-- Of one stage in rising order.
SELECT task, attempt, error, exit, at
  FROM task_error
 WHERE job = $1 AND stage = $2 AND task BETWEEN $3 AND $4
 ORDER BY task

-- name: read_job_exists
-- Closed; ended and no task left; bytes of log.
SELECT closed_at IS NOT NULL, outcome IS NOT NULL AND NOT EXISTS (SELECT FROM stage g WHERE g.job = $1 AND g.open > 0),
       log_bytes
  FROM job
 WHERE id = $1

-- name: read_task
SELECT s.state, s.attempt, s.failures, w.name, s.due_at, e.attempt, e.error, e.exit, e.at,
       split_part(i.lines, E'\n', ($3 - i.first + 1)::integer)
  FROM stage g
  JOIN LATERAL (SELECT *
                  FROM slice n
                 WHERE n.job = g.job AND n.stage = g.stage AND n.first <= $3
                 ORDER BY n.first DESC
                 LIMIT 1) s ON s.first + s.count > $3
  LEFT JOIN worker w ON w.id = s.worker
  LEFT JOIN task_error e ON e.job = g.job AND e.stage = g.stage AND e.task = $3
  LEFT JOIN LATERAL (SELECT *
                       FROM item m
                      WHERE m.job = g.job AND m.stage = g.stage AND m.first <= $3
                      ORDER BY m.first DESC
                      LIMIT 1) i ON i.first + i.count > $3
 WHERE g.job = $1 AND g.name = $2
