-- Counts pushes of the last hour from the index alone, and finds the few changes that were taken from HubSpot among the many that were sent.
ALTER TABLE sync_log
    DROP KEY IF EXISTS sync_log_by_status,
    ADD KEY IF NOT EXISTS sync_log_by_outcome (status, direction, action, updated_at);
