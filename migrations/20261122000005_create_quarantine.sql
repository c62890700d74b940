-- Records that could not be stored, and values that do not fit their typed column.
CREATE TABLE IF NOT EXISTS quarantine (
    object_type   VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'As in sync_state',
    record_key    VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'HubSpot id of the record; a digest where it has none',
    property      VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '' COMMENT 'The property whose value does not fit its column; empty: the whole record',
    reason        TEXT NOT NULL COMMENT 'What is wrong',
    raw           LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'The record or the value as HubSpot sent it',
    attempts      INT NOT NULL DEFAULT 1 COMMENT 'How often it was tried',
    first_seen_at DATETIME(3) NOT NULL COMMENT 'First time',
    last_seen_at  DATETIME(3) NOT NULL COMMENT 'Last time',
    PRIMARY KEY (object_type, record_key, property),
    KEY quarantine_by_time (last_seen_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_uca1400_ai_ci COMMENT='What could not be stored as it should; a row goes when the record is well again';
