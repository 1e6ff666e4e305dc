-- The incarnation of a worker that is ordered to kill itself, in a drill; its next life is not.
ALTER TABLE worker ADD drill integer;
