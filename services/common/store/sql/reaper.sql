-- The reaper: see services/common/store/reaper.h. Moments are compared with (SELECT clock_timestamp()): as a volatile
-- function it could not use an index.

-- name: leader_acquire
-- No row: somebody else leads. Renewing keeps the epoch.
INSERT INTO leader AS l (name, holder, epoch, expires_at)
VALUES ($1, $2, 1, clock_timestamp() + $3::bigint * interval '1 millisecond')
ON CONFLICT (name) DO UPDATE
   SET holder = excluded.holder,
       epoch = CASE WHEN l.holder = excluded.holder AND l.epoch = $4 THEN l.epoch ELSE l.epoch + 1 END,
       expires_at = clock_timestamp() + $3::bigint * interval '1 millisecond'
 WHERE l.expires_at <= clock_timestamp() OR (l.holder = excluded.holder AND l.epoch = $4)
RETURNING epoch

-- name: leader_release
UPDATE leader SET expires_at = '-infinity' WHERE name = $1 AND epoch = $2

-- name: leader_guard
SELECT epoch FROM leader WHERE name = $1 AND epoch = $2 AND expires_at > clock_timestamp() FOR SHARE

-- name: sweep_due_jobs
-- Jobs with delayed slices that are due.
SELECT DISTINCT job
  FROM (SELECT job
          FROM slice
         WHERE state = 3 AND due_at <= (SELECT clock_timestamp())
         ORDER BY due_at
         LIMIT $1::bigint) due
 ORDER BY job

-- name: sweep_promote
-- Under the jobs' locks. Tasks per demand that became ready, and how many slices they were; demand 0: held ones.
WITH due AS (
    SELECT s.job, s.stage, s.first, CASE WHEN j.phase = 1 AND j.outcome IS NULL THEN 1 ELSE 0 END AS state,
           coalesce((SELECT h.rank
                       FROM slice h
                      WHERE h.state = 1 AND h.demand = s.demand AND h.priority = s.priority
                      ORDER BY h.rank
                      LIMIT 1), 0) AS rank
      FROM slice s
      JOIN job j ON j.id = ANY (ARRAY[s.job])
     WHERE s.job = ANY ($1::bigint[]) AND s.state = 3 AND s.due_at <= (SELECT clock_timestamp())
     ORDER BY s.due_at
     LIMIT $2::bigint
), moved AS (
    UPDATE slice s SET state = d.state, rank = d.rank, due_at = NULL
      FROM due d
     WHERE s.job = ANY (ARRAY[d.job]) AND s.stage = d.stage AND s.first = d.first
    RETURNING CASE WHEN s.state = 1 THEN s.demand ELSE 0 END AS demand, s.count
)
SELECT demand, sum(count)::bigint, count(*) FROM moved GROUP BY demand

-- name: sweep_suspect
UPDATE worker SET state = 1
 WHERE id IN (SELECT id FROM worker WHERE state IN (0, 2) AND lease_until <= (SELECT clock_timestamp()) ORDER BY id LIMIT $1::bigint)
   AND state IN (0, 2) AND lease_until <= (SELECT clock_timestamp())
RETURNING id

-- name: sweep_overdue_workers
SELECT id
  FROM worker
 WHERE state <= 3 AND lease_until <= (SELECT clock_timestamp()) - $1::bigint * interval '1 millisecond'
 ORDER BY id
 LIMIT $2::bigint

-- name: sweep_lose_worker
-- No row: it has renewed its lease meanwhile.
UPDATE worker SET state = 4, note = 'it did not renew its lease'
 WHERE id = $1 AND state <= 3 AND lease_until <= clock_timestamp() - $2::bigint * interval '1 millisecond'
RETURNING incarnation, engine

