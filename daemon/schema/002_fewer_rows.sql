-- A new job costs two rows instead of four: its own, and one of events for all that came with it.

-- A specification of a few hundred bytes. NULL: texts has it, since it is longer or was written before.
ALTER TABLE jobs ADD COLUMN spec TEXT;

-- An event stands for several: of the next jobs, too, as many, with the numbers that follow its own.
ALTER TABLE events ADD COLUMN more INTEGER NOT NULL DEFAULT 0;
