-- Settling jobs: see services/common/store/settle.h. Numbers of states are those of services/common/model/states.h.
-- "x = ANY (ARRAY[y])" is x = y in a way that has one plan: docs/decisions/0030-one-plan.md.

-- name: settle_load_jobs
SELECT id, clock_timestamp(), outcome, cleanup, phase, paused, stop_requested_at IS NOT NULL, autostop_on, linger_ms,
       keep_on_failure_ms, timeout_ms, max_lifetime_ms, created_at, started_at, keep_until, attention_at,
       closed_at IS NOT NULL, event_count, services
  FROM job
 WHERE id = ANY ($1::bigint[])
 ORDER BY id

-- name: settle_load_stages
SELECT job, name, from_stage, after_mask, fail_job, open, failed, released, closed, max_parallel
  FROM stage
 WHERE job = ANY ($1::bigint[])
 ORDER BY job, stage

-- name: settle_load_services
SELECT job, name, depends_mask, on_failure, restart_max, restart_window_ms, restart_backoff_ms, demand
  FROM service
 WHERE job = ANY ($1::bigint[])
 ORDER BY job, service

-- name: settle_load_instances
SELECT job, service, epoch, state, failed, stop_requested_at IS NOT NULL, not_before, ready_by, created_at, stopped_at,
       placed_at, error
  FROM instance
 WHERE job = ANY ($1::bigint[])
 ORDER BY job, service, epoch

-- name: settle_stages
-- Arrays: job, stage, becomes released, becomes closed.
UPDATE stage
   SET released = released OR u.releases, closed = closed OR u.closes
  FROM (SELECT unnest($1::bigint[]) AS id, unnest($2::smallint[]) AS position, unnest($3::boolean[]) AS releases,
               unnest($4::boolean[]) AS closes) u
 WHERE stage.job = ANY (ARRAY[u.id]) AND stage.stage = u.position

-- name: settle_cancel
-- What is not leased is cancelled, what is leased is asked to end; the workers that have to be told. With "= 2" a plan that was
-- made for an empty table would go through everything that is leased.
WITH asked AS (
    UPDATE slice SET cancel = true
     WHERE job = ANY ($1::bigint[]) AND state BETWEEN 2 AND 2 AND NOT cancel
    RETURNING worker
), done AS (
    UPDATE slice SET state = 6, due_at = NULL
     WHERE job = ANY ($1::bigint[]) AND state IN (0, 1, 3)
    RETURNING job, stage, count
), counted AS (
    UPDATE stage SET open = open - d.tasks, cancelled = cancelled + d.tasks
      FROM (SELECT job AS id, stage AS position, sum(count)::bigint AS tasks FROM done GROUP BY 1, 2) d
     WHERE stage.job = ANY (ARRAY[d.id]) AND stage.stage = d.position
)
SELECT DISTINCT worker FROM asked

-- name: settle_cancel_left
-- Jobs of which a claim, that was faster, has left something that settle_cancel could not see.
SELECT DISTINCT job
  FROM slice
 WHERE job = ANY ($1::bigint[]) AND (state IN (0, 1, 3) OR (state = 2 AND NOT cancel))
 ORDER BY job

-- name: settle_hold
UPDATE slice SET state = 0
 WHERE job = ANY ($1::bigint[]) AND state BETWEEN 1 AND 1

-- name: settle_hold_left
-- The same for settle_hold.
SELECT DISTINCT job
  FROM slice
 WHERE job = ANY ($1::bigint[]) AND state BETWEEN 1 AND 1
 ORDER BY job

-- name: settle_release
-- Held slices of these stages become ready, as far as max_parallel has room: the last one is cut if need be. They queue
-- up behind what the stage has been given already, but not before the head of their queue. Tasks by demand.
WITH target AS (
    SELECT u.id AS job, u.position AS stage, greatest(head.rank, least(g.rank, head.rank + g.open)) AS base,
           CASE WHEN g.max_parallel = 0 THEN 9223372036854775807
                ELSE g.max_parallel - (SELECT coalesce(sum(s.count), 0)::bigint
                                         FROM slice s
                                        WHERE s.job = g.job AND s.stage = g.stage AND s.state IN (1, 2, 3))
           END AS room
      FROM unnest($1::bigint[], $2::smallint[]) AS u (id, position)
      JOIN stage g ON g.job = ANY (ARRAY[u.id]) AND g.stage = u.position
     CROSS JOIN LATERAL (
           SELECT coalesce((SELECT s.rank
                              FROM slice s
                             WHERE s.state = 1 AND s.demand = g.demand AND s.priority = g.priority
                             ORDER BY s.rank
                             LIMIT 1), 0) AS rank) head
), held AS (
    SELECT s.job, s.stage, s.first, s.count, s.demand, s.priority, s.attempt, s.failures, t.base, t.room,
           (sum(s.count) OVER (PARTITION BY t.job, t.stage ORDER BY s.first))::bigint - s.count AS ahead
      FROM target t
      JOIN slice s ON s.job = ANY (ARRAY[t.job]) AND s.stage = t.stage AND s.state = 0
     WHERE t.room > 0
), chosen AS (
    SELECT *, least(count, room - ahead) AS take
      FROM held
     WHERE ahead < room
), freed AS (
    UPDATE slice SET state = 1, count = c.take, rank = c.base + c.ahead
      FROM chosen c
     WHERE slice.job = ANY (ARRAY[c.job]) AND slice.stage = c.stage AND slice.first = c.first
    RETURNING slice.job, slice.stage, slice.demand, slice.count, c.base
), rest AS (
    INSERT INTO slice (job, stage, first, count, state, attempt, failures, demand, priority)
    SELECT job, stage, first + take, count - take, 0, attempt, failures, demand, priority
      FROM chosen
     WHERE take < count
), moved AS (
    UPDATE stage SET rank = f.next
      FROM (SELECT job AS id, stage AS position, (min(base) + sum(count))::bigint AS next FROM freed GROUP BY 1, 2) f
     WHERE stage.job = ANY (ARRAY[f.id]) AND stage.stage = f.position
)
SELECT demand, sum(count)::bigint FROM freed GROUP BY demand

