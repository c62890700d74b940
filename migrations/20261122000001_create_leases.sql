-- One row per right that only one process may hold at a time.
CREATE TABLE IF NOT EXISTS leases (
    name          VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'What is held; `account`: calling HubSpot for this database',
    holder        VARCHAR(255) NOT NULL COMMENT 'Process that holds it: host, process id and start time',
    server        VARCHAR(255) NOT NULL COMMENT 'Database server and user of the connection that holds it',
    connection_id BIGINT NOT NULL COMMENT 'That connection; when it is gone from the process list the holder is dead',
    acquired_at   DATETIME(6) NOT NULL COMMENT 'Since when, database clock',
    expires_at    DATETIME(6) NOT NULL COMMENT 'Until when unless renewed, database clock',
    PRIMARY KEY (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_uca1400_ai_ci COMMENT='Who may do what only one process may do';
