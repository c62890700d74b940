-- What became of webhooks since the database was made, also of those that are kept nowhere.
CREATE TABLE IF NOT EXISTS webhook_counts (
    name    VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'What is counted, see DEPLOYMENT.md',
    total   BIGINT NOT NULL COMMENT 'How many there were',
    last_at DATETIME(3) NOT NULL COMMENT 'When there was one last, UTC',
    PRIMARY KEY (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_uca1400_ai_ci COMMENT='Counts of webhooks, one row a fate';
