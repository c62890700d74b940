-- Requests of the REST API that were carried out and are not to be carried out twice. Kept for a day.
CREATE TABLE IF NOT EXISTS idempotency_keys (
    key_hash     BINARY(32) NOT NULL COMMENT 'SHA-256 of who asked, what for, and the Idempotency-Key',
    request_hash BINARY(32) NOT NULL COMMENT 'SHA-256 of the body: the same key with another one is a mistake',
    status       SMALLINT NOT NULL COMMENT 'HTTP status of the answer',
    row_id       BIGINT NULL COMMENT 'id of the row that was made; NULL when none was',
    answer       JSON NULL COMMENT 'The answer, where it is no record; of a record nothing is kept here',
    created_at   DATETIME(3) NOT NULL COMMENT 'When it was carried out',
    PRIMARY KEY (key_hash),
    KEY idempotency_keys_by_age (created_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_uca1400_ai_ci COMMENT='Requests that are not to be carried out twice';
