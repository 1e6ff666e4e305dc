-- Quotas of tokens: services/common/store/quotas.c, hot_quota.c. Arrays of tokens.

-- name: quota_lock
-- Before any job is locked. In the order of the ids; what other submissions of these tokens have added is seen behind it.
SELECT t.id FROM token t WHERE t.id = ANY ($1::bigint[]) ORDER BY t.id FOR NO KEY UPDATE

-- name: quota_use
-- Of each: its open jobs, their tasks and services.
SELECT u.token, j.jobs, j.tasks, j.services
  FROM unnest($1::bigint[]) AS u (token)
 CROSS JOIN LATERAL (
       SELECT count(*) AS jobs, coalesce(sum(s.tasks), 0)::bigint AS tasks, coalesce(sum(o.services), 0)::bigint AS services
         FROM job o
        CROSS JOIN LATERAL (SELECT sum(g.total) AS tasks FROM stage g WHERE g.job = o.id) s
        WHERE o.owner = u.token AND o.closed_at IS NULL) j

-- name: quota_logs
-- Of each: the bytes of log of all its jobs.
SELECT u.token, j.bytes
  FROM unnest($1::bigint[]) AS u (token)
 CROSS JOIN LATERAL (SELECT coalesce(sum(o.log_bytes), 0)::bigint AS bytes FROM job o WHERE o.owner = u.token) j
