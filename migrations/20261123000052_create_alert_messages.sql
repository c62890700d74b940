-- Messages on their way to people. Decided in the transaction that notes the problem, so that none is lost or told twice.
CREATE TABLE IF NOT EXISTS alert_messages (
    id         BIGINT NOT NULL AUTO_INCREMENT COMMENT 'Rises with time',
    channel    VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'webhook or mail',
    subject    VARCHAR(255) NOT NULL COMMENT 'One line',
    body       TEXT NOT NULL COMMENT 'One line a problem',
    created_at DATETIME(3) NOT NULL COMMENT 'When it was decided, UTC',
    attempts   INT NOT NULL DEFAULT 0 COMMENT 'How often it was tried',
    due_at     DATETIME(3) NOT NULL COMMENT 'Not to be tried before, UTC',
    last_error TEXT NULL COMMENT 'Why the last try failed',
    PRIMARY KEY (id),
    KEY alert_messages_due (channel, id),
    CONSTRAINT alert_messages_channel CHECK (channel IN ('webhook', 'mail'))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_uca1400_ai_ci COMMENT='Messages about problems; a row goes when it is delivered';
