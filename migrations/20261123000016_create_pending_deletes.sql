-- Rows about to be marked as deleted. They are gathered first, so that too many of them stop before the first is marked.
CREATE TABLE IF NOT EXISTS pending_deletes (
    object_type VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'contacts, companies, deals, ...',
    hubspot_id  BIGINT NOT NULL COMMENT 'The record',
    reason      VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'archived: it lies in the recycle bin; purged: HubSpot holds nothing of it',
    archived_at DATETIME(3) NULL COMMENT 'When it was deleted, where HubSpot says so',
    found_at    DATETIME(3) NOT NULL COMMENT 'When HubSpot was asked; a row written later is left alone',
    found_by    VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'The lane that found it: archive or audit',
    confirmed   BOOLEAN NOT NULL DEFAULT FALSE COMMENT 'A person has confirmed it',
    PRIMARY KEY (object_type, hubspot_id),
    CONSTRAINT pending_deletes_reason CHECK (reason IN ('archived', 'purged'))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_uca1400_ai_ci COMMENT='Deletes found in HubSpot and not applied yet';
