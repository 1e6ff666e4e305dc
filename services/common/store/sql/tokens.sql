-- Tokens: services/common/store/tokens.c.

-- name: token_add
-- As token_read. No row: $7 tokens are valid already.
INSERT INTO token AS t (id, digest, name, role, created_by, expires_at, namespace, max_jobs, max_tasks, max_services,
                   max_log_bytes)
SELECT $1, $2, $3, $4, $5, clock_timestamp() + $6::bigint * interval '1 millisecond', $8, $9, $10, $11, $12
 WHERE (SELECT count(*)
          FROM token v
         WHERE v.revoked_at IS NULL AND (v.expires_at IS NULL OR v.expires_at > clock_timestamp())) < $7::bigint
RETURNING t.id, t.name, t.role, 'valid', t.created_at, t.created_by, t.expires_at, t.revoked_at, t.revoked_by, t.namespace,
          t.max_jobs, t.max_tasks, t.max_services, t.max_log_bytes

-- name: token_revoke
-- Whether it was valid until now.
UPDATE token t
   SET revoked_at = coalesce(t.revoked_at, clock_timestamp()),
       revoked_by = CASE WHEN t.revoked_at IS NULL THEN $2 ELSE t.revoked_by END
  FROM token before
 WHERE t.id = $1 AND before.id = t.id
RETURNING before.revoked_at IS NULL

-- name: token_read
-- One, or with $1 null a page: those below $2, newest first.
SELECT t.id, t.name, t.role,
       CASE WHEN t.revoked_at IS NOT NULL THEN 'revoked' WHEN t.expires_at <= clock_timestamp() THEN 'expired' ELSE 'valid' END,
       t.created_at, t.created_by, t.expires_at, t.revoked_at, t.revoked_by, t.namespace, t.max_jobs,
       t.max_tasks, t.max_services, t.max_log_bytes
  FROM token t
 WHERE ($1::bigint IS NULL OR t.id = $1) AND t.id < $2
 ORDER BY t.id DESC
 LIMIT $3

-- name: token_load
-- What managers keep in memory: the valid ones, and behind them those that have ended, newest first, so that their owners are told
-- why.
SELECT t.id, t.digest, t.name, t.role, t.revoked_at IS NOT NULL,
       (extract(epoch FROM t.expires_at - clock_timestamp()) * 1000)::bigint, t.namespace, t.max_jobs, t.max_tasks,
       t.max_services, t.max_log_bytes, min(t.id) OVER (PARTITION BY t.name, t.namespace)
  FROM token t
 ORDER BY t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > clock_timestamp()) DESC, t.id DESC
 LIMIT $1
