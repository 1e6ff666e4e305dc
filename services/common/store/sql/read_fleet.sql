-- The fleet and the books: services/common/store/read_fleet.c.

-- name: read_workers
-- The one with id $1, or all behind id $2, most of them $3.
SELECT w.id, w.name, w.state, w.host, w.incarnation, array_to_json(w.runtimes)::text, array_to_json(w.queues)::text,
       w.labels::text, w.slots, w.registered_at, w.lease_until, w.drain, w.note,
       (SELECT coalesce(sum(s.count), 0)::bigint FROM slice s WHERE s.worker = w.id AND s.state = 2),
       (SELECT count(*) FROM instance i WHERE i.worker = w.id AND i.state BETWEEN 1 AND 10)
  FROM worker w
 WHERE ($1::bigint IS NULL OR w.id = $1) AND w.id > $2
 ORDER BY w.id
 LIMIT $3::bigint

-- name: read_violations
-- $1: null is all jobs.
SELECT v.job, v.stage, v.problem FROM violations($1) v LIMIT 1000
