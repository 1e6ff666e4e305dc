-- Events, logs, results: services/common/store/read_{events,logs,results}.c. What ends a stream is read before its rows.

-- name: read_events
SELECT seq, at, kind, data FROM event WHERE job = $1 AND seq > $2 ORDER BY seq LIMIT $3::bigint

-- name: read_logs
-- Chunks that end behind the offset, from the one that it is in; the sum of what comes before each is for the limit of bytes.
SELECT seq, at, source, position, content
  FROM (SELECT seq, at, source, position, content,
               sum(length(content)) OVER (ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
          FROM (SELECT *
                  FROM log
                 WHERE job = $1 AND seq >= coalesce((SELECT max(seq) FROM log WHERE job = $1 AND seq <= $2), 0)
                   AND seq + length(content) > $2 AND ($3::text IS NULL OR source = $3)
                 ORDER BY seq
                 LIMIT 1000) l) c
 WHERE coalesce(before, 0) < $4
 ORDER BY seq

-- name: read_results
-- Behind (stage $2, task $3, ordinal $4).
SELECT r.stage, r.task, r.ordinal, g.name, r.output
  FROM result r
  JOIN stage g ON g.job = r.job AND g.stage = r.stage
 WHERE r.job = $1 AND (r.stage, r.task, r.ordinal) > ($2, $3, $4)
 ORDER BY r.stage, r.task, r.ordinal
 LIMIT $5::bigint
