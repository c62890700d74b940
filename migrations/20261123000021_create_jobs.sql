-- What is left to do in HubSpot. The key is what a job is about, and not its number: looking for a duplicate in a further
-- unique index locks the gap in front of it, at every isolation level, and people who edit in an open transaction would
-- hold each other up.
CREATE TABLE IF NOT EXISTS jobs (
    id          BIGINT NOT NULL AUTO_INCREMENT COMMENT 'Number of the job, for people and for sync_log',
    object_type VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'contacts, companies, ...',
    kind        VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'push: bring a row in step with HubSpot; deleted: the row was deleted by SQL',
    record_id   BIGINT NOT NULL COMMENT 'push: id of the row; deleted: id in HubSpot',
    generation  BIGINT NOT NULL DEFAULT 1 COMMENT 'Rises with every edit',
    state       VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'ready' COMMENT 'ready, running, or dead: waits for a person',
    run_at      DATETIME(3) NOT NULL COMMENT 'Not to be done before; UTC, database clock',
    attempts    INT NOT NULL DEFAULT 0 COMMENT 'Tries since the last edit, the one under way included',
    claims      BIGINT NOT NULL DEFAULT 0 COMMENT 'Rises whenever a worker takes it, so that one that comes late is told from the present one',
    locked_by   VARCHAR(255) NULL COMMENT 'Process that works on it',
    lease_until DATETIME(3) NULL COMMENT 'Until when it is believed to live, unless it says so again; UTC, database clock',
    last_error  TEXT NULL COMMENT 'Why the last try failed',
    waiting     TEXT NULL COMMENT 'Why it waits although nothing is wrong with it: a brake, or pushing is off',
    created_at  DATETIME(3) NOT NULL COMMENT 'First edit, UTC',
    updated_at  DATETIME(3) NOT NULL COMMENT 'Row changed, UTC',
    PRIMARY KEY (object_type, kind, record_id),
    UNIQUE KEY jobs_by_id (id),
    KEY jobs_to_claim (state, object_type, kind, run_at, id),
    CONSTRAINT jobs_kind CHECK (kind IN ('push', 'deleted')),
    CONSTRAINT jobs_state CHECK (state IN ('ready', 'running', 'dead'))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_uca1400_ai_ci COMMENT='What is left to do in HubSpot, one row a record; a row goes when it is done';
