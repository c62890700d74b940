-- Pipelines deals move through.
CREATE TABLE IF NOT EXISTS hubspot_deal_pipelines (
    pipeline_id        VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'hubspot_deals.pipeline refers to it',
    label              VARCHAR(255) NOT NULL COMMENT 'What people see',
    display_order      INT NOT NULL COMMENT 'Place among the pipelines',
    archived           BOOLEAN NOT NULL DEFAULT FALSE COMMENT 'Gone from HubSpot; kept because deals may name it',
    hubspot_created_at DATETIME(3) NULL COMMENT 'Created in HubSpot',
    hubspot_updated_at DATETIME(3) NULL COMMENT 'Changed in HubSpot',
    created_at         DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) COMMENT 'First seen',
    updated_at         DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3) COMMENT 'Row changed',
    PRIMARY KEY (pipeline_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_uca1400_ai_ci COMMENT='Deal pipelines';
