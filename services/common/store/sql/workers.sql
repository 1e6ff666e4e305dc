-- Workers come and go: see services/common/store/workers.h.
-- "x = ANY (ARRAY[y])" is x = y in a way that has one plan: docs/decisions/0030-one-plan.md.

-- name: worker_lock_by_name
SELECT id, incarnation, state, host, boot,
       greatest(0, ceil(extract(epoch FROM lease_until - clock_timestamp()) * 1000))::bigint AS lease_left_ms, engine,
       owner, registrations
  FROM worker
 WHERE name = $1
   FOR NO KEY UPDATE

-- name: worker_insert
-- No row when the name exists by now.
INSERT INTO worker (name, incarnation, state, host, boot, runtimes, queues, labels, slots, registered_at, lease_until, engine,
                    trouble, owner, registrations)
VALUES ($1, 1, 0, $2, $3, $4, $5, $6, $7, clock_timestamp(), clock_timestamp() + $8::bigint * interval '1 millisecond', $9, $10,
        $11, $12)
ON CONFLICT (name) DO NOTHING
RETURNING id, incarnation

-- name: worker_update
-- The next incarnation.
UPDATE worker
   SET incarnation = incarnation + 1, state = 0, host = $2, boot = $3, runtimes = $4, queues = $5, labels = $6, slots = $7,
       registered_at = clock_timestamp(), lease_until = clock_timestamp() + $8::bigint * interval '1 millisecond',
       drain = false, note = NULL, engine = $9, trouble = $10, owner = $11, registrations = $12
 WHERE name = $1
RETURNING id, incarnation

-- name: worker_deployment
SELECT value FROM setting WHERE name = 'deployment'

-- name: worker_rebind_instances
-- Arrays: job, name, epoch of what lives on at engine $5; $4 is the worker, $6 its new incarnation. What is not over is its
-- own from now on; what is still wanted has to be taken over. Whether it is wanted, in the arrays' order.
WITH found AS (
    SELECT u.ordinal, i.job, i.service, i.epoch, i.state BETWEEN 1 AND 4 AND i.stop_requested_at IS NULL AS wanted
      FROM unnest($1::bigint[], $2::text[], $3::integer[]) WITH ORDINALITY AS u (job, name, epoch, ordinal)
      JOIN instance i ON i.job = ANY (ARRAY[u.job]) AND i.name = u.name AND i.epoch = u.epoch
     WHERE i.worker = $4 AND i.engine = $5 AND i.state BETWEEN 1 AND 10 AND i.incarnation < $6::integer
), bound AS (
    UPDATE instance i
       SET incarnation = $6::integer, adopt = f.wanted
      FROM found f
     WHERE i.job = ANY (ARRAY[f.job]) AND i.service = f.service AND i.epoch = f.epoch
)
SELECT ordinal, wanted FROM found ORDER BY ordinal

-- name: worker_rebind_slices
-- Tokens of what still runs at the worker's engine: leased to its new incarnation $3, until it says that it no longer holds
-- them.
UPDATE slice SET incarnation = $3::integer
 WHERE worker = $1 AND token = ANY ($2::bigint[]) AND state = 2 AND incarnation < $3::integer

-- name: worker_adopted
-- Arrays: token, task. Those that are leased to worker $3 in its new incarnation $4, and that nobody wants to end, with how
-- much of their logs has come.
SELECT s.job, s.stage, s.first, s.count, s.token, s.attempt, g.name, g.run, u.task, coalesce(l.logged, 0)
  FROM unnest($1::bigint[], $2::bigint[]) AS u (token, task)
  JOIN slice s ON s.worker = $3 AND s.token = u.token AND s.state = 2
  JOIN stage g ON g.job = ANY (ARRAY[s.job]) AND g.stage = s.stage
  JOIN job j ON j.id = ANY (ARRAY[s.job])
  LEFT JOIN LATERAL (SELECT o.position + octet_length(o.content) AS logged
                       FROM log o
                      WHERE o.job = s.job AND o.source = format('task/%s/%s/%s', g.name, u.task, s.attempt)
                      ORDER BY o.position DESC
                      LIMIT 1) l ON true
 WHERE s.incarnation = $4::integer AND NOT s.cancel AND j.outcome IS NULL AND g.run IS NOT NULL
   AND u.task >= s.first AND u.task < s.first + s.count
 ORDER BY s.token, u.task

