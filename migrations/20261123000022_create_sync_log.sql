-- What went between the two sides for each record that is edited here. Successes are kept for 30 days, failures for ever.
CREATE TABLE IF NOT EXISTS sync_log (
    id             BIGINT NOT NULL AUTO_INCREMENT COMMENT 'Rises with time',
    object_type    VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'contacts, companies, ...',
    row_id         BIGINT NULL COMMENT 'id of the row; NULL when it was deleted by SQL',
    hubspot_id     BIGINT NULL COMMENT 'Id in HubSpot; NULL until the record exists there',
    job_id         BIGINT NULL COMMENT 'The job it was done for, see jobs',
    action         VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'create, update or delete',
    direction      VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'push: to HubSpot; pull: from HubSpot',
    status         VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'success, failed, pending or retrying',
    retry_count    INT NOT NULL DEFAULT 0 COMMENT 'Tries after the first',
    message        TEXT NULL COMMENT 'What happened, in words; may quote a value that HubSpot refuses',
    changed_fields JSON NULL COMMENT 'Names of the properties it was about',
    created_at     DATETIME(3) NOT NULL COMMENT 'First try, UTC',
    updated_at     DATETIME(3) NOT NULL COMMENT 'Last try, UTC',
    PRIMARY KEY (id),
    KEY sync_log_by_row (object_type, row_id, id),
    KEY sync_log_by_record (object_type, hubspot_id, id),
    KEY sync_log_by_job (job_id, status),
    KEY sync_log_by_status (status, updated_at),
    CONSTRAINT sync_log_action CHECK (action IN ('create', 'update', 'delete')),
    CONSTRAINT sync_log_direction CHECK (direction IN ('push', 'pull')),
    CONSTRAINT sync_log_status CHECK (status IN ('success', 'failed', 'pending', 'retrying'))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_uca1400_ai_ci COMMENT='What went between MariaDB and HubSpot, one row a push or pull of a record';
