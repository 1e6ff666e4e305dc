-- Heartbeats of workers, and instances: services/common/store/hot_workers.c, hot_instances.c, hot_orders.c.
-- "x = ANY (ARRAY[y])" is x = y in a way that has one plan: docs/decisions/0030-one-plan.md.

-- name: hot_renew
-- Arrays: worker, incarnation, it drains, it has something stuck; then the lease (ms). Renews leases of which a sixth
-- has passed, and follows what the worker says about itself. It is quarantined as long as something of it is stuck.
WITH due AS (
    SELECT w.id, u.drains OR w.drain AS drains, u.stuck, q.bad
      FROM unnest($1::bigint[], $2::integer[], $3::boolean[], $4::boolean[]) AS u (id, incarnation, drains, stuck)
      JOIN worker w ON w.id = ANY (ARRAY[u.id]) AND w.incarnation = u.incarnation
     CROSS JOIN LATERAL (
           SELECT u.stuck OR (w.state = 3 AND (SELECT true FROM instance i
                                                WHERE i.worker = w.id AND i.state = 9 LIMIT 1) IS NOT NULL) AS bad) q
     WHERE w.state <= 3
       AND (w.lease_until < clock_timestamp() + $5::bigint * 5 / 6 * interval '1 millisecond' OR w.state = 1
            OR (u.drains AND w.state = 0) OR q.bad <> (w.state = 3))
     ORDER BY u.id
       FOR NO KEY UPDATE OF w
)
UPDATE worker w
   SET lease_until = greatest(w.lease_until, clock_timestamp() + $5::bigint * interval '1 millisecond'),
       state = CASE WHEN due.bad THEN 3 WHEN due.drains OR w.state = 2 THEN 2 ELSE 0 END,
       note = CASE WHEN due.stuck THEN 'a service could not be stopped' WHEN due.bad OR w.state = 2 THEN w.note END
  FROM due
 WHERE w.id = ANY (ARRAY[due.id]) AND w.state <= 3

-- name: hot_workers
-- With each the last demand: demands are never deleted and become visible in the order of their ids. And whether any of
-- these workers may have to be asked for something, see hot_orders and hot_cancels.
SELECT id, incarnation, state, drain, lease_until, clock_timestamp(), coalesce(drill = incarnation, false),
       coalesce((SELECT d.id FROM demand d WHERE d.id > 0 ORDER BY d.id DESC LIMIT 1), 0),
       EXISTS (SELECT FROM instance i WHERE i.worker = ANY ($1::bigint[]) AND i.state BETWEEN 1 AND 10)
           OR EXISTS (SELECT FROM slice s WHERE s.worker = ANY ($1::bigint[]) AND s.cancel)
  FROM worker
 WHERE id = ANY ($1::bigint[])

-- name: hot_demand_match
-- Arrays: worker, the last demand that it was compared with; the last demand that is committed. Those in between that it
-- can serve.
SELECT w.id, d.id, d.queue
  FROM unnest($1::bigint[], $2::integer[]) AS u (id, seen)
  JOIN worker w ON w.id = ANY (ARRAY[u.id])
  JOIN demand d ON d.id > u.seen AND d.id <= $3::integer
 WHERE (d.queue = '' OR d.queue = ANY (w.queues))
   AND CASE d.runtime WHEN '' THEN EXISTS (SELECT FROM unnest(w.runtimes) r (name) WHERE r.name <> 'pull')
                      ELSE d.runtime = ANY (w.runtimes) END
   AND w.labels @> d.labels
 ORDER BY u.id, d.id

-- name: hot_deployment
SELECT value FROM setting WHERE name = 'deployment'

-- name: hot_pending
-- Array of demands; at most so many of each. Instances that may be placed now.
SELECT i.job, i.service, i.epoch, i.demand
  FROM unnest($1::integer[]) AS u (demand)
 CROSS JOIN LATERAL (SELECT * FROM instance p
                      WHERE p.state = 0 AND p.demand = u.demand AND p.not_before <= clock_timestamp()
                      ORDER BY p.not_before
                      LIMIT $2::integer) i
 ORDER BY i.not_before, i.job, i.service

-- name: hot_pending_still
-- Arrays: job, service, epoch. Under the jobs' locks. OFFSET 0 as in hot_leased.
SELECT u.ordinal, i.demand, i.name
  FROM unnest($1::bigint[], $2::smallint[], $3::integer[]) WITH ORDINALITY AS u (job, service, epoch, ordinal)
 CROSS JOIN LATERAL (SELECT * FROM instance p
                      WHERE p.job = u.job AND p.service = u.service AND p.epoch = u.epoch OFFSET 0) i
 WHERE i.state = 0 AND i.not_before <= clock_timestamp()
 ORDER BY u.ordinal

-- name: hot_place
-- Arrays: job, service, epoch, worker, incarnation, object. Pending is the lowest state; with "= 0" a plan that was made for
-- an empty table would go through all pending ones. An image may have to be pulled: how long that may take is the worker's
-- to say, and until it says that the container runs an hour is the end of all patience.
UPDATE instance i
   SET state = 1, worker = u.worker, incarnation = u.incarnation, object = u.object,
       runtime = coalesce(nullif(d.runtime, ''), (SELECT r.name FROM unnest(w.runtimes) r (name) WHERE r.name <> 'pull' LIMIT 1)),
       engine = CASE WHEN coalesce(nullif(d.runtime, ''), (SELECT r.name FROM unnest(w.runtimes) r (name) WHERE r.name <> 'pull' LIMIT 1))
                          IN ('process', 'kubernetes') THEN NULL ELSE w.engine END,
       placed_at = now.at,
       ready_by = now.at + s.ready_deadline_ms * interval '1 millisecond'
                  + CASE WHEN d.runtime = 'docker' THEN interval '1 hour' ELSE interval '0' END
  FROM unnest($1::bigint[], $2::smallint[], $3::integer[], $4::bigint[], $5::integer[], $6::text[])
       AS u (job, service, epoch, worker, incarnation, object)
  JOIN service s ON s.job = ANY (ARRAY[u.job]) AND s.service = u.service
  JOIN worker w ON w.id = ANY (ARRAY[u.worker])
  JOIN demand d ON d.id = ANY (ARRAY[s.demand]),
       (SELECT clock_timestamp() AS at) now
 WHERE i.job = ANY (ARRAY[u.job]) AND i.service = u.service AND i.epoch = u.epoch AND i.state <= 0

