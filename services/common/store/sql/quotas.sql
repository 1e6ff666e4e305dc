-- Quotas of tokens: services/common/store/quotas.c, hot_quota.c. Arrays of tokens. Tokens of one name and namespace are one holder, whose
-- jobs are counted together: the one that replaces another goes on with what that has.

-- name: quota_lock
-- Before any job is locked. Of each holder its first token, in the order of the ids; what other submissions of these holders have added is
-- seen behind it.
SELECT t.id
  FROM token t
 WHERE t.id IN (SELECT min(o.id)
                  FROM token a
                  JOIN token o ON o.name = a.name AND o.namespace IS NOT DISTINCT FROM a.namespace
                 WHERE a.id = ANY ($1::bigint[])
                 GROUP BY a.id)
 ORDER BY t.id
   FOR NO KEY UPDATE

-- name: quota_use
-- Of the holder of each: its first token, its open jobs, their tasks and services.
SELECT a.id, h.first, j.jobs, j.tasks, j.services
  FROM token a
 CROSS JOIN LATERAL (SELECT min(o.id) AS first, array_agg(o.id) AS tokens
                       FROM token o
                      WHERE o.name = a.name AND o.namespace IS NOT DISTINCT FROM a.namespace) h
 CROSS JOIN LATERAL (
       SELECT count(*) AS jobs, coalesce(sum(s.tasks), 0)::bigint AS tasks, coalesce(sum(o.services), 0)::bigint AS services
         FROM job o
        CROSS JOIN LATERAL (SELECT sum(g.total) AS tasks FROM stage g WHERE g.job = o.id) s
        WHERE o.owner = ANY (h.tokens) AND o.closed_at IS NULL) j
 WHERE a.id = ANY ($1::bigint[])

-- name: quota_logs
-- Of the holder of each: the bytes of log of all its jobs.
SELECT a.id, j.bytes
  FROM token a
 CROSS JOIN LATERAL (SELECT array_agg(o.id) AS tokens
                       FROM token o
                      WHERE o.name = a.name AND o.namespace IS NOT DISTINCT FROM a.namespace) h
 CROSS JOIN LATERAL (SELECT coalesce(sum(o.log_bytes), 0)::bigint AS bytes FROM job o WHERE o.owner = ANY (h.tokens)) j
 WHERE a.id = ANY ($1::bigint[])
