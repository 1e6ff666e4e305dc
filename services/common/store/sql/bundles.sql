-- Bundles by their hash.

-- name: bundle_put
-- Whether it is new; one that exists counts as used now.
INSERT INTO bundle AS b (hash, content)
VALUES ($1, $2)
ON CONFLICT (hash) DO UPDATE SET last_used_at = clock_timestamp()
RETURNING b.xmax = 0

-- name: bundle_touch
UPDATE bundle SET last_used_at = clock_timestamp() WHERE hash = $1

-- name: bundle_read
-- Its size, and a piece of it: pieces are read without the rest, since it is not compressed once more.
SELECT octet_length(content), substring(content FROM $2::integer FOR $3::integer) FROM bundle WHERE hash = $1