-- name: worker_jobs
-- Jobs that the worker's incarnations before $2 have something of, presumed certificates with $3 or of engine $4. These are locked;
-- what a claim that was under way adds to another one is left for the next look.
SELECT job FROM slice WHERE worker = $1 AND state = 2 AND incarnation < $2
UNION
SELECT job FROM instance WHERE worker = $1 AND state BETWEEN 1 AND 10 AND incarnation < $2
UNION
SELECT job FROM instance WHERE worker = $1 AND state = 12 AND ($3 OR engine = $4)

-- name: worker_take_slices
-- $3 is the error of the tasks that are out of attempts. What may run in a container at engine $4, which somebody watches, waits
-- until that one has ended it (null: nothing has to wait). $5: the jobs that are locked. Per slice: its job, demand, tasks, new
-- state and stage, first task and attempt. OFFSET 0 as in hot_leased.
WITH taken AS (
    SELECT s.job, s.stage, s.first,
           CASE WHEN j.outcome IS NOT NULL THEN 6
                WHEN s.failures >= g.retries_max THEN 5
                WHEN j.phase = 1 THEN 1
                ELSE 0
           END AS state,
           coalesce((SELECT h.rank
                       FROM slice h
                      WHERE h.state = 1 AND h.demand = s.demand AND h.priority = s.priority
                      ORDER BY h.rank
                      LIMIT 1), 0) AS rank,
           s.leased_at
      FROM (SELECT * FROM slice l WHERE l.worker = $1 AND l.state = 2 AND l.incarnation < $2 OFFSET 0) s
      JOIN job j ON j.id = ANY (ARRAY[s.job])
      JOIN stage g ON g.job = ANY (ARRAY[s.job]) AND g.stage = s.stage
     WHERE s.job = ANY ($5::bigint[])
       AND ($4::text IS NULL OR NOT engine_is_watched($4)
            OR EXISTS (SELECT FROM demand d WHERE d.id = s.demand AND d.runtime = 'process'))
), moved AS (
    UPDATE slice s
       SET state = t.state, failures = s.failures + 1, rank = t.rank, worker = NULL, incarnation = NULL, token = NULL,
           leased_at = NULL, cancel = false
      FROM taken t
     WHERE s.job = ANY (ARRAY[t.job]) AND s.stage = t.stage AND s.first = t.first
    RETURNING s.job, s.stage, s.first, s.count, s.state, s.attempt, s.demand
), counted AS (
    UPDATE stage g
       SET open = g.open - m.failed - m.cancelled, failed = g.failed + m.failed, cancelled = g.cancelled + m.cancelled
      FROM (SELECT job, stage, coalesce(sum(count) FILTER (WHERE state = 5), 0)::bigint AS failed,
                   coalesce(sum(count) FILTER (WHERE state = 6), 0)::bigint AS cancelled
              FROM moved
             WHERE state IN (5, 6)
             GROUP BY job, stage) m
     WHERE g.job = ANY (ARRAY[m.job]) AND g.stage = m.stage
), errors AS (
    INSERT INTO task_error AS e (job, stage, task, attempt, error, at)
    SELECT m.job, m.stage, n.task, m.attempt, $3, clock_timestamp()
      FROM moved m
     CROSS JOIN LATERAL generate_series(m.first, m.first + m.count - 1) AS n (task)
     WHERE m.state = 5
    ON CONFLICT (job, stage, task)
    DO UPDATE SET attempt = excluded.attempt, error = excluded.error, exit = NULL, at = excluded.at
), started AS (
    UPDATE job j SET started_at = t.at
      FROM (SELECT job AS id, min(leased_at) AS at FROM taken GROUP BY job) t
     WHERE j.id = ANY (ARRAY[t.id]) AND j.started_at IS NULL AND j.services = 0
)
SELECT m.job, m.demand, m.count, m.state, g.name, m.first, m.attempt
  FROM moved m
  JOIN stage g ON g.job = ANY (ARRAY[m.job]) AND g.stage = m.stage

