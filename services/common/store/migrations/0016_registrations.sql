-- Which state directory the worker was registered from, and how many registrations had been asked for from there: a reply that was lost, or that
-- came to a worker which was killed before it could note it, is known by that.
ALTER TABLE worker ADD COLUMN owner text, ADD COLUMN registrations bigint;
