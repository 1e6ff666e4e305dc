-- What is at a container engine, held against the rows: see services/common/store/engine.h.

-- name: engine_judge
-- Engine; arrays: job, service, epoch, token (0: a service, -1: a process for many slices), the worker's name. Verdict
-- (0 leave, 1 finish, 2 orphan) and worker. What serves many slices is its worker's as long as that one is there, and the
-- job open.
SELECT u.ordinal,
       CASE WHEN u.token = -1 AND h.id IS NOT NULL
                 THEN CASE WHEN h.state <= 3 AND EXISTS (SELECT FROM job j WHERE j.id = u.job AND j.closed_at IS NULL) THEN 0
                           WHEN h.state <= 3 THEN 2
                           ELSE 1
                      END
            WHEN coalesce(i.worker, s.worker) IS NULL OR i.state IN (0, 11, 12) THEN 2
            WHEN w.state <= 3 AND coalesce(i.incarnation, s.incarnation) = w.incarnation THEN 0
            WHEN i.engine <> $1 THEN 2
            ELSE 1
       END,
       coalesce(i.worker, s.worker, h.id, 0)
  FROM unnest($2::bigint[], $3::text[], $4::integer[], $5::bigint[], $6::text[]) WITH ORDINALITY
       AS u (job, name, epoch, token, holder, ordinal)
  LEFT JOIN service v ON u.token = 0 AND v.job = u.job AND v.name = u.name
  LEFT JOIN instance i ON i.job = v.job AND i.service = v.service AND i.epoch = u.epoch
  LEFT JOIN worker h ON u.token = -1 AND h.name = u.holder
  LEFT JOIN slice s ON u.token > 0 AND s.job = u.job AND s.token = u.token AND s.state = 2
  LEFT JOIN worker w ON w.id = coalesce(i.worker, s.worker)
 ORDER BY u.ordinal

-- name: engine_ended
-- Job, service, epoch, exit code (-1: not known), signals, error. Under the job's lock; its row when it was still lost, or stuck.
UPDATE instance i
   SET state = 7, failed = i.failed OR i.stop_requested_at IS NULL, exit_code = nullif($4::integer, -1),
       signals = coalesce($5, i.signals),
       error = CASE WHEN i.state = 9 THEN 'it was stuck, and is gone' ELSE coalesce(i.error, $6) END, grade = 0,
       stopped_at = coalesce(i.stopped_at, clock_timestamp())
 WHERE i.job = $1 AND i.name = $2 AND i.epoch = $3::integer AND i.state IN (9, 10)
RETURNING i.job

-- name: engine_remains
-- Job, service, epoch, error. Under the job's lock; its row when that is news: whether it has become stuck by it.
UPDATE instance i
   SET state = 9, error = $4
  FROM (SELECT state AS before FROM instance WHERE job = $1 AND name = $2 AND epoch = $3::integer) o
 WHERE i.job = $1 AND i.name = $2 AND i.epoch = $3::integer
   AND (i.state IN (7, 8, 10) OR (i.state = 9 AND i.error IS DISTINCT FROM $4))
RETURNING o.before <> 9

-- name: engine_debtors
-- Workers that are lost or have come back, with anything left of before at engine $1.
SELECT w.id
  FROM worker w
 WHERE EXISTS (SELECT FROM instance i
                WHERE i.engine = $1 AND i.worker = w.id AND i.state BETWEEN 1 AND 10
                  AND (i.incarnation < w.incarnation OR w.state IN (4, 5)))
    OR EXISTS (SELECT FROM instance i WHERE i.engine = $1 AND i.worker = w.id AND i.state = 12)
    OR (w.engine = $1 AND EXISTS (SELECT FROM slice s
                                   WHERE s.worker = w.id AND s.state = 2
                                     AND (s.incarnation < w.incarnation OR w.state IN (4, 5))))
 ORDER BY w.id
 LIMIT $2::bigint

-- name: engine_lock_worker
SELECT incarnation, state IN (4, 5) FROM worker WHERE id = $1 FOR NO KEY UPDATE

-- name: engine_note
INSERT INTO engine AS e (id, seen_at, containers, orphans, refused, networks_kept)
VALUES ($1, clock_timestamp(), $2::integer, $3::integer, $4, $5::integer)
ON CONFLICT (id) DO UPDATE
   SET seen_at = excluded.seen_at, containers = excluded.containers, orphans = excluded.orphans, refused = excluded.refused,
       networks_kept = excluded.networks_kept

-- name: engine_jobs_open
-- Array of jobs: those that are not closed.
SELECT u.ordinal
  FROM unnest($1::bigint[]) WITH ORDINALITY AS u (id, ordinal)
  JOIN job j ON j.id = ANY (ARRAY[u.id]) AND j.closed_at IS NULL
