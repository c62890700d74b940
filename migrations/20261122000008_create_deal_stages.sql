-- Stages of deal pipelines. Stage ids are unique across the pipelines of deals.
CREATE TABLE IF NOT EXISTS hubspot_deal_stages (
    stage_id           VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'hubspot_deals.dealstage refers to it',
    pipeline_id        VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'The pipeline it belongs to',
    label              VARCHAR(255) NOT NULL COMMENT 'What people see',
    display_order      INT NOT NULL COMMENT 'Place in the pipeline',
    probability        DECIMAL(6,5) NULL COMMENT 'Chance of winning, 0 to 1',
    is_closed          BOOLEAN NULL COMMENT 'Whether a deal here is over',
    metadata           JSON NOT NULL COMMENT 'Everything HubSpot says of the stage',
    archived           BOOLEAN NOT NULL DEFAULT FALSE COMMENT 'Gone from HubSpot; kept because deals may name it',
    hubspot_created_at DATETIME(3) NULL COMMENT 'Created in HubSpot',
    hubspot_updated_at DATETIME(3) NULL COMMENT 'Changed in HubSpot',
    created_at         DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) COMMENT 'First seen',
    updated_at         DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3) COMMENT 'Row changed',
    PRIMARY KEY (stage_id),
    KEY hubspot_deal_stages_by_pipeline (pipeline_id, display_order)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_uca1400_ai_ci COMMENT='Stages of deal pipelines';
