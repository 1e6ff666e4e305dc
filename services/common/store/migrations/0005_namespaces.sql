-- A token of a namespace sees and changes only the jobs in it. Keys of its submissions are stored behind "NAMESPACE " (a key has no
-- spaces), so that equal keys of two namespaces are two keys.
ALTER TABLE job ADD namespace text NOT NULL DEFAULT 'default';
ALTER TABLE token
    ADD namespace text CHECK (namespace ~ '^[a-z0-9-]{1,32}$'), -- null: all
    ADD CHECK (namespace IS NULL OR role IN ('viewer', 'submitter'));
