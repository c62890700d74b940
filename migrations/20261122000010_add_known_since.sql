-- Records read before a property was known lack it, in whatever version they are stored.
ALTER TABLE hubspot_properties
    ADD COLUMN IF NOT EXISTS known_since DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)
        COMMENT 'Since when records are read with it: first seen, or back from the archive' AFTER hubspot_updated_at;
