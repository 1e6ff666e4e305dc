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

-- name: read_results_horizon
-- The first task of a job that goes on which may still have results. A failed one may be tried again, and have others come.
SELECT h.stage, h.task
  FROM ((SELECT g.stage, s.first AS task
           FROM stage g
           JOIN slice s ON s.job = g.job AND s.stage = g.stage
          WHERE g.job = $1 AND s.state IN (0, 1, 2, 3, 5)
            AND NOT EXISTS (SELECT FROM stage r WHERE r.job = $1 AND r.from_stage = g.stage)
          ORDER BY g.stage, s.first
          LIMIT 1)
        UNION ALL
        (SELECT g.stage, g.total
           FROM stage g
          WHERE g.job = $1 AND (NOT g.closed OR EXISTS (SELECT FROM slice f WHERE f.job = $1 AND f.state = 5))
            AND NOT EXISTS (SELECT FROM stage r WHERE r.job = $1 AND r.from_stage = g.stage)
          ORDER BY g.stage
          LIMIT 1)) h
 ORDER BY h.stage, h.task
 LIMIT 1

-- name: read_results
-- Behind (stage $2, task $3, ordinal $4), before (stage $6, task $7); the sum of what comes before each is for the limit of
-- bytes.
SELECT c.stage, c.task, c.ordinal, g.name, c.output
  FROM (SELECT stage, task, ordinal, output,
               sum(octet_length(output)) OVER (ORDER BY stage, task, ordinal
                                               ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
          FROM (SELECT *
                  FROM result
                 WHERE job = $1 AND (stage, task, ordinal) > ($2, $3, $4) AND (stage, task) < ($6, $7)
                 ORDER BY stage, task, ordinal
                 LIMIT $5::bigint) r) c
  JOIN stage g ON g.job = $1 AND g.stage = c.stage
 WHERE coalesce(c.before, 0) < $8
 ORDER BY c.stage, c.task, c.ordinal
