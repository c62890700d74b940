-- Typed columns that do not hold the values of all rows yet. A row is written before its column is added or changed
-- and goes with the last row filled.
CREATE TABLE IF NOT EXISTS column_fills (
    object_type VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'contacts, companies, deals, ...',
    column_name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'Typed column of the table of that type',
    filled_to   BIGINT NOT NULL DEFAULT 0 COMMENT 'Rows whose id is not above this hold their value; the next run goes on behind it',
    created_at  DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) COMMENT 'When the column was asked for',
    updated_at  DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3) COMMENT 'Row changed',
    PRIMARY KEY (object_type, column_name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_uca1400_ai_ci COMMENT='Typed columns under way';
