-- Where the records are that were merged into others: every old id leads to its survivor with one join.
CREATE TABLE IF NOT EXISTS hubspot_merges (
    object_type VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'contacts, companies, deals, ...',
    old_id      BIGINT NOT NULL COMMENT 'Id in HubSpot that a record had before a merge; the row of that id stays, archived',
    survivor_id BIGINT NOT NULL COMMENT 'Id of the record it is now, after all merges so far',
    created_at  DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) COMMENT 'First seen',
    updated_at  DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3) COMMENT 'Row changed',
    PRIMARY KEY (object_type, old_id),
    KEY hubspot_merges_by_survivor (object_type, survivor_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_uca1400_ai_ci COMMENT='Merged records: old id to survivor';
