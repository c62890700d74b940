-- Who wins when both sides changed the same property. People write this table; the daemon reads it.
CREATE TABLE IF NOT EXISTS conflict_policies (
    object_type VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'contacts, companies, ...',
    property    VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'Name of the property',
    policy      VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'ask, newest, hubspot or local; without a row the setting of the type counts',
    PRIMARY KEY (object_type, property),
    CONSTRAINT conflict_policies_policy CHECK (policy IN ('ask', 'newest', 'hubspot', 'local'))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_uca1400_ai_ci COMMENT='Who wins a conflict, one row a property with a policy of its own';