-- name: settle_start
-- Arrays: job, service, epoch, not before (microseconds).
INSERT INTO instance (job, service, epoch, name, demand, state, not_before, created_at)
SELECT s.job, s.service, u.epoch, s.name, s.demand, 0, time_of(u.not_before_us), clock_timestamp()
  FROM unnest($1::bigint[], $2::smallint[], $3::integer[], $4::bigint[]) AS u (id, position, epoch, not_before_us)
  JOIN service s ON s.job = ANY (ARRAY[u.id]) AND s.service = u.position

-- name: settle_stop
-- Arrays: job, service, epoch, reason, failed. One that no worker was given yet is over at once: there was never
-- anything. The workers that have to be told.
UPDATE instance i
   SET stop_requested_at = now.at,
       stop_reason = u.reason,
       failed = i.failed OR u.failed,
       state = CASE WHEN i.state = 0 THEN 11 WHEN i.state BETWEEN 1 AND 4 THEN 5 ELSE i.state END,
       stopped_at = CASE WHEN i.state = 0 THEN now.at ELSE i.stopped_at END,
       verified_at = CASE WHEN i.state = 0 THEN now.at ELSE i.verified_at END,
       grade = CASE WHEN i.state = 0 THEN 1 ELSE i.grade END
  FROM unnest($1::bigint[], $2::smallint[], $3::integer[], $4::text[], $5::boolean[]) AS u (id, position, number, reason, failed),
       (SELECT clock_timestamp() AS at) now
 WHERE i.job = ANY (ARRAY[u.id]) AND i.service = u.position AND i.epoch = u.number AND i.stop_requested_at IS NULL
RETURNING i.worker

-- name: event_insert
-- Arrays: job, seq, kind, data.
INSERT INTO event (job, seq, at, kind, data)
SELECT u.id, u.number, clock_timestamp(), u.kind, u.data
  FROM (SELECT unnest($1::bigint[]) AS id, unnest($2::integer[]) AS number, unnest($3::text[]) AS kind,
               unnest($4::text[]) AS data) u

-- name: settle_jobs
-- Arrays: job, now (microseconds), outcome or -1, reason code, reason message, cleanup, keep until (0: never), phase,
-- started at (0: as it is), closes, attention at (0: never), number of events. An outcome that is set is never changed.
UPDATE job
   SET outcome = coalesce(job.outcome, nullif(u.outcome, -1)),
       finished_at = CASE WHEN job.outcome IS NULL AND u.outcome >= 0 THEN time_of(u.now_us) ELSE job.finished_at END,
       reason_code = CASE WHEN job.outcome IS NULL THEN nullif(u.reason_code, '') ELSE job.reason_code END,
       reason_message = CASE WHEN job.outcome IS NULL THEN nullif(u.reason_message, '') ELSE job.reason_message END,
       cleanup = u.cleanup,
       keep_until = time_of(nullif(u.keep_until_us, 0)),
       phase = u.phase,
       started_at = coalesce(job.started_at, time_of(nullif(u.started_us, 0))),
       closed_at = CASE WHEN u.closes THEN coalesce(job.closed_at, time_of(u.now_us)) ELSE job.closed_at END,
       attention_at = time_of(nullif(u.attention_us, 0)),
       event_count = u.events
  FROM (SELECT unnest($1::bigint[]) AS id, unnest($2::bigint[]) AS now_us, unnest($3::smallint[]) AS outcome,
               unnest($4::text[]) AS reason_code, unnest($5::text[]) AS reason_message, unnest($6::smallint[]) AS cleanup,
               unnest($7::bigint[]) AS keep_until_us, unnest($8::smallint[]) AS phase, unnest($9::bigint[]) AS started_us,
               unnest($10::boolean[]) AS closes, unnest($11::bigint[]) AS attention_us, unnest($12::integer[]) AS events) u
 WHERE job.id = ANY (ARRAY[u.id])
