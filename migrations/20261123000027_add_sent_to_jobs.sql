-- What a push was about to write in HubSpot, noted before it did: a worker that died, or did not learn what came of it,
-- would take its own values for somebody else's when the record is edited again.
ALTER TABLE jobs
    ADD COLUMN IF NOT EXISTS sent LONGTEXT NULL COMMENT 'What HubSpot was asked to store without a known end, a JSON object of properties' AFTER waiting;
