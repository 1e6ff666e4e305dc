-- Networks of jobs that are over which an engine refuses to remove, and in which it lists nothing: it has lost count, until it is started again.
ALTER TABLE engine ADD COLUMN networks_kept integer NOT NULL DEFAULT 0;