-- name: sweep_stale_workers
-- Workers that have something of a former incarnation, or are lost and have anything. What a former incarnation
-- has is presumed gone $1 milliseconds after the next one has registered, its lease was over by then; but for containers at
-- an engine that a reaper watches.
SELECT w.id
  FROM worker w
 WHERE EXISTS (SELECT FROM slice s
                WHERE s.worker = w.id AND s.state = 2 AND (s.incarnation < w.incarnation OR w.state IN (4, 5)))
    OR (w.registered_at <= (SELECT clock_timestamp()) - $1::bigint * interval '1 millisecond' AND
        EXISTS (SELECT FROM instance i
                 WHERE i.worker = w.id AND i.state BETWEEN 1 AND 10
                   AND (i.engine IS NULL OR NOT engine_is_watched(i.engine))
                   AND (i.incarnation < w.incarnation OR w.state IN (4, 5))))
 ORDER BY w.id
 LIMIT $2::bigint

-- name: sweep_lock_worker
SELECT incarnation, state IN (4, 5), registered_at <= clock_timestamp() - $2::bigint * interval '1 millisecond', engine
  FROM worker
 WHERE id = $1
   FOR NO KEY UPDATE

-- name: sweep_unflagged_jobs
-- Ended jobs with leased slices that nobody has asked to end.
SELECT DISTINCT s.job
  FROM slice s
  JOIN job j ON j.id = ANY (ARRAY[s.job])
 WHERE s.state = 2 AND NOT s.cancel AND j.outcome IS NOT NULL
 ORDER BY s.job
 LIMIT $1::bigint

-- name: sweep_flag
UPDATE slice SET cancel = true WHERE job = ANY ($1::bigint[]) AND state BETWEEN 2 AND 2 AND NOT cancel
RETURNING worker

-- name: sweep_attention
SELECT id
  FROM job
 WHERE attention_at <= (SELECT clock_timestamp())
 ORDER BY attention_at
 LIMIT $1::bigint
   FOR NO KEY UPDATE SKIP LOCKED

-- name: sweep_cleaning_jobs
SELECT id
  FROM job
 WHERE closed_at IS NULL AND outcome IS NOT NULL AND cleanup <> 4
 ORDER BY random()
 LIMIT $1::bigint
   FOR NO KEY UPDATE SKIP LOCKED

-- name: sweep_silent_workers
-- Workers that were asked to stop an instance, or have yet to verify that it is gone, $1 milliseconds ago.
SELECT worker, count(*)
  FROM instance
 WHERE state BETWEEN 5 AND 10 AND worker IS NOT NULL
   AND coalesce(stopped_at, stop_requested_at) <= (SELECT clock_timestamp()) - $1::bigint * interval '1 millisecond'
 GROUP BY worker
 LIMIT $2::bigint

-- name: sweep_waiting_demands
-- Demands of instances that may be placed now.
SELECT demand, count(*)
  FROM instance
 WHERE state = 0 AND not_before <= (SELECT clock_timestamp())
 GROUP BY demand
 LIMIT $1::bigint

-- name: sweep_expired_jobs
SELECT id
  FROM job
 WHERE closed_at <= (SELECT clock_timestamp()) - $1::bigint * interval '1 millisecond'
 ORDER BY closed_at
 LIMIT $2::bigint
   FOR UPDATE SKIP LOCKED

-- name: sweep_unwanted_jobs
SELECT id
  FROM job
 WHERE delete_requested AND closed_at IS NOT NULL
 ORDER BY id
 LIMIT $1::bigint
   FOR UPDATE SKIP LOCKED

-- name: sweep_gone_workers
DELETE FROM worker
 WHERE id IN (SELECT w.id
                FROM worker w
               WHERE w.state IN (4, 5)
                 AND w.lease_until <= (SELECT clock_timestamp()) - $1::bigint * interval '1 millisecond'
                 AND NOT EXISTS (SELECT FROM slice s WHERE s.worker = w.id AND s.state = 2)
                 AND NOT EXISTS (SELECT FROM instance i WHERE i.worker = w.id AND i.state BETWEEN 1 AND 10)
               ORDER BY w.id
               LIMIT $2::bigint
                 FOR UPDATE SKIP LOCKED)

-- name: sweep_bundles
DELETE FROM bundle
 WHERE hash IN (SELECT b.hash
                  FROM bundle b
                 WHERE b.last_used_at <= (SELECT clock_timestamp()) - $1::bigint * interval '1 millisecond'
                   AND NOT EXISTS (SELECT FROM job j WHERE j.bundle = b.hash)
                 LIMIT $2::bigint
                   FOR UPDATE SKIP LOCKED)
