-- Looked up with each poll. While it was limited to leased slices the index of all leases could answer as well, and a plan
-- that was made before there was anything took that one.
DROP INDEX slice_cancel;
CREATE INDEX slice_cancel ON slice (worker, token) WHERE cancel;
