-- The first schema. Times are wall-clock microseconds, NULL: not yet or none. Numbers of states and
-- outcomes are those of job.h and never change their meaning. Comments are left out of the program.

-- One row a job: what changes with its state. An update writes the whole row, so what is long and
-- stays as it is stands in texts.
CREATE TABLE jobs (
    id               INTEGER PRIMARY KEY,
    state            INTEGER NOT NULL,
    priority         INTEGER NOT NULL,
    attempt          INTEGER NOT NULL,
    failures         INTEGER NOT NULL,  -- attempts that count against retry.max
    lost             INTEGER NOT NULL,  -- attempts lost to the daemon's death
    cancel_requested INTEGER NOT NULL,
    uid              INTEGER NOT NULL,
    waits            INTEGER NOT NULL,  -- rows of waits_for with this job
    parent           INTEGER,
    created_us       INTEGER NOT NULL,
    run_at_us        INTEGER,
    deadline_us      INTEGER,
    started_us       INTEGER,           -- of the last attempt
    finished_us      INTEGER,           -- set with a final state
    keep_us          INTEGER,           -- the job's own
    expires_us       INTEGER,           -- finished_us + keep_us
    bytes            INTEGER NOT NULL,  -- what it costs to keep
    exit_code        INTEGER,
    signal           INTEGER,
    queue            TEXT NOT NULL,
    kind             TEXT NOT NULL,
    name             TEXT,
    key              TEXT,
    body             BLOB,              -- with a key: hash of the specification as it was submitted
    error_name       TEXT,
    error_message    TEXT
) STRICT;

CREATE TABLE texts (
    job    INTEGER PRIMARY KEY,
    spec   TEXT NOT NULL,
    result TEXT
) STRICT;

-- The daemon starts from this one alone: everything it keeps of a job that has not ended. The id
-- comes first, so that new jobs append.
CREATE INDEX jobs_open ON jobs (id, state, priority, attempt, cancel_requested, uid, run_at_us,
                                deadline_us, queue)
    WHERE state <= 4;
-- What a crash leaves to decide: a handful, found without a walk over all that waits.
CREATE INDEX jobs_running ON jobs (id) WHERE state = 4;
-- Retention: oldest first, and what it frees.
CREATE INDEX jobs_ended ON jobs (finished_us, bytes) WHERE state >= 5 AND expires_us IS NULL;
CREATE INDEX jobs_expiring ON jobs (expires_us, bytes) WHERE expires_us IS NOT NULL;
CREATE UNIQUE INDEX jobs_key ON jobs (uid, key) WHERE key IS NOT NULL;
CREATE INDEX jobs_parent ON jobs (parent) WHERE parent IS NOT NULL;

-- One row a start; durable before the process exists.
CREATE TABLE attempts (
    job         INTEGER NOT NULL,
    n           INTEGER NOT NULL,
    life        INTEGER NOT NULL,
    started_us  INTEGER NOT NULL,
    finished_us INTEGER,
    outcome     INTEGER NOT NULL,
    exit_code   INTEGER,
    signal      INTEGER,
    pid         INTEGER,
    start_time  INTEGER,
    out_bytes   INTEGER,
    out_kept    INTEGER,
    err_bytes   INTEGER,
    err_kept    INTEGER,
    PRIMARY KEY (job, n)
) STRICT, WITHOUT ROWID;

-- Dependencies that are still open.
CREATE TABLE waits_for (
    other   INTEGER NOT NULL,
    job     INTEGER NOT NULL,
    any_end INTEGER NOT NULL,
    PRIMARY KEY (other, job)
) STRICT, WITHOUT ROWID;
CREATE INDEX waits_for_job ON waits_for (job);

CREATE TABLE labels (
    job   INTEGER NOT NULL,
    name  TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (job, name)
) STRICT, WITHOUT ROWID;

-- Every arrow, in order; the last 100,000 are kept.
CREATE TABLE events (
    seq     INTEGER PRIMARY KEY,
    job     INTEGER NOT NULL,
    state   INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    uid     INTEGER NOT NULL,
    at_us   INTEGER NOT NULL
) STRICT;

-- Each start of the daemon, and the boot of the machine it fell into.
CREATE TABLE lives (
    life       INTEGER PRIMARY KEY,
    boot_id    TEXT NOT NULL,
    started_us INTEGER NOT NULL
) STRICT;

-- Small texts: the state of queues, and last_id (no id is given twice, even when the last job was
-- removed).
CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
