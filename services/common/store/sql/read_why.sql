-- Facts for why something is not further: services/common/store/read_why.c, services/common/model/why.h.

-- name: why_job
SELECT clock_timestamp(), outcome, cleanup, closed_at IS NOT NULL, paused, keep_until,
       (SELECT coalesce(sum(count) FILTER (WHERE state = 1), 0)::bigint FROM slice WHERE job = $1 AND state <= 3),
       (SELECT coalesce(sum(count) FILTER (WHERE state = 2), 0)::bigint FROM slice WHERE job = $1 AND state <= 3),
       (SELECT coalesce(sum(count) FILTER (WHERE state = 3), 0)::bigint FROM slice WHERE job = $1 AND state <= 3),
       (SELECT coalesce(sum(count) FILTER (WHERE state = 0), 0)::bigint FROM slice WHERE job = $1 AND state <= 3),
       (SELECT min(due_at) FROM slice WHERE job = $1 AND state = 3),
       (SELECT w.name FROM worker w
         WHERE w.state IN (1, 4) AND EXISTS (SELECT FROM slice s WHERE s.worker = w.id AND s.state = 2 AND s.job = $1)
         ORDER BY w.id LIMIT 1),
       (SELECT s.demand FROM slice s WHERE s.job = $1 AND s.state = 1 GROUP BY s.demand ORDER BY sum(s.count) DESC LIMIT 1),
       reason_message
  FROM job
 WHERE id = $1

-- name: why_stage
-- An unreleased stage and the first one that it waits for; or one whose tasks come from another that is not done.
SELECT g.name, w.name
  FROM stage g
  JOIN stage w ON w.job = g.job AND NOT w.closed
              AND ((NOT g.released AND g.after_mask >> w.stage & 1 = 1) OR (g.released AND NOT g.closed AND g.open = 0 AND g.from_stage = w.stage))
 WHERE g.job = $1
 ORDER BY g.stage, w.stage
 LIMIT 1

-- name: why_services
-- The latest instance of each service and what else may exist, older ones first; which dependency is not ready when there is
-- none; which dependent may exist.
SELECT s.name, i.epoch, i.state, w.name, w.state IN (1, 4, 5),
       CASE WHEN i.state IN (5, 6) THEN i.stop_requested_at
            WHEN i.state IN (7, 8) THEN i.stopped_at
            WHEN i.state = 0 THEN i.created_at
            ELSE coalesce(i.ready_at, i.started_at, i.placed_at) END,
       i.not_before, i.ready_by, s.demand,
       (SELECT d.name
          FROM service d
         WHERE d.job = s.job AND s.depends_mask >> d.service & 1 = 1
           AND NOT EXISTS (SELECT FROM instance n WHERE n.job = d.job AND n.service = d.service AND n.state = 3)
         ORDER BY d.service
         LIMIT 1),
       (SELECT d.name
          FROM service d
          JOIN instance n ON n.job = d.job AND n.service = d.service AND n.state BETWEEN 1 AND 10
         WHERE d.job = s.job AND d.depends_mask >> s.service & 1 = 1
         ORDER BY d.service
         LIMIT 1),
       i.failed, i.error, i.stop_reason, i.exit_code, i.exit_signal, i.grade, s.on_failure
  FROM service s
  LEFT JOIN instance i ON i.job = s.job AND i.service = s.service
                      AND (i.state BETWEEN 1 AND 10
                           OR i.epoch = (SELECT max(m.epoch) FROM instance m WHERE m.job = s.job AND m.service = s.service))
  LEFT JOIN worker w ON w.id = i.worker
 WHERE s.job = $1
 ORDER BY s.service, i.epoch

-- name: why_fleet
-- Workers that are not lost or gone, and how many of them could take what the demand asks for.
SELECT d.id, d.queue, d.runtime, d.labels::text, count(w.id), count(w.id) FILTER (WHERE m.queue),
       count(w.id) FILTER (WHERE m.queue AND m.runtime), count(w.id) FILTER (WHERE m.queue AND m.runtime AND m.labels),
       count(w.id) FILTER (WHERE m.queue AND m.runtime AND m.labels AND w.state = 0 AND NOT w.drain),
       min(format('worker ''%s'': %s', w.name, w.trouble)) FILTER (WHERE m.queue AND NOT m.runtime AND w.trouble IS NOT NULL)
  FROM demand d
  LEFT JOIN worker w ON w.state <= 3
  LEFT JOIN LATERAL (
       SELECT d.queue = '' OR d.queue = ANY (w.queues) AS queue,
              CASE d.runtime WHEN '' THEN EXISTS (SELECT FROM unnest(w.runtimes) r (name) WHERE r.name <> 'pull')
                             ELSE d.runtime = ANY (w.runtimes) END AS runtime,
              w.labels @> d.labels AS labels) m ON true
 WHERE d.id = ANY ($1::integer[])
 GROUP BY d.id

-- name: why_task
-- Task $3 of stage $2, and a stage that its own has to wait for.
SELECT s.state, s.attempt, s.failures, g.retries_max, g.max_parallel, w.name, w.state IN (1, 4, 5), s.cancel,
       CASE WHEN NOT g.released THEN (SELECT u.name
                                        FROM stage u
                                       WHERE u.job = g.job AND NOT u.closed AND g.after_mask >> u.stage & 1 = 1
                                       ORDER BY u.stage
                                       LIMIT 1) END,
       s.leased_at, s.due_at, e.error, e.exit, g.demand, g.name
  FROM stage g
  JOIN LATERAL (SELECT *
                  FROM slice n
                 WHERE n.job = g.job AND n.stage = g.stage AND n.first <= $3
                 ORDER BY n.first DESC
                 LIMIT 1) s ON s.first + s.count > $3
  LEFT JOIN worker w ON w.id = s.worker
  LEFT JOIN task_error e ON e.job = g.job AND e.stage = g.stage AND e.task = $3
 WHERE g.job = $1 AND g.name = $2

-- name: why_worker
SELECT clock_timestamp(), w.name, w.state, w.drain, w.note, w.trouble, w.lease_until, w.slots::bigint,
       (SELECT coalesce(sum(s.count), 0)::bigint FROM slice s WHERE s.worker = w.id AND s.state = 2),
       (SELECT count(*) FROM instance i WHERE i.worker = w.id AND i.state BETWEEN 1 AND 10)
  FROM worker w
 WHERE w.id = $1

-- name: why_worker_demands
-- Demands for which something waits, and whether worker $1 has what they ask for; those for it come first.
SELECT m.queue, m.runtime, m.labels,
       jsonb_build_object('queue', nullif(d.queue, ''), 'runtime', nullif(d.runtime, ''), 'labels', d.labels)::text
  FROM worker w
  JOIN demand d ON EXISTS (SELECT FROM slice s WHERE s.demand = d.id AND s.state = 1)
                OR EXISTS (SELECT FROM instance i WHERE i.demand = d.id AND i.state = 0)
 CROSS JOIN LATERAL (
       SELECT d.queue = '' OR d.queue = ANY (w.queues) AS queue,
              CASE d.runtime WHEN '' THEN EXISTS (SELECT FROM unnest(w.runtimes) r (name) WHERE r.name <> 'pull')
                             ELSE d.runtime = ANY (w.runtimes) END AS runtime,
              w.labels @> d.labels AS labels) m
 WHERE w.id = $1
 ORDER BY m.queue AND m.runtime AND m.labels DESC, m.queue DESC, m.runtime DESC, d.id
 LIMIT 1