-- name: worker_take_instances
-- $3: the process runtime's instances are presumed gone (12), verified to be gone (11), or lost (10). $6 is the engine that
-- was looked at, null when none was: what its rows say is there, and was not bound anew, is verified to be gone. Other
-- containers are lost as long as somebody watches their engine (stuck ones stay that: something of them was seen); then they
-- are presumed gone like processes. $4: presumed certificates are upgraded. $7: the jobs that are locked. Each change is an event.
WITH taken AS (
    SELECT i.job, i.service, i.epoch,
           CASE WHEN i.engine IS NULL AND coalesce(i.runtime, 'process') = 'process' THEN $3::smallint
                WHEN i.engine = $6 THEN 11
                WHEN $3 = 12 AND (i.engine IS NULL OR NOT engine_is_watched(i.engine)) THEN 12
                WHEN i.state = 9 AND i.engine IS NOT NULL THEN 9
                ELSE 10
           END AS state
      FROM instance i
     WHERE i.worker = $1 AND i.state BETWEEN 1 AND 10 AND i.incarnation < $2 AND i.job = ANY ($7::bigint[])
    UNION ALL
    SELECT i.job, i.service, i.epoch, 11
      FROM instance i
     WHERE i.worker = $1 AND i.state = 12 AND i.job = ANY ($7::bigint[])
       AND CASE WHEN i.engine IS NULL THEN $4 ELSE i.engine = $6 END
), moved AS (
    UPDATE instance i
       SET state = t.state, adopt = false,
           failed = i.failed OR i.stop_requested_at IS NULL,
           stopped_at = CASE WHEN t.state = 10 THEN i.stopped_at ELSE coalesce(i.stopped_at, clock_timestamp()) END,
           verified_at = CASE WHEN t.state = 10 THEN NULL ELSE clock_timestamp() END,
           grade = CASE t.state WHEN 11 THEN 2 WHEN 12 THEN 3 ELSE i.grade END,
           error = coalesce(i.error, $5)
      FROM taken t
     WHERE i.job = ANY (ARRAY[t.job]) AND i.service = t.service AND i.epoch = t.epoch AND i.state <> t.state
    RETURNING i.job, i.name, i.epoch, i.state
), happened AS (
    SELECT m.job, e.kind, format('{"service":"%s","epoch":%s%s}', m.name, m.epoch, e.grade) AS data,
           row_number() OVER (PARTITION BY m.job ORDER BY m.name, m.epoch, e.kind) AS number
      FROM moved m
      JOIN (VALUES (10, 'service.lost', ''),
                   (11, 'service.verified', ',"grade":"verified"'),
                   (12, 'service.lost', ''),
                   (12, 'service.verified', ',"grade":"presumed"')) AS e (state, kind, grade) ON e.state = m.state
), counted AS (
    UPDATE job j SET event_count = j.event_count + h.events
      FROM (SELECT job AS id, count(*)::integer AS events FROM happened GROUP BY job) h
     WHERE j.id = ANY (ARRAY[h.id])
), recorded AS (
    INSERT INTO event (job, seq, at, kind, data)
    SELECT h.job, j.event_count + h.number, clock_timestamp(), h.kind, h.data
      FROM happened h
      JOIN job j ON j.id = ANY (ARRAY[h.job])
)
SELECT job FROM moved
