-- The W3C trace context that a job was submitted with: null: none.
ALTER TABLE job ADD traceparent text;