-- name: hot_instances
-- Arrays: job, name, epoch.
SELECT u.ordinal, i.service, i.state, i.stop_requested_at IS NOT NULL, i.worker, i.incarnation, i.adopt, i.boundary IS NULL,
       (extract(epoch FROM clock_timestamp() - i.stop_requested_at) * 1000)::bigint
  FROM unnest($1::bigint[], $2::text[], $3::integer[]) WITH ORDINALITY AS u (job, name, epoch, ordinal)
  JOIN service s ON s.job = ANY (ARRAY[u.job]) AND s.name = u.name
  JOIN instance i ON i.job = ANY (ARRAY[u.job]) AND i.service = s.service AND i.epoch = u.epoch
 ORDER BY u.ordinal

-- name: hot_instances_update
-- Arrays: job, service, epoch, state, failed, object, host, ports, boundary, error, signals, exit code, exit signal, grade
-- (-1: not said). What is null stays as it was; an empty error is none. When a container is first said to run, its time to become ready begins.
UPDATE instance i
   SET state = u.state, failed = i.failed OR u.failed, adopt = false, object = coalesce(u.object, i.object),
       host = coalesce(u.host, i.host), ports = coalesce(u.ports, i.ports), boundary = coalesce(u.boundary, i.boundary),
       error = nullif(coalesce(u.error, i.error), ''), signals = coalesce(u.signals, i.signals),
       ready_by = CASE WHEN u.state = 2 AND u.boundary = 'container' AND i.boundary IS NULL
                            THEN now.at + (SELECT s.ready_deadline_ms FROM service s WHERE s.job = i.job AND s.service = i.service)
                                          * interval '1 millisecond'
                       ELSE i.ready_by END,
       exit_code = coalesce(nullif(u.exit_code, -1), i.exit_code),
       exit_signal = coalesce(nullif(u.exit_signal, -1), i.exit_signal),
       grade = CASE WHEN u.grade >= 0 THEN u.grade WHEN u.state = 11 THEN coalesce(i.grade, 1) ELSE i.grade END,
       started_at = CASE WHEN u.state IN (2, 3) THEN coalesce(i.started_at, now.at) ELSE i.started_at END,
       ready_at = CASE WHEN u.state = 3 THEN coalesce(i.ready_at, now.at) ELSE i.ready_at END,
       stopped_at = CASE WHEN u.state IN (7, 8, 11) THEN coalesce(i.stopped_at, now.at) ELSE i.stopped_at END,
       verified_at = CASE WHEN u.state = 11 THEN coalesce(i.verified_at, now.at) ELSE i.verified_at END
  FROM unnest($1::bigint[], $2::smallint[], $3::integer[], $4::smallint[], $5::boolean[], $6::text[], $7::text[],
              $8::text[], $9::text[], $10::text[], $11::text[], $12::integer[], $13::integer[], $14::smallint[])
       AS u (job, service, epoch, state, failed, object, host, ports, boundary, error, signals, exit_code, exit_signal,
             grade),
       (SELECT clock_timestamp() AS at) now
 WHERE i.job = ANY (ARRAY[u.job]) AND i.service = u.service AND i.epoch = u.epoch

-- name: hot_orders
-- What these workers have of services in their present life; what is left of a former one is the reaper's business.
SELECT i.worker, i.job, i.service, i.epoch, i.name, i.state, i.stop_requested_at IS NOT NULL, i.stop_reason, i.object, i.adopt
  FROM instance i
  JOIN worker w ON w.id = ANY (ARRAY[i.worker]) AND w.incarnation = i.incarnation
 WHERE i.worker = ANY ($1::bigint[]) AND i.state BETWEEN 1 AND 10
 ORDER BY i.worker, i.job, i.service, i.epoch

-- name: hot_cancels
-- Only what is leased is asked to end. Without "state = 2" no other index can answer this, whatever the planner believes.
SELECT worker, job, stage, first, token
  FROM slice
 WHERE worker = ANY ($1::bigint[]) AND cancel
 ORDER BY worker, token

-- name: hot_service_runs
-- Arrays: job, service.
SELECT u.ordinal, s.run, j.bundle
  FROM unnest($1::bigint[], $2::smallint[]) WITH ORDINALITY AS u (job, service, ordinal)
  JOIN service s ON s.job = ANY (ARRAY[u.job]) AND s.service = u.service
  JOIN job j ON j.id = ANY (ARRAY[u.job])
 ORDER BY u.ordinal

-- name: hot_addresses
-- The services of these jobs that can be reached. OFFSET 0 as in hot_leased.
SELECT i.job, i.name, i.host, i.ports
  FROM (SELECT DISTINCT job FROM unnest($1::bigint[]) AS d (job)) u
 CROSS JOIN LATERAL (SELECT * FROM instance a WHERE a.job = u.job OFFSET 0) i
 WHERE i.state IN (3, 4)
 ORDER BY i.job, i.service, i.epoch
